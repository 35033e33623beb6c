import type { Probe } from './probe.js';
import { BASIC_PROBES, RECORDED_BASIC_PROBES } from './probes/basic.js';
import { CARRIED_PROBES, RECORDED_CARRIED_PROBES, SENT_CARRIED_PROBES } from './probes/carried.js';
import { CLOSING_PROBES, CONNECTION_PROBES, SENT_CONNECTION_PROBES } from './probes/connection.js';
import { CONTEXT_PROBES } from './probes/contexts.js';
import { ENTERING_PROBES, RECORDED_ENTERING_PROBES } from './probes/entering.js';
import { ENTITY_MANAGER_PROBES, RECORDED_ENTITY_MANAGER_PROBES } from './probes/entity-manager.js';
import { FILTER_PROBES, OTHER_FILTER_PROBES, RECORDED_FILTER_PROBES, RECORDED_OTHER_FILTER_PROBES } from './probes/filters.js';
import { FLUSH_PROBES } from './probes/flush.js';
import { LOADING_PROBES, RECORDED_LOADING_PROBES } from './probes/loading.js';
import { QUERY_PROBES, RECORDED_QUERY_PROBES } from './probes/query.js';
import { OTHER_TENANT_CHECK_PROBES, TENANT_CHECK_PROBES } from './probes/tenant-check.js';

/** Probes by what they take. */
export interface Probes {
  /** Those that show at once. */
  readonly atOnce: readonly Probe[];
  /** Those that are awaited, and look at what the connection is given. */
  readonly recorded: readonly Probe[];
  /** Those that are awaited, and look at what the database is sent. */
  readonly sent: readonly Probe[];
}

/** One of each kind of guard. */
export const BASIC: Probes = {
  atOnce: [...BASIC_PROBES, ...FILTER_PROBES],
  recorded: [...RECORDED_BASIC_PROBES, ...RECORDED_FILTER_PROBES],
  sent: TENANT_CHECK_PROBES,
};

/** Those that show every seam. */
export const ALL: Probes = {
  atOnce: [
    ...CONTEXT_PROBES,
    ...ENTERING_PROBES,
    ...ENTITY_MANAGER_PROBES,
    ...QUERY_PROBES,
    ...CARRIED_PROBES,
    ...FILTER_PROBES,
    ...OTHER_FILTER_PROBES,
    ...LOADING_PROBES,
    ...CONNECTION_PROBES,
  ],
  recorded: [
    ...RECORDED_ENTITY_MANAGER_PROBES,
    ...RECORDED_QUERY_PROBES,
    ...RECORDED_CARRIED_PROBES,
    ...RECORDED_FILTER_PROBES,
    ...RECORDED_OTHER_FILTER_PROBES,
    ...RECORDED_ENTERING_PROBES,
    ...FLUSH_PROBES,
    ...RECORDED_LOADING_PROBES,
  ],
  sent: [...SENT_CARRIED_PROBES, ...SENT_CONNECTION_PROBES, ...TENANT_CHECK_PROBES, ...OTHER_TENANT_CHECK_PROBES, ...CLOSING_PROBES],
};
