import type { Transaction } from '@mikro-orm/core';
import { MigrationError } from '../../errors/index.js';
import { connectionWasLost, isWorthRetrying } from '../../postgres/sql-state.js';
import type { TenantDatabase } from '../../database/tenant-database.js';

/** A statement and its migration. Statements of the library have no migration. */
interface Statement {
  readonly sql: string;
  readonly migration: string | undefined;
}

/**
 * Collects the statements of one transaction and sends them in as few messages as possible: all in one message if the database accepts
 * several commands in a message, otherwise one by one. Call `send()` before any other statement that has to run after them.
 */
export class Script {
  readonly #database: TenantDatabase;
  readonly #schemaName: string;
  readonly #ctx: Transaction;
  #statements: Statement[] = [];

  constructor(database: TenantDatabase, schemaName: string, ctx: Transaction) {
    this.#database = database;
    this.#schemaName = schemaName;
    this.#ctx = ctx;
  }

  get isEmpty(): boolean {
    return this.#statements.length === 0;
  }

  add(sql: string, migration?: string): void {
    this.#statements.push({ sql, migration });
  }

  /** @throws MigrationError `MIGRATION_FAILED` with the migration and the statement. */
  async send(): Promise<void> {
    const statements = this.#statements;
    this.#statements = [];

    if (statements.length > 1 && (await this.#database.engine.takesScripts(this.#ctx))) {
      await this.#sendTogether(statements);
    } else {
      await this.#sendSingly(statements);
    }
  }

  /**
   * Sends all statements in one message. An error does not say which command failed. So the message is rolled back and its statements are
   * sent again one by one. Then the failing statement is known, or the failure was temporary.
   */
  async #sendTogether(statements: readonly Statement[]): Promise<void> {
    const script = scriptFrom([...statements.map(({ sql }) => sql), `release savepoint ${SAVEPOINT}`]);
    // a separate message, because nothing runs of a message that does not parse
    await this.#execute(`savepoint ${SAVEPOINT}`);

    try {
      await this.#execute(script);
    } catch (error) {
      if (connectionWasLost(error) || isWorthRetrying(error)) {
        throw MigrationError.failed(lastMigration(statements), this.#schemaName, error);
      }

      await this.#execute(`rollback to savepoint ${SAVEPOINT}`);
      // inside a savepoint, PostgreSQL would not let a value be used that was added to an enum of the same transaction
      await this.#execute(`release savepoint ${SAVEPOINT}`);
      await this.#sendSingly(statements);
    }
  }

  async #sendSingly(statements: readonly Statement[]): Promise<void> {
    for (const { sql, migration } of statements) {
      try {
        await this.#execute(sql);
      } catch (error) {
        throw migration === undefined ? error : MigrationError.failed(migration, this.#schemaName, error, sql);
      }
    }
  }

  async #execute(sql: string): Promise<void> {
    await this.#database.orm.em.getDriver().execute(sql, [], 'run', this.#ctx);
  }
}

/** Joins statements to one message. The semicolon goes on its own line, because a statement may end with a comment. */
export function scriptFrom(statements: readonly string[]): string {
  return statements.map(sql => sql.replace(/;\s*$/, '')).join('\n;\n');
}

function lastMigration(statements: readonly Statement[]): string {
  return statements.findLast(({ migration }) => migration !== undefined)?.migration ?? '';
}

const SAVEPOINT = 'landlord_script';
