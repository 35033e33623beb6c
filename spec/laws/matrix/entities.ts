import { defineEntity, p, Routine } from '@mikro-orm/core';
import { Author } from '../../../fixtures/entities/index.ts';
import type { SpecDatabase } from '../../support/databases/database.ts';
import { TABLES } from '../../support/orm/twins.ts';
import { LIBRARY_ENTITIES } from '../../support/orm/library-orm.ts';

/** Entities with features that the lending library lacks: a lazy scalar, a relation that is a reference, and a property that only a query fills. */
const MemoSchema = defineEntity({
  name: 'Memo',
  schema: '*',
  properties: {
    id: p.integer().primary(),
    text: p.string().lazy().ref(),
    author: () => p.manyToOne(Author).ref(),
    authors: p.integer().persist(false).nullable(),
  },
});

export class Memo extends MemoSchema.class {}
MemoSchema.setClass(Memo);

const DigestSchema = defineEntity({
  name: 'Digest',
  schema: '*',
  view: { materialized: true },
  expression: 'select id, title from book',
  properties: { id: p.integer().primary(), title: p.string() },
});

export class Digest extends DigestSchema.class {}
DigestSchema.setClass(Digest);

/** A function in the public schema, which reads the table that the path leads to. */
export const SharedRoutine = new Routine({
  name: 'first_title',
  type: 'function',
  params: {},
  returns: { runtimeType: 'string', columnType: 'text' },
  body: 'select title from book order by id limit 1',
});

/** A function in every tenant's schema. */
export const TenantRoutine = new Routine({
  name: 'own_title',
  schema: '*',
  type: 'function',
  params: {},
  returns: { runtimeType: 'string', columnType: 'text' },
  body: 'select title from book order by id limit 1',
});

export const ENTITIES = [...LIBRARY_ENTITIES, Memo, Digest];

/** Creates the additional tables in the tenants' schemas and, as decoys, in the public schema. */
export async function addMatrixTables(database: SpecDatabase): Promise<void> {
  for (const [schema, name] of [
    ['acme', 'acme'],
    ['bob', 'bob'],
    ['public', 'decoy'],
  ] as const) {
    await database.query(`create table ${schema}.memo (id serial primary key, text text not null, author_id int not null)`);
    await database.query(`insert into ${schema}.memo (id, text, author_id) values (1, '${name} memo 1', 1), (2, '${name} memo 2', 2)`);
    await database.query(`select setval('${schema}.memo_id_seq', 100)`);
    await database.query(`create materialized view ${schema}.digest as select id, title from ${schema}.book`);
    await database.query(`create function ${schema}.own_title() returns text language sql as 'select title from book order by id limit 1'`);
  }

  await database.query(`create view public.loan_summary as select member_id, 99 as loans from public.loan`);
  await database.query(`create function public.first_title() returns text language sql as 'select title from book order by id limit 1'`);
}

/** A statement that returns one row with the contents of every schema. */
export function contentsQuery(): string {
  const tables = ['acme', 'bob', 'public'].flatMap(schema => [...TABLES, 'memo'].map(table => `${schema}.${table}`));

  return `select ${tables
    .map(table => `(select jsonb_agg(to_jsonb(t) order by to_jsonb(t)::text)::text from ${table} t) as "${table}"`)
    .join(', ')}`;
}
