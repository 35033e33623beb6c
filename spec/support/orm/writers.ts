import { TenantMixin } from '@landlord/mikro-orm';
import { Collection, defineEntity, p, type EventSubscriber, type Ref } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import type { SpecDatabase } from '../databases/database.ts';
import { openOrm, type SpecOrm } from './open-orm.ts';

/** Tenant entities with every kind of writable relation. */
export class Writer {
  id!: number;
  name!: string;
  volumes = new Collection<Volume>(this);
  essays = new Collection<Essay>(this);
  portrait?: Portrait | null;
}

/** The owner of a one-to-one relation, and the end of one that is deleted with its writer. */
export class Portrait {
  id!: number;
  text!: string;
  sitter?: Writer | null;
  painter?: Ref<Writer> | null;
}

export class Imprint {
  city?: string;
  editor?: Writer | null;
}

export class Volume {
  id!: number;
  title!: string;
  writer!: Writer;
  translator?: Ref<Writer> | null;
  imprint?: Imprint | null;
  notes?: Imprint[] | null;
  extra?: unknown;
  labels = new Collection<Label>(this);
}

export class Label {
  id!: number;
  name!: string;
  volumes = new Collection<Volume>(this);
}

/** Deleted when it is removed from its writer. */
export class Essay {
  id!: number;
  writer?: Writer | null;
}

/** Keyed by the writer that it is with. */
export class Contract {
  writer!: Writer;
  terms!: string;
}

class Patron extends TenantMixin {
  name?: string;
}

defineEntity({ class: Patron, extends: TenantMixin, properties: { name: p.string().nullable() } });

defineEntity({
  class: Writer,
  tableName: 'writer',
  schema: '*',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    volumes: () => p.oneToMany(Volume).mappedBy('writer'),
    essays: () => p.oneToMany(Essay).mappedBy('writer').orphanRemoval(),
    portrait: () => p.oneToOne(Portrait).mappedBy('sitter').nullable(),
  },
});

defineEntity({
  class: Portrait,
  tableName: 'portrait',
  schema: '*',
  properties: {
    id: p.integer().primary(),
    text: p.string(),
    sitter: () => p.oneToOne(Writer).inversedBy('portrait').owner().nullable(),
    // no inverse side and no cascade, so nothing adds it to a flush
    painter: () => p.oneToOne(Writer).owner().ref().nullable().cascade(),
  },
});

defineEntity({
  class: Imprint,
  embeddable: true,
  properties: { city: p.string().nullable(), editor: () => p.manyToOne(Writer).nullable() },
});

defineEntity({
  class: Volume,
  tableName: 'volume',
  schema: '*',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    writer: () => p.manyToOne(Writer).inversedBy('volumes'),
    // no cascade, so nothing adds it to a flush
    translator: () => p.manyToOne(Writer).ref().nullable().cascade(),
    imprint: () => p.embedded(Imprint).nullable(),
    notes: () => p.embedded(Imprint).array().nullable(),
    extra: p.json().nullable(),
    labels: () => p.manyToMany(Label).inversedBy('volumes').pivotTable('volume_labels'),
  },
});

defineEntity({
  class: Label,
  tableName: 'label',
  schema: '*',
  properties: { id: p.integer().primary(), name: p.string(), volumes: () => p.manyToMany(Volume).mappedBy('labels') },
});

defineEntity({
  class: Essay,
  tableName: 'essay',
  schema: '*',
  properties: { id: p.integer().primary(), writer: () => p.manyToOne(Writer).inversedBy('essays').nullable() },
});

defineEntity({
  class: Contract,
  tableName: 'contract',
  schema: '*',
  properties: { writer: () => p.oneToOne(Writer).primary(), terms: p.string() },
});

/**
 * The tenants acme and bob. Their rows have the same keys, and names that show the tenant. The public schema has tables with the same names.
 */
export async function openWriters(database: SpecDatabase, subscribers: EventSubscriber<any>[] = []): Promise<SpecOrm> {
  const orm = await openOrm(
    database,
    { tenant: Patron, migrations: { migrationsList: [{ name: 'tables', class: Tables }] } },
    { entities: [Patron, Writer, Portrait, Imprint, Volume, Label, Essay, Contract], subscribers },
  );
  await orm.schema.create();
  await orm.em
    .fork()
    .persistAndFlush(['acme', 'bob'].map(schemaName => new Patron({ schemaName, domainUrl: `${schemaName}.example.com` })));

  for (const name of ['acme', 'bob']) {
    await database.query(`insert into ${name}.writer values (1, '${name} writer 1'), (2, '${name} writer 2'), (3, '${name} writer 3')`);
    await database.query(
      `insert into ${name}.portrait (id, text, sitter_id) values (1, '${name} portrait 1', 1), (2, '${name} portrait 2', null)`,
    );
    await database.query(
      `insert into ${name}.volume (id, title, writer_id, imprint_editor_id) values (1, '${name} volume 1', 1, 1), (2, '${name} volume 2', 2, null)`,
    );
    await database.query(`insert into ${name}.label values (1, '${name} label 1'), (2, '${name} label 2')`);
    await database.query(`insert into ${name}.volume_labels values (1, 1)`);
    await database.query(`insert into ${name}.essay values (1, 1), (2, null)`);
    await database.query(`insert into ${name}.contract values (1, '${name} contract 1'), (2, '${name} contract 2')`);
  }

  for (const table of WRITERS_TABLES) {
    await database.query(`create table public.${table} as select * from acme.${table}`);
  }

  database.statements.length = 0;

  return orm;
}

/** The contents of the tenants' schemas and the public schema, to compare them. */
export async function everyRow(database: SpecDatabase): Promise<unknown> {
  const tables = ['acme', 'bob', 'public'].flatMap(schemaName => WRITERS_TABLES.map(table => `${schemaName}.${table}`));
  const [rows] = await database.query(
    `select ${tables.map(table => `(select json_agg(t order by t::text) from ${table} t) as "${table}"`).join(', ')}`,
  );

  return rows;
}

const WRITERS_TABLES = ['writer', 'portrait', 'volume', 'label', 'volume_labels', 'essay', 'contract'] as const;

class Tables extends Migration {
  override up(): void {
    this.addSql('create table "writer" ("id" int primary key, "name" text not null)');
    this.addSql(
      'create table "portrait" ("id" int primary key, "text" text not null, "sitter_id" int unique references "writer", "painter_id" int unique references "writer")',
    );
    this.addSql(
      'create table "volume" ("id" int primary key, "title" text not null, "writer_id" int not null references "writer", "translator_id" int references "writer", ' +
        '"imprint_city" text, "imprint_editor_id" int references "writer", "notes" jsonb, "extra" jsonb)',
    );
    this.addSql('create table "label" ("id" int primary key, "name" text not null)');
    this.addSql(
      'create table "volume_labels" ("volume_id" int references "volume", "label_id" int references "label", primary key ("volume_id", "label_id"))',
    );
    this.addSql('create table "essay" ("id" int primary key, "writer_id" int references "writer")');
    this.addSql('create table "contract" ("writer_id" int primary key references "writer", "terms" text not null)');
  }
}
