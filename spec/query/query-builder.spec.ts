import { runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity, p, raw, sql } from '@mikro-orm/core';
import { QueryBuilder, QueryBuilderHelper } from '@mikro-orm/sql';
import { expect } from 'chai';
import { Author, Book, Loan, Tag } from '../../fixtures/entities/index.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins, schemasIn } from '../support/orm/twins.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { LIBRARY_ENTITIES } from '../support/orm/library-orm.ts';

type Built = { getFormattedQuery(): string };

/** A shared entity that tenants' rows refer to, to start a query from. */
const Topic = defineEntity({
  name: 'Topic',
  properties: { id: p.integer().primary(), name: p.string(), notes: () => p.oneToMany(Note).mappedBy('topic') },
});

const Note = defineEntity({
  name: 'Note',
  schema: '*',
  properties: { id: p.integer().primary(), topic: () => p.manyToOne(Topic), shelf: () => p.manyToOne(Shelf).nullable() },
});

const Shelf = defineEntity({
  name: 'Shelf',
  schema: '*',
  discriminatorColumn: 'kind',
  abstract: true,
  properties: {
    id: p.integer().primary(),
    kind: p.string(),
    notes: () => p.oneToMany(Note).mappedBy('shelf'),
    noteCount: p
      .integer()
      .formula((columns, table) => `(select count(*) from "${table.schema}"."note" where shelf_id = ${columns.id})`)
      .lazy(),
  },
});

const LowShelf = defineEntity({
  name: 'LowShelf',
  extends: Shelf,
  discriminatorValue: 'low',
  properties: { depth: p.integer().nullable() },
});

const Vehicle = defineEntity({
  name: 'Vehicle',
  schema: '*',
  inheritance: 'tpt',
  properties: { id: p.integer().primary(), wheels: p.integer() },
});

const Van = defineEntity({ name: 'Van', extends: Vehicle, properties: { load: p.integer() } });

onDatabasesAndPooler('the query builder', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openTwins(database, {
      entities: [...LIBRARY_ENTITIES, Topic, Note, Shelf, LowShelf, Vehicle, Van],
    });
  });

  it('G1 overrides what MikroORM still has', () => {
    const query = QueryBuilder.prototype as unknown as Record<string, unknown>;
    const helper = QueryBuilderHelper.prototype as unknown as Record<string, unknown>;

    for (const name of [
      'clone',
      'getSchema',
      'createQueryBuilderHelper',
      'getNativeQuery',
      'execute',
      'getResultList',
      'getSingleResult',
      'getCount',
      'stream',
    ]) {
      expect(query[name], name).to.be.a('function');
    }

    for (const name of ['getTableName', 'createJoinExpression']) {
      expect(helper[name], name).to.be.a('function');
    }
  });

  const queries: Readonly<Record<string, (em: TenantEntityManager) => Built>> = {
    select: em => em.qb(Book, 'b').select('*'),
    joins: em => em.qb(Book, 'b').leftJoin('b.author', 'a').leftJoin('b.tags', 't').leftJoin('b.genre', 'g').where({ 't.id': 1 }),
    'auto-joined conditions': em => em.qb(Loan, 'l').where({ book: { tags: { name: 'x' }, genre: { name: 'x' } } }),
    pagination: em => em.qb(Book, 'b').leftJoinAndSelect('b.tags', 't').where({ 't.name': 'x' }).limit(1).offset(1),
    count: em => em.qb(Book, 'b').count('b.id', true).leftJoin('b.tags', 't'),
    'a sub-query in where': em =>
      em.qb(Book, 'b').where({
        author: {
          $in: em
            .qb(Author, 'a')
            .select('a.id')
            .where({ books: { id: 1 } }),
        },
      }),
    'a sub-query in from': em => em.qb(Book, 'x').from(em.qb(Book, 'b').leftJoin('b.author', 'a'), 'x'),
    'a sub-query in a join': em => em.qb(Book, 'b').select('b.id').leftJoin(em.qb(Author, 'a').select('a.id'), 'j', {}),
    'raw SQL in a join': em => em.qb(Book, 'b').select('b.id').leftJoin(raw('select 1 as one'), 'j', {}),
    'a sub-query in select': em =>
      em.qb(Book, 'b').select([
        raw('b.id'),
        em
          .qb(Author, 'a')
          .count('a.id')
          .where({ id: sql.ref('b.author_id') })
          .as('n'),
      ]),
    $some: em => em.qb(Author, 'a').where({ books: { $some: { tags: { $none: { name: 'x' } } } } }),
    $every: em => em.qb(Author, 'a').where({ books: { $every: { genre: { name: 'x' } } } }),
    'update with joins': em =>
      em
        .qb(Book, 'b')
        .update({ title: 'x' })
        .where({ author: { name: 'x' } }),
    'delete with joins': em => em.qb(Book, 'b').delete({ tags: { name: 'x' } }),
    insert: em => em.qb(Tag).insert({ id: 1, name: 'x' }).onConflict('id').merge(),
    clone: em =>
      em
        .qb(Book, 'b')
        .leftJoin('b.tags', 't')
        .clone()
        .where({ author: { name: 'x' } }),
    union: em => em.qb(Book, 'b').select('b.id').union(em.qb(Author, 'a').select('a.id')),
    'from a shared entity into tenants’': em => em.qb(Topic, 't').where({ notes: { shelf: { kind: 'low' } } }),
    'from a shared entity by joins': em => em.qb(Topic, 't').leftJoinAndSelect('t.notes', 'n').leftJoinAndSelect('n.topic', 'u').limit(1),
    '$some from a shared entity': em => em.qb(Topic, 't').where({ notes: { $some: { shelf: { kind: 'low' } } } }),
    '$none from a shared entity': em => em.qb(Topic, 't').where({ notes: { $none: { topic: { name: 'x' } } } }),
    'to a shared entity and back': em => em.qb(Note, 'n').where({ topic: { notes: { id: 1 } } }),
    STI: em => em.qb(LowShelf, 's').where({ notes: { topic: { name: 'x' } } }),
    TPT: em => em.qb(Van, 'v').select('*').where({ wheels: 4 }),
    'TPT from its root': em => em.qb(Vehicle, 'v').select('*').where({ wheels: 4 }),
    formula: em => em.qb(LowShelf, 's').select(['s.id', 's.noteCount']),
  };

  for (const [name, build] of Object.entries(queries)) {
    it(`law 3: "${name}" has the scope's tenant or the public schema on every table`, async () => {
      for (const tenant of ['acme', 'bob']) {
        const text = await runInTenant(tenant, em => build(em).getFormattedQuery());
        const schemas = schemasIn([text]);

        expect(schemas, text).to.include(tenant);
        expect(
          schemas.filter(schema => schema !== tenant && schema !== 'public'),
          text,
        ).to.deep.equal([]);
        expect(text).not.to.match(/"public"\."(author|book|tag|book_tags|loan|note|shelf|vehicle|van)"/);
        expect(text).not.to.match(/"(acme|bob)"\."(genre|topic)"/);
      }
    });

    it(`law 1: "${name}" cannot be built without a tenant`, async () => {
      await refusal(() => build(orm.em.fork()).getFormattedQuery(), 'TENANT_CONTEXT_REQUIRED');
    });
  }

  it('law 3: CTEs keep their names, and the tables in them get their schema', async () => {
    const text = await runInTenant('bob', em =>
      em
        .qb(Book, 'b')
        .with(
          'prolific',
          em
            .qb(Author, 'a')
            .select('a.id')
            .where({ books: { id: 1 } }),
        )
        .where({ id: 1 })
        .getFormattedQuery(),
    );

    expect(text).to.contain('with "prolific" as (select');
    expect(schemasIn([text])).to.deep.equal(['bob']);
  });

  it('law 3: getResultAndCount counts and reads the same tenant', async () => {
    await runInTenant('bob', async em => {
      database.statements.length = 0;
      const [books, count] = await em.qb(Book, 'b').leftJoinAndSelect('b.tags', 't').where({ 't.id': 1 }).limit(1).getResultAndCount();
      expect([books.length, books[0]?.title, count]).to.deep.equal([1, 'bob book 1', 2]);
      expect(schemasIn(database.statements)).to.deep.equal(['bob']);
    });
  });

  it('law 1, law 2: one that is made past every EntityManager reads the tenant of its scope, and is refused without one', async () => {
    const read = async (): Promise<Book[]> => {
      const driver = orm.em.getDriver() as unknown as { createQueryBuilder(entity: typeof Book): QueryBuilder<Book> };

      return driver.createQueryBuilder(Book).select('*').where({ id: 1 }).execute<Book[]>();
    };

    for (const tenant of ['acme', 'bob']) {
      expect((await runInTenant(tenant, () => read())).map(({ title }) => title)).to.deep.equal([`${tenant} book 1`]);
    }

    await refusal(() => read(), 'TENANT_CONTEXT_REQUIRED');
  });
});
