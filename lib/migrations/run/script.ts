import type { Transaction } from '@mikro-orm/core';
import { addHint } from '../../errors/hint-of.js';
import { MigrationError, TenantNodeUnavailableError } from '../../errors/index.js';
import { connectionWasLost, isConflict, isLockTimeout } from '../../postgres/sql-state.js';
import { fitsBlock, StatementBlock } from '../../postgres/statement-block.js';
import { splitStatements } from '../../postgres/transaction-statements.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { shardsTenants } from '../../tenant/citus-options.js';
import { remedyFor } from '../set/citus/lint.js';

/**
 * How statements are sent. `message`: several in one, as fast as can be. `block`: in a `do`, whose error tells which one failed; a time-out of the
 * server is for all of them. `singly`: each on its own, with a time-out for each.
 */
export type Way = 'message' | 'block' | 'singly';

/** A statement and its migration. Statements of the library have no migration. */
interface Statement {
  readonly sql: string;
  readonly migration: string | undefined;
}

/**
 * Collects the statements of one transaction and sends them in as few messages as possible: all at once if the database takes several
 * commands at once, otherwise one by one. Call `send()` before any other statement that has to run after them.
 */
export class Script {
  readonly #database: TenantDatabase;
  readonly #schemaName: string;
  readonly #ctx: Transaction;
  readonly #way: Way;
  #statements: Statement[] = [];
  #ownFailure: unknown;
  #hasSavepoint: boolean;

  constructor(
    database: TenantDatabase,
    schemaName: string,
    { ctx, way, hasSavepoint = false }: { readonly ctx: Transaction; readonly way: Way; readonly hasSavepoint?: boolean | undefined },
  ) {
    this.#database = database;
    this.#schemaName = schemaName;
    this.#ctx = ctx;
    this.#way = way;
    this.#hasSavepoint = hasSavepoint;
  }

  /** Whether the error is of a statement that is none of a migration's. */
  isOwnFailure(error: unknown): boolean {
    return error !== undefined && error === this.#ownFailure;
  }

  get isEmpty(): boolean {
    return this.#statements.length === 0;
  }

  add(sql: string, migration?: string): void {
    this.#statements.push({ sql, migration });
  }

  /** @throws MigrationError `MIGRATION_FAILED` with the migration and the statement, or the error of a statement that is none of a migration's. */
  async send(): Promise<void> {
    try {
      await this.#send();
    } catch (error) {
      this.#ownFailure = error instanceof MigrationError ? undefined : error;
      throw error;
    }
  }

  async #send(): Promise<void> {
    const statements = this.#statements;
    this.#statements = [];
    const isTogether = this.#way !== 'singly' && statements.length > 1;

    if (this.#hasSavepoint && (!isTogether || this.#way !== 'message')) {
      await this.#execute(`release savepoint ${NAME}`);
      this.#hasSavepoint = false;
    }

    if (!isTogether || !(await this.#database.engine.takesScripts(this.#ctx))) {
      await this.#sendSingly(statements);
    } else if (this.#way === 'message') {
      await this.#sendAsMessage(statements);
    } else {
      await this.#sendAsBlock(statements);
    }
  }

  /** If the message fails, what it did is taken back, and the statements are sent again in a way that tells which one failed. */
  async #sendAsMessage(statements: readonly Statement[]): Promise<void> {
    const script = scriptFrom([...statements.map(({ sql }) => sql), `release savepoint ${NAME}`]);
    // a separate message, because nothing runs of a message that does not parse
    await (this.#hasSavepoint ? undefined : this.#execute(SAVEPOINT));
    this.#hasSavepoint = false;

    try {
      await this.#execute(script);
    } catch (error) {
      if (connectionWasLost(error) || isConflict(error)) {
        throw failureOf(statements, undefined, this.#schemaName, error);
      }

      await this.#execute(`rollback to savepoint ${NAME}`);
      // inside a savepoint, PostgreSQL would not let a value be used that was added to an enum of the same transaction
      await this.#execute(`release savepoint ${NAME}`);
      await (isLockTimeout(error) ? this.#sendWithoutWaiting(statements) : this.#sendAsBlock(statements));
    }
  }

  /** Only to find the statement: it has been waited for the lock, and whoever uses the table waits behind. */
  async #sendWithoutWaiting(statements: readonly Statement[]): Promise<void> {
    await this.#execute(HARDLY_WAIT);
    await this.#sendAsBlock(statements);
    await this.#execute(WAIT_AGAIN);
  }

  async #sendAsBlock(statements: readonly Statement[]): Promise<void> {
    if (!statements.every(({ sql }) => fitsBlock(sql))) {
      return this.#sendSingly(statements);
    }

    const block = new StatementBlock();
    statements.forEach(({ sql }) => block.execute(sql));

    try {
      await this.#execute(block.sql);
    } catch (error) {
      throw failureOf(statements, block, this.#schemaName, error);
    }
  }

  async #sendSingly(statements: readonly Statement[]): Promise<void> {
    // Citus refuses some messages of several statements, on its nodes alone
    const isCitus = (await this.#database.engine.citus(this.#ctx)) !== undefined;

    for (const { sql, migration } of isCitus ? statements.flatMap(splitOf) : statements) {
      try {
        await this.#execute(sql);
      } catch (error) {
        const remedy = isCitus ? remedyFor(sql, { isSharded: shardsTenants(this.#database.options.citus) }) : undefined;

        if (remedy !== undefined) {
          addHint(error, remedy);
        }

        throw migration === undefined || error instanceof TenantNodeUnavailableError
          ? error
          : MigrationError.failed(migration, this.#schemaName, error, sql);
      }
    }
  }

  async #execute(sql: string): Promise<void> {
    await this.#database.orm.em.getDriver().execute(sql, [], 'run', this.#ctx);
  }
}

/** The error of a block of statements, with the statement that failed. One that is none of a migration's keeps its own error. */
function failureOf(statements: readonly Statement[], block: StatementBlock | undefined, schemaName: string, error: unknown): unknown {
  const failed = statements[block?.failedAt(error) ?? -1];

  if (failed !== undefined) {
    return failed.migration === undefined ? error : MigrationError.failed(failed.migration, schemaName, error, failed.sql);
  }

  // such as at the commit, or where the connection was lost
  const last = statements.findLast(({ migration }) => migration !== undefined)?.migration;

  return last === undefined ? error : MigrationError.failed(last, schemaName, error);
}

function splitOf({ sql, migration }: Statement): readonly Statement[] {
  return splitStatements(sql).map(each => ({ sql: each, migration }));
}

/** Joins statements to one message. The semicolon goes on its own line, because a statement may end with a comment. */
export function scriptFrom(statements: readonly string[]): string {
  return statements.map(sql => sql.replace(/;\s*$/, '')).join('\n;\n');
}

const NAME = 'landlord_script';

/** The savepoint to which a message is taken back that fails. */
export const SAVEPOINT = `savepoint ${NAME}`;

const HARDLY_WAIT = `select set_config('landlord.lock_timeout', current_setting('lock_timeout'), true), set_config('lock_timeout', '50', true)`;

const WAIT_AGAIN = `select set_config('lock_timeout', current_setting('landlord.lock_timeout'), true)`;
