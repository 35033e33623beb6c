import type { Transaction } from '@mikro-orm/core';
import { MigrationError } from '../../errors/index.js';
import { fitsBlock, StatementBlock } from '../../postgres/statement-block.js';
import type { TenantDatabase } from '../../database/tenant-database.js';

/** A statement and its migration. Statements of the library have no migration. */
export interface Statement {
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
  readonly #singly: boolean;
  #statements: Statement[] = [];
  #ownFailure: unknown;

  /** @param singly Whether each statement is sent on its own, so that a time-out of the server is for each. */
  constructor(database: TenantDatabase, schemaName: string, ctx: Transaction, { singly = false }: { readonly singly?: boolean } = {}) {
    this.#database = database;
    this.#schemaName = schemaName;
    this.#ctx = ctx;
    this.#singly = singly;
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
    const isTogether = !this.#singly && statements.length > 1 && statements.every(({ sql }) => fitsBlock(sql));

    if (isTogether && (await this.#database.engine.takesScripts(this.#ctx))) {
      await this.#sendTogether(statements);
    } else {
      await this.#sendSingly(statements);
    }
  }

  async #sendTogether(statements: readonly Statement[]): Promise<void> {
    const block = new StatementBlock();
    statements.forEach(({ sql }) => block.execute(sql));

    try {
      await this.#execute(block.sql);
    } catch (error) {
      throw failureOf(statements, block, this.#schemaName, error);
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

/** The error of a block of statements, with the statement that failed. One that is none of a migration's keeps its own error. */
export function failureOf(statements: readonly Statement[], block: StatementBlock, schemaName: string, error: unknown): unknown {
  const failed = statements[block.failedAt(error) ?? -1];

  if (failed !== undefined) {
    return failed.migration === undefined ? error : MigrationError.failed(failed.migration, schemaName, error, failed.sql);
  }

  // such as at the commit, or where the connection was lost
  const last = statements.findLast(({ migration }) => migration !== undefined)?.migration;

  return last === undefined ? error : MigrationError.failed(last, schemaName, error);
}

/** Joins statements to one message. The semicolon goes on its own line, because a statement may end with a comment. */
export function scriptFrom(statements: readonly string[]): string {
  return statements.map(sql => sql.replace(/;\s*$/, '')).join('\n;\n');
}
