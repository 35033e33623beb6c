import { TenantMixin, withTenants, type TenantEntityManager, type TenantsOptions } from '@landlord/mikro-orm';
import { defineEntity, type MikroORM } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { defineConfig, MikroORM as PostgreSqlOrm } from '@mikro-orm/postgresql';
import { Note, NoteSchema } from './note.ts';

export class Client extends TenantMixin {}
export const ClientSchema = defineEntity({ class: Client, extends: TenantMixin, properties: {} });

export { Note, NoteSchema };

/** The statements of each of the ten migrations: a table with a foreign key to the one before it, and an index. */
export const TEN_MIGRATIONS: readonly (readonly string[])[] = Array.from({ length: 10 }, (_, n) => [
  `create table "item_${n}" ("id" serial primary key, "name" varchar(255) not null, "amount" int not null default 0, "made_at" timestamptz not null default now()${n > 0 ? `, "parent_id" int null references "item_${n - 1}" ("id")` : ''})`,
  `create index "item_${n}_name_index" on "item_${n}" ("name")`,
]);

export type BenchOrm = MikroORM<any, TenantEntityManager>;

export type MigrationEntry = { readonly name: string; readonly class: new (...args: any[]) => Migration };

/** A migration that queues these statements. */
export function migrationOf(name: string, statements: readonly string[]): MigrationEntry {
  return {
    name,
    class: class extends Migration {
      override up(): void {
        statements.forEach(sql => this.addSql(sql));
      }
    },
  };
}

export function tenMigrations(): MigrationEntry[] {
  return TEN_MIGRATIONS.map((statements, n) => migrationOf(`Migration${n}`, statements));
}

/** An ORM on the database, with the public table created. Migrations may be added to the list while it is open. */
export async function openOrm(
  url: string,
  migrationsList: MigrationEntry[],
  poolSize = 10,
  options: Partial<TenantsOptions<Client>> = {},
): Promise<BenchOrm> {
  const orm = await PostgreSqlOrm.init(
    withTenants(
      defineConfig({ entities: [ClientSchema, NoteSchema], clientUrl: url, pool: { max: poolSize }, migrations: { path: './none' } }),
      {
        tenant: Client,
        migrations: { migrationsList },
        ...options,
      },
    ),
  );
  await orm.em.execute(`create table if not exists "client" (${CLIENT_COLUMNS})`);

  return orm;
}

/** What creates a tenant without us: its row, its schema, each migration and its record, in one message. */
export function creationScript(
  schemaName: string,
  set: readonly (readonly string[])[],
  names = set.map((_, n) => `Migration${n}`),
): string {
  return [
    'begin',
    `insert into "client" ("domain_url", "schema_name") values ('${schemaName}.example.com', '${schemaName}') returning "id"`,
    `create schema "${schemaName}"`,
    `set local search_path to "${schemaName}"`,
    HISTORY_TABLE,
    ...set.flatMap((statements, n) => [...statements, `insert into "mikro_orm_migrations" ("name") values ('${names[n]}')`]),
    'commit',
  ].join(';\n');
}

/** The history table of a hand-written script. */
export const HISTORY_TABLE =
  'create table "mikro_orm_migrations" ("id" serial primary key, "name" varchar(255) not null, "executed_at" timestamptz not null default current_timestamp)';

const CLIENT_COLUMNS = '"id" serial primary key, "domain_url" varchar(255) not null unique, "schema_name" varchar(63) not null unique';
