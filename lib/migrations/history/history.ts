import type { Transaction } from '@mikro-orm/core';
import { quoteTable } from '../../postgres/schema-name.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { historyTableName } from '../set/migration-set.js';

/** A migration that is recorded in a schema's history. */
export interface ExecutedMigration {
  readonly name: string;
  readonly executedAt: Date;
}

/** The history table in a tenant's schema. It has MikroORM's own layout, so that MikroORM's tools can read it. */
export class History {
  /** The quoted name of the table, with its schema. */
  readonly table: string;
  readonly #database: TenantDatabase;

  constructor(database: TenantDatabase, schemaName: string) {
    this.#database = database;
    this.table = quoteTable(schemaName, historyTableName(database));
  }

  /** The executed migrations, oldest first. Empty if there is no history table yet. */
  async executed(ctx?: Transaction): Promise<ExecutedMigration[]> {
    const [found] = await this.#database.execute<{ there: boolean }>('select to_regclass(?) is not null as there', [this.table], ctx);

    return found?.there === true ? this.read(ctx) : [];
  }

  /** The executed migrations of an existing history table. */
  async read(ctx?: Transaction): Promise<ExecutedMigration[]> {
    const rows = await this.#database.execute<{ name: string; executed_at: Date | string }>(
      `select name, executed_at from ${this.table} order by id`,
      [],
      ctx,
    );

    return rows.map(row => ({ name: row.name.replace(/\.[jt]s$/, ''), executedAt: new Date(row.executed_at) }));
  }

  createTableSql(): string {
    return (
      `create table if not exists ${this.table} ("id" serial primary key, "name" varchar(255) not null, ` +
      `"executed_at" timestamptz not null default current_timestamp)`
    );
  }

  addSql(name: string): string {
    return `insert into ${this.table} (name) values (${this.#literal(name)})`;
  }

  removeSql(...names: readonly string[]): string {
    return `delete from ${this.table} where ${this.#isOneOf(names)}`;
  }

  /** Gives the latest of the old entries the new name, and removes the others. */
  replaceSql(old: readonly string[], name: string): string[] {
    const isOld = this.#isOneOf(old);

    return [
      `update ${this.table} set name = ${this.#literal(name)} where id = (select max(id) from ${this.table} where ${isOld})`,
      this.removeSql(...old),
    ];
  }

  // MikroORM has recorded names with the ending of their file in former versions
  #isOneOf(names: readonly string[]): string {
    const all = names.flatMap(name => [name, `${name}.js`, `${name}.ts`]);

    return `name in (${all.map(name => this.#literal(name)).join(', ')})`;
  }

  // not a parameter: a statement with parameters cannot be sent in one message with others
  #literal(value: string): string {
    return this.#database.orm.em.getPlatform().quoteValue(value);
  }
}
