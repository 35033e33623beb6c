import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { quoteIdentifier } from '../../postgres/schema-name.js';
import type { RunNotice } from './run-types.js';

/**
 * What has to be done before a statement with `concurrently`. Such a statement waits until every older snapshot is gone, which a dump can keep
 * for hours. It holds up nobody meanwhile, so the lock time-out is not for it. And an index that an earlier attempt has left invalid is dropped,
 * because its name is taken.
 *
 * https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
 */
export class ConcurrentStatements {
  readonly #database: TenantDatabase;
  readonly #options: ConcurrentOptions;
  #waits = false;

  constructor(database: TenantDatabase, options: ConcurrentOptions) {
    this.#database = database;
    this.#options = options;
  }

  async before(sql: string): Promise<void> {
    const { ctx, lockTimeoutMs } = this.#options;
    const waits = CONCURRENT.test(withoutComments(sql));

    if (waits !== this.#waits) {
      await this.#database.execute(`set lock_timeout to ${waits ? 0 : lockTimeoutMs}`, [], ctx);
      this.#waits = waits;
    }

    const index = waits ? nameOfNewIndex(withoutComments(sql)) : undefined;

    if (index !== undefined && (await this.#isInvalid(index))) {
      const { schemaName, notify } = this.#options;
      // on Citus, the index of a failed attempt may be on the nodes alone
      await this.#database.execute(`drop index concurrently if exists ${quoteIdentifier(schemaName)}.${quoteIdentifier(index)}`, [], ctx);
      notify({ kind: 'rebuilt', schemaName, index });
    }
  }

  // one that is just being built is invalid too
  async #isInvalid(index: string): Promise<boolean> {
    const found = await this.#database.execute(
      'select from pg_index i join pg_class c on c.oid = i.indexrelid where not i.indisvalid and c.relname = ? and c.relnamespace = to_regnamespace(?) ' +
        'and not exists (select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid)',
      [index, quoteIdentifier(this.#options.schemaName)],
      this.#options.ctx,
    );

    return found.length > 0;
  }
}

interface ConcurrentOptions {
  readonly schemaName: string;
  readonly ctx: Transaction;
  readonly lockTimeoutMs: number;
  readonly notify: (notice: RunNotice) => void;
}

/** The name that the statement gives to an index. Undefined if PostgreSQL chooses it, which is then a free one. */
function nameOfNewIndex(sql: string): string | undefined {
  const { quoted, plain } = NEW_INDEX.exec(sql)?.groups ?? {};

  return quoted?.replaceAll('""', '"') ?? plain?.toLowerCase();
}

function withoutComments(sql: string): string {
  return sql.replace(/--[^\n]*|\/\*[\s\S]*?\*\//g, ' ');
}

const CONCURRENT =
  /^\s*(?:(?:create\s+(?:unique\s+)?index|drop\s+index)\s+concurrently\b|reindex\b[^;]*\bconcurrently\b|alter\s+table\b[^;]*\bdetach\s+partition\b[^;]*\bconcurrently\b)/i;

const NEW_INDEX =
  /^\s*create\s+(?:unique\s+)?index\s+concurrently\s+(?:if\s+not\s+exists\s+)?(?!on\b)(?:"(?<quoted>(?:[^"]|"")+)"|(?<plain>[\p{L}_][\p{L}\d_$]*))/iu;
