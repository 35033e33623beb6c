import { hasSqlState } from '../../postgres/sql-state.js';
import type { TenantDatabase } from '../../database/tenant-database.js';

/** Settings of PostgreSQL, as name and value, that hold while a run works on a tenant. */
export type RunSettings = readonly (readonly [name: string, value: number | string])[];

/**
 * The time-outs, and that the server looks now and then whether the client is still there: without that a run that was killed is still
 * waiting for a lock on the server, and migrates the tenant after its end.
 */
export async function runSettings(
  database: TenantDatabase,
  { lockTimeoutMs, statementTimeoutMs }: { readonly lockTimeoutMs: number; readonly statementTimeoutMs: number | undefined },
): Promise<RunSettings> {
  const { roles } = database.options;

  return [
    // what a migration makes is that role's
    ...(roles?.ddl === undefined ? [] : [['role', roles.ddl] as const]),
    ['lock_timeout', lockTimeoutMs],
    ...(statementTimeoutMs === undefined ? [] : [['statement_timeout', statementTimeoutMs] as const]),
    ...((await canNoticeLostClients(database)) ? [[NOTICE, NOTICE_AFTER_MS] as const] : []),
  ];
}

// since PostgreSQL 14, and not on every system that it runs on: so it is tried, for one statement
async function canNoticeLostClients(database: TenantDatabase): Promise<boolean> {
  try {
    await database.execute(`select set_config('${NOTICE}', '${NOTICE_AFTER_MS}', true)`, [], undefined);

    return true;
  } catch (error) {
    if (hasSqlState(error, UNKNOWN_OR_INVALID_SETTING)) {
      return false;
    }

    throw error;
  }
}

/** How long to wait for a lock of another session, where nothing is said. */
export const DEFAULT_LOCK_TIMEOUT_MS = 5_000;

const NOTICE = 'client_connection_check_interval';
const NOTICE_AFTER_MS = 1_000;

const UNKNOWN_OR_INVALID_SETTING = ['42704', '22023'] as const;
