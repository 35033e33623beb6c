import { MigrationError, TenantNodeUnavailableError, type TenantError } from '../../errors/index.js';
import { COORDINATOR, nodesAway, readPlacements } from '../../database/citus/placements.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { findOwnedSchemas } from '../../database/owned-schemas.js';
import type { ExecutedMigration } from '../history/history.js';
import { namesOf, readHistories, type SchemaHistory } from '../history/histories.js';
import { DEFAULT_LOCK_TIMEOUT_MS } from './run-settings.js';
import { loadMigrationSet } from '../set/migration-set.js';
import { refusalOf } from './refusal.js';
import { unknownMigrations } from './plan.js';
import { planHistory } from './plan-run.js';
import { selectSchemaNames, type TenantSelection } from './selection.js';

/** The migrations of one tenant. */
export interface TenantMigrationStatus {
  readonly schemaName: string;
  readonly hasSchema: boolean;
  /** Names of the migrations in its history, oldest first. */
  readonly executed: readonly string[];
  readonly pending: readonly string[];
  /** Migrations in the history that are not in the set, for example after a return to an older version of the application. */
  readonly unknown: readonly string[];
  /** On Citus: host and port of the node on which the tenant is, or `coordinator`. */
  readonly node?: string;
  /** What is wrong with the tenant: its history cannot be read or is lost, or the schema is not the library's. Its migrations are then not known. */
  readonly error?: TenantError;
}

export interface MigrationStatus {
  readonly tenants: readonly TenantMigrationStatus[];
  /** Schemas created by the library that no longer have a tenant. */
  readonly orphans: readonly string[];
}

/** Returns the applied and pending migrations of each selected tenant. Changes nothing. */
export async function migrationStatus(database: TenantDatabase, selection: TenantSelection = {}): Promise<MigrationStatus> {
  const set = await loadMigrationSet(database);
  const schemaNames = await selectSchemaNames(database, selection);
  const places = await readPlaces(database, schemaNames);
  const statuses: TenantMigrationStatus[] = [];

  for (const [schemaName, error] of places.away) {
    statuses.push({ schemaName, hasSchema: true, executed: [], pending: [], unknown: [], ...places.nodeOf(schemaName, true), error });
  }

  for await (const batch of readHistories(
    database,
    schemaNames.filter(name => !places.away.has(name)),
    { lockTimeoutMs: DEFAULT_LOCK_TIMEOUT_MS },
  )) {
    for (const history of batch) {
      const { schemaName, hasSchema, executed } = history;
      // that it has no schema is said by `hasSchema`
      const refusal = hasSchema ? (refusalOf(database, history, 'up') ?? lossOf(history)) : undefined;
      const names = namesOf({ executed });
      const { error = refusal, planned } = planHistory(set, { direction: 'up' }, executed);
      statuses.push({
        schemaName,
        hasSchema,
        executed: names,
        pending: refusal === undefined ? planned.map(({ name }) => name) : [],
        unknown: unknownMigrations(set, names),
        ...places.nodeOf(schemaName, hasSchema),
        ...(error === undefined ? {} : { error }),
      });
    }
  }

  return {
    tenants: places.away.size === 0 ? statuses : statuses.toSorted((a, b) => (a.schemaName < b.schemaName ? -1 : 1)),
    orphans: await findOrphans(database),
  };
}

interface Places {
  nodeOf(schemaName: string, hasSchema: boolean): { readonly node?: string };
  /** The tenants whose node does not answer. */
  readonly away: ReadonlyMap<string, TenantNodeUnavailableError>;
}

async function readPlaces(database: TenantDatabase, schemaNames: readonly string[]): Promise<Places> {
  if ((await database.engine.citus(undefined)) === undefined) {
    return { nodeOf: () => ({}), away: new Map() };
  }

  const placements = await readPlacements(database);
  const nodes = await nodesAway(database);
  const away = schemaNames.flatMap(name => {
    const node = placements.get(name);

    return node !== undefined && nodes.includes(node) ? [[name, TenantNodeUnavailableError.ofTenant(node, name)] as const] : [];
  });

  return {
    nodeOf: (schemaName, hasSchema) => (hasSchema ? { node: placements.get(schemaName) ?? COORDINATOR } : {}),
    away: new Map(away),
  };
}

// a run takes such a schema for a new one
function lossOf({ schemaName, isLost }: SchemaHistory): MigrationError | undefined {
  return isLost ? MigrationError.historyLost(schemaName) : undefined;
}

/** The migrations in the history of one tenant. */
export interface TenantHistory {
  readonly schemaName: string;
  /** Oldest first. */
  readonly executed: readonly ExecutedMigration[];
  /** Why the history could not be read. */
  readonly error?: MigrationError;
}

/** Returns what each selected tenant has, read for many tenants at a time. */
export async function migrationHistories(database: TenantDatabase, selection: TenantSelection = {}): Promise<TenantHistory[]> {
  const histories: TenantHistory[] = [];
  const options = { lockTimeoutMs: DEFAULT_LOCK_TIMEOUT_MS, withDates: true };

  for await (const batch of readHistories(database, await selectSchemaNames(database, selection), options)) {
    for (const { schemaName, executedAt, error, ...history } of batch) {
      const executed = namesOf(history).map((name, index) => ({ name, executedAt: executedAt[index] ?? new Date(0) }));
      histories.push({ schemaName, executed, ...(error === undefined ? {} : { error }) });
    }
  }

  return histories;
}

async function findOrphans(database: TenantDatabase): Promise<string[]> {
  // without filters: a tenant that a filter hides, such as a soft-deleted one, still owns its schema
  const names = new Set(await database.tenants.findSchemaNames());

  return [...(await findOwnedSchemas(database))].filter(name => !names.has(name)).toSorted();
}
