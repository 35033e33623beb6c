import { TenantMixin, tenants } from '@landlord/mikro-orm';
import { defineEntity, p, Type } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import type { SpecDatabase } from '../databases/database.ts';
import { openOrm, type OrmConfig, type SpecOrm } from './open-orm.ts';

export class Money {
  readonly cents: number;

  constructor(cents: number) {
    this.cents = cents;
  }
}

class MoneyType extends Type<Money | null, number | null> {
  override convertToDatabaseValue(value: Money | null): number | null {
    return value instanceof Money ? value.cents : value;
  }

  override convertToJSValue(value: number | null): Money | null {
    return value === null ? null : new Money(Number(value));
  }

  override getColumnType(): string {
    return 'int';
  }
}

export class Shop extends TenantMixin {
  region!: string;
}

const ShopSchema = defineEntity({ class: Shop, extends: TenantMixin, properties: { region: p.string() } });

const PlaceSchema = defineEntity({
  name: 'Place',
  embeddable: true,
  properties: { city: p.string().nullable(), zip: p.string().nullable() },
});

const WriterSchema = defineEntity({
  name: 'Writer',
  schema: '*',
  properties: { id: p.integer().primary(), name: p.string(), entries: () => p.oneToMany(Entry).mappedBy('writer') },
});

export class Writer extends WriterSchema.class {}
WriterSchema.setClass(Writer);

const EntrySchema = defineEntity({
  name: 'Entry',
  schema: '*',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    note: p.string().nullable(),
    price: p.type(MoneyType).nullable(),
    amount: p.decimal().precision(20).scale(4).nullable(),
    visits: p.bigint('bigint'),
    madeOn: p.date().nullable(),
    seenAt: p.datetime().nullable(),
    tags: p.array(),
    data: p.json<{ readonly n: number }>().nullable(),
    mood: p.enum(['calm', 'angry']).nativeEnumName('mood').nullable(),
    isGone: p.boolean().default(false),
    secret: p.string().lazy().nullable(),
    shouted: p.string().formula(columns => `upper(${columns.title})`),
    place: () => p.embedded(PlaceSchema),
    writer: () => p.manyToOne(Writer),
  },
  filters: { there: { name: 'there', cond: { isGone: false }, default: true } },
});

/** A tenant entity with columns of many types. */
export class Entry extends EntrySchema.class {}
EntrySchema.setClass(Entry);

class CreateEntries extends Migration {
  override up(): void {
    this.addSql(`create type "mood" as enum ('calm', 'angry')`);
    this.addSql('create table "writer" ("id" serial primary key, "name" varchar(255) not null)');
    this.addSql(
      `create table "entry" ("id" serial primary key, "title" varchar(255) not null, "note" varchar(255) null collate "C", "price" int null, ` +
        `"amount" numeric(20,4) null, "visits" bigint not null, "made_on" date null, "seen_at" timestamptz(6) null, "tags" text[] not null, ` +
        `"data" jsonb null, "mood" "mood" null, "is_gone" boolean not null default false, "secret" varchar(255) null, "place_city" varchar(255) null, "place_zip" varchar(255) null, ` +
        `"writer_id" int not null references "writer" ("id"))`,
    );
  }
}

/** Shops whose rows have the same keys, and one table with all rows, which says what a report has to be. */
export async function openLedger(database: SpecDatabase, names: readonly string[], config: OrmConfig = {}): Promise<SpecOrm> {
  const orm = await openOrm(
    database,
    { tenant: Shop, migrations: { migrationsList: [CreateEntries] } },
    { entities: [ShopSchema, PlaceSchema, WriterSchema, EntrySchema], ...config },
  );
  await orm.schema.create();

  for (const [index, schemaName] of names.entries()) {
    await tenants<Shop>(orm).create({
      schemaName,
      domainUrl: `${schemaName.replaceAll('_', '-')}.example.com`,
      region: index % 2 === 0 ? 'north' : 'south',
    });
    await database.query(`insert into "${schemaName}".writer (name) values ('Ann of ${schemaName}'), ('Bea')`);
  }

  return orm;
}

/** The rows of all tenants in one table of the public schema. */
export async function gather(database: SpecDatabase, names: readonly string[]): Promise<void> {
  const of = (name: string): string =>
    `select '${name}'::text as tenant, id, title, note, price, amount, visits, made_on, seen_at, is_gone, mood::text as mood from "${name}".entry`;
  await database.query(`create table public.everything as ${names.map(of).join(' union all ')}`);
}
