import type { Transaction } from '@mikro-orm/core';
import { MigrationError } from '../../errors/index.js';
import { connectionWasLost, isWorthRetrying } from '../../postgres/sql-state.js';
import type { TenantDatabase } from '../../database/tenant-database.js';

/** A statement, and the migration it is of; the library's own have none. */
interface Statement {
  readonly sql: string;
  readonly migration: string | undefined;
}

/**
 * Statements of one transaction, collected and sent in as few messages as the database takes: all in one where it takes several
 * commands in a message, else one by one. What runs before them has to `send()` them first.
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
   * In one message. An error does not say which command it is of, so what failed is rolled back and sent again one by one: the
   * failure is then found where it is, or was a passing one.
   */
  async #sendTogether(statements: readonly Statement[]): Promise<void> {
    const script = scriptFrom([...statements.map(({ sql }) => sql), `release savepoint ${SAVEPOINT}`]);
    // a message of its own: of one that does not parse, nothing runs
    await this.#execute(`savepoint ${SAVEPOINT}`);

    try {
      await this.#execute(script);
    } catch (error) {
      if (connectionWasLost(error) || isWorthRetrying(error)) {
        throw MigrationError.failed(lastMigration(statements), this.#schemaName, error);
      }

      await this.#execute(`rollback to savepoint ${SAVEPOINT}`);
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

/** Statements as one message. Each ends on a line of its own, as a comment at its end would take the semicolon along. */
export function scriptFrom(statements: readonly string[]): string {
  return statements.map(sql => sql.replace(/;\s*$/, '')).join('\n;\n');
}

function lastMigration(statements: readonly Statement[]): string {
  return statements.findLast(({ migration }) => migration !== undefined)?.migration ?? '';
}

const SAVEPOINT = 'landlord_script';
