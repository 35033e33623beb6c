import type { Transaction } from '@mikro-orm/core';
import { isBehindPooler } from '../../connection/pool/pooled-connection.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { lockTenant, tryLockForSession, unlockForSession } from '../../database/tenant-lock.js';
import { MigrationError } from '../../errors/index.js';
import { quoteIdentifier } from '../../postgres/schema-name.js';
import { isLockTimeout } from '../../postgres/sql-state.js';
import type { Finding, MendedFinding } from './finding.js';

/** Mends what can be mended safely, each in a transaction of its own, and goes on where one fails. */
export async function mend(database: TenantDatabase, findings: readonly Finding[]): Promise<MendedFinding[]> {
  const results: MendedFinding[] = [];

  for (const finding of findings.filter(({ fix }) => fix !== undefined)) {
    try {
      await mendOne(database, finding);
      results.push({ finding });
    } catch (error) {
      const { schemaName } = finding;
      results.push({
        finding,
        error: schemaName !== undefined && isLockTimeout(error) ? MigrationError.notMended(schemaName, error) : error,
      });
    }
  }

  return results;
}

async function mendOne(database: TenantDatabase, finding: Finding): Promise<void> {
  const { schemaName } = finding;

  // these cannot run in a transaction
  if (finding.fix?.some(({ sql }) => sql.includes(' concurrently ')) === true) {
    await (schemaName === undefined || (await isBehindPooler(database))
      ? run(database, finding, undefined)
      : mendOnOneConnection(database, { ...finding, schemaName }));

    return;
  }

  await database.inTransaction(async ctx => {
    await database.execute(`set local lock_timeout to ${LOCK_TIMEOUT_MS}`, [], ctx);

    if (schemaName !== undefined) {
      await lockTenant(database, schemaName, ctx);
    }

    await run(database, finding, ctx);
  });
}

// not waited for: a statement that waits has a snapshot, which what runs concurrently there would wait for
async function mendOnOneConnection(database: TenantDatabase, finding: Finding & { readonly schemaName: string }): Promise<void> {
  const { schemaName } = finding;
  const ddl = database.options.roles?.ddl;

  await database.onOneConnection(async ctx => {
    if (!(await tryLockForSession(database, schemaName, ctx))) {
      throw MigrationError.notMended(schemaName);
    }

    const release = async (): Promise<void> => {
      await (ddl === undefined ? undefined : database.execute('reset role', [], ctx).catch(() => database.closeAfterUse(ctx)));
      await unlockForSession(database, schemaName, ctx);
    };

    try {
      await (ddl === undefined ? undefined : database.execute(`set role ${quoteIdentifier(ddl)}`, [], ctx));
      await run(database, finding, ctx);
    } finally {
      // on a lost connection, both are gone
      await release();
    }
  });
}

async function run(database: TenantDatabase, { fix = [] }: Finding, ctx: Transaction | undefined): Promise<void> {
  for (const { sql, params = [] } of fix) {
    await database.execute(sql, params, ctx);
  }
}

/** A tenant that is migrated or used at the moment is left as it is. */
const LOCK_TIMEOUT_MS = 2_000;
