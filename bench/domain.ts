import { TenantMixin, withTenants, type TenantEntityManager, type TenantsOptions } from '@landlord/mikro-orm';
import { defineEntity, type EntitySchema, type MikroORM } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { defineConfig, MikroORM as PostgreSqlOrm } from '@mikro-orm/postgresql';
import { Note, NoteSchema } from './note.ts';

export class Client extends TenantMixin {}
export const ClientSchema = defineEntity({ class: Client, extends: TenantMixin, properties: {} });

export { Note, NoteSchema };

/** The statements of each of the ten migrations: a table with a foreign key to the one before it, and an index. */
export const TEN_MIGRATIONS: readonly (readonly string[])[] = Array.from({ length: 10 }, (_, n) => tableStatements(n));

function tableStatements(n: number): string[] {
  return [
    `create table "item_${n}" ("id" serial primary key, "name" varchar(255) not null, "amount" int not null default 0, "made_at" timestamptz not null default now()${n > 0 ? `, "parent_id" int null references "item_${n - 1}" ("id")` : ''})`,
    `create index "item_${n}_name_index" on "item_${n}" ("name")`,
  ];
}

/** A set of migrations, each with its statements, and the same for MikroORM. */
export interface Workload {
  readonly title: string;
  readonly set: readonly (readonly string[])[];
  /** A further migration, the n-th after these. */
  readonly next: (n: number) => readonly string[];
}

/** Ten tables, ten migrations and twenty statements; as many with 43 statements, as applications have them; and a hundred tables in ten migrations. */
export const WORKLOADS = {
  small: {
    title: '10 tables, 10 migrations, 20 statements',
    set: TEN_MIGRATIONS,
    next: n => [`alter table "item_0" add column "c${n}" int null`, `create index "item_0_c${n}_index" on "item_0" ("c${n}")`],
  },
  users: {
    title: '10 tables, 10 migrations, 43 statements',
    set: TEN_MIGRATIONS.map((statements, n) => [
      ...statements,
      `create index "item_${n}_made_at_index" on "item_${n}" ("made_at")`,
      `alter table "item_${n}" add constraint "item_${n}_amount_check" check ("amount" >= 0)`,
      ...(n % 3 === 0 && n > 0 ? [`insert into "item_${n}" ("name") values ('first')`] : []),
    ]),
    next: n => [
      `alter table "item_1" add column "c${n}" int null`,
      `update "item_1" set "c${n}" = 1`,
      `alter table "item_1" add constraint "item_1_c${n}_foreign" foreign key ("c${n}") references "item_0" ("id") not valid`,
      `create index "item_1_c${n}_index" on "item_1" ("c${n}")`,
    ],
  },
  large: {
    title: '100 tables, 10 migrations, 200 statements',
    set: TEN_MIGRATIONS.map((_, n) => Array.from({ length: 10 }, (_each, m) => tableStatements(n * 10 + m)).flat()),
    next: n => [`alter table "item_99" add column "c${n}" int null`],
  },
} satisfies Record<string, Workload>;

export function migrationsOf({ set }: Workload): MigrationEntry[] {
  return set.map((statements, n) => migrationOf(`Migration${n}`, statements));
}

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

/** An ORM on the database, with the public table created. Migrations may be added to the list while it is open. */
export async function openOrm(
  url: string,
  migrationsList: MigrationEntry[],
  poolSize = 10,
  options: Partial<TenantsOptions<Client>> = {},
  entities: readonly EntitySchema<any>[] = [],
): Promise<BenchOrm> {
  const orm = await PostgreSqlOrm.init(
    withTenants(
      defineConfig({
        entities: [ClientSchema, NoteSchema, ...entities],
        clientUrl: url,
        pool: { max: poolSize },
        migrations: { path: './none' },
      }),
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
