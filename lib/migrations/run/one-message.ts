import type { Transaction } from '@mikro-orm/core';
import { MigrationError } from '../../errors/index.js';
import { WANTS_ROWS } from '../../connection/pool/server-status.js';
import { lacksTable } from '../../postgres/sql-state.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { LOCK_KEY } from '../../database/tenant-lock.js';
import { scriptFrom } from './script.js';
import type { TenantRun, TenantWork } from './tenant-run.js';
import { beginScript, changedSql, FOUND, restoreSession, tenantScript, type FoundSession, type TenantScript } from './tenant-script.js';

/**
 * `done`; `busy` if another session has the tenant's lock; `changed` if another run has applied one of the migrations; `unsuited` if this tenant
 * has to be migrated step by step. Only `done` has done something.
 */
export type OneMessageOutcome = 'done' | 'busy' | 'changed' | 'unsuited';

/**
 * Migrates a tenant upwards in two messages: the first takes the lock and looks whether another run has applied these migrations, the second
 * migrates, records and commits. This requires migrations that only queue SQL. Where there is nothing to do, the second ends the transaction: an
 * error would be in the server's log.
 *
 * @throws MigrationError `MIGRATION_FAILED` with the cause. PostgreSQL does not say which statement of a message has failed.
 */
export async function migrateInOneMessage(database: TenantDatabase, work: TenantWork, run: TenantRun): Promise<OneMessageOutcome> {
  const script = await tenantScript(database, work, run);

  if (script === undefined || !(await database.engine.takesScripts(undefined))) {
    return 'unsuited';
  }

  const lock = database.orm.em.getPlatform().formatQuery(LOCK_KEY, [work.schemaName]);
  const begin = scriptFrom(beginScript(`pg_try_advisory_xact_lock(${lock})::text`, script.settings));
  // a statement of its own after the lock, so that it sees the changes of another run
  const look = `select ${FOUND}, ${script.schemaNow} as schema, ${changedSql(database, work)} as changed`;

  return database.onOneConnection(async ctx => {
    let found: FoundRow | undefined;

    try {
      // in one message, or in two where the client gives no rows of several statements
      const rows = await database.execute<FoundRow>(`${WANTS_ROWS}${begin}\n;\n${look}`, [], ctx);
      const [row] = rows.length > 0 ? rows : await database.execute<FoundRow>(look, [], ctx);
      found = row;
      run.onSession(row?.session);

      const isOther = work.schemaOid !== undefined && row?.schema !== work.schemaOid;

      if (row?.locked !== 'true' || row.changed || isOther) {
        await database.execute('rollback', [], ctx);

        return row?.locked === 'true' ? 'changed' : 'busy';
      }

      await database.execute(scriptFrom([...script.statements, 'commit', `select ${restoreSession(database, row)}`]), [], ctx);

      return 'done';
    } catch (error) {
      if (await endFailed(database, { found, script }, ctx)) {
        return 'done';
      }

      // schema or history have gone since they were read
      if (lacksTable(error)) {
        return 'unsuited';
      }

      throw MigrationError.failed(work.planned.map(({ name }) => name).join(' or '), work.schemaName, error);
    }
  });
}

/**
 * Ends what a message that has failed has left: its transaction, or what its migrations have set for the session, if it failed after its commit. True in
 * the latter case.
 */
async function endFailed(
  database: TenantDatabase,
  { found, script }: { readonly found: FoundRow | undefined; readonly script: TenantScript },
  ctx: Transaction,
): Promise<boolean> {
  try {
    await database.execute('rollback', [], ctx);

    if (found === undefined) {
      return false;
    }

    const [row] = await database.execute<{ recorded: boolean }>(
      `select ${restoreSession(database, found)}, ${script.recorded} as recorded`,
      [],
      ctx,
    );

    return row?.recorded === true;
  } catch {
    // a lost connection among them, or a history that is not there any more
    await database.closeAfterUse(ctx);

    return false;
  }
}

interface FoundRow extends FoundSession {
  readonly changed: boolean;
  /** The oid of the schema of its name. */
  readonly schema: string;
}
