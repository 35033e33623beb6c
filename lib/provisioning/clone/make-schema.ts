import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { CloneError } from '../../errors/index.js';
import { ALLOW_TRIGGERS } from '../../migrations/set/citus/citus-sql.js';
import { isOfNode } from '../../postgres/citus-errors.js';
import { isNotSupported } from '../../postgres/sql-state.js';
import { searchPathOf } from '../../postgres/schema-name.js';
import { forCitus } from './for-citus.js';
import { made } from './rows.js';

/** Runs statements that name the objects of a schema without it. Where the database takes scripts, many of them are one message. */
export class MakeSchema {
  readonly #database: TenantDatabase;
  readonly #schemaName: string;
  readonly #ctx: Transaction;

  constructor(database: TenantDatabase, schemaName: string, ctx: Transaction) {
    this.#database = database;
    this.#schemaName = schemaName;
    this.#ctx = ctx;
  }

  /** Sets what the statements rely on, for the rest of the transaction. */
  async begin(): Promise<void> {
    // triggers come after the rows
    await ((await this.#database.engine.citus(this.#ctx)) === undefined ? undefined : this.#execute(ALLOW_TRIGGERS));
    await this.run([
      `set local search_path to ${searchPathOf(this.#schemaName)}`,
      // a function may be made before what its body names
      'set local check_function_bodies to off',
      // a policy would leave rows out without a word; this way it is an error
      'set local row_security to off',
      // the texts of values are read again
      'set local datestyle to iso',
      'set local intervalstyle to postgres',
      'set local extra_float_digits to 1',
    ]);
  }

  /** Puts back what `begin` has set: others may go on in the transaction, and triggers may run when it is committed. */
  async end(): Promise<void> {
    await this.run(
      ['search_path', 'check_function_bodies', 'row_security', 'datestyle', 'intervalstyle', 'extra_float_digits'].map(
        name => `set local ${name} to default`,
      ),
    );
  }

  async run(statements: readonly string[]): Promise<void> {
    if (statements.length > 1 && (await this.#database.engine.takesScripts(this.#ctx))) {
      for (let start = 0; start < statements.length; start += STATEMENTS_AT_ONCE) {
        await this.#execute(statements.slice(start, start + STATEMENTS_AT_ONCE).join(';\n'));
      }

      return;
    }

    const isCitus = (await this.#database.engine.citus(this.#ctx)) !== undefined;

    for (const statement of isCitus ? forCitus(statements) : statements) {
      await this.#execute(statement);
    }
  }

  async #execute(sql: string): Promise<void> {
    try {
      await this.#database.execute(made(sql), [], this.#ctx);
    } catch (error) {
      const isCitus = (await this.#database.engine.citus(this.#ctx)) !== undefined;
      throw isCitus && !isOfNode(error) && isNotSupported(error) ? CloneError.refusedByCitus(this.#schemaName, sql, error) : error;
    }
  }
}

const STATEMENTS_AT_ONCE = 100;
