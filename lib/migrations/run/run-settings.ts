import { hasSqlState } from '../../postgres/sql-state.js';
import type { TenantDatabase } from '../../database/tenant-database.js';

/** PostgreSQL settings (name and value) that apply while a run migrates a tenant. */
export type RunSettings = readonly (readonly [name: string, value: number | string])[];

/**
 * The time-outs, and a regular check of the server whether the client is still connected. Without this check, the statement of a killed run
 * could keep waiting for a lock on the server, and still migrate the tenant later.
 */
export async function runSettings(
  database: TenantDatabase,
  { lockTimeoutMs, statementTimeoutMs }: { readonly lockTimeoutMs: number; readonly statementTimeoutMs: number | undefined },
): Promise<RunSettings> {
  const { roles } = database.options;

  return [
    // this role becomes the owner of what a migration creates
    ...(roles?.ddl === undefined ? [] : [['role', roles.ddl] as const]),
    ['lock_timeout', lockTimeoutMs],
    ...(statementTimeoutMs === undefined ? [] : [['statement_timeout', statementTimeoutMs] as const]),
    ...((await canNoticeLostClients(database)) ? [[CLIENT_CHECK, CLIENT_CHECK_MS] as const] : []),
  ];
}

// tried in one statement, because it needs PostgreSQL 14 and is not available on every operating system
async function canNoticeLostClients(database: TenantDatabase): Promise<boolean> {
  try {
    await database.execute(`select set_config('${CLIENT_CHECK}', '${CLIENT_CHECK_MS}', true)`, [], undefined);

    return true;
  } catch (error) {
    if (hasSqlState(error, UNKNOWN_OR_INVALID_SETTING)) {
      return false;
    }

    throw error;
  }
}

/** The default time to wait for a lock of another session: what a request can bear, as requests queue up behind the waiting statement. */
export const DEFAULT_LOCK_TIMEOUT_MS = 1_000;

const CLIENT_CHECK = 'client_connection_check_interval';
const CLIENT_CHECK_MS = 1_000;

const UNKNOWN_OR_INVALID_SETTING = ['42704', '22023'] as const;

export const DEFAULT_BUSY_TIMEOUT_MS = 600_000;
