import { runInPublic, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { raw, sql } from '@mikro-orm/core';
import { expect } from 'chai';
import { Author, Genre } from '../../fixtures/entities/index.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { everyRowOfTwins, openTwins } from '../support/orm/twins.ts';

const AT_ONE = { 'x.id': 1 } as never;

type Use = (em: TenantEntityManager, table: string) => Promise<unknown>;

/** What MikroORM does with a table that is named in place of an entity. */
const USES: Readonly<Record<string, Use>> = {
  execute: (em, table) => em.qb(table as never, 'x').execute(),
  from: (em, table) =>
    em
      .qb(Author, 'x')
      .from(table as never, 'x')
      .execute(),
  getCount: (em, table) => em.qb(table as never, 'x').getCount(),
  delete: (em, table) =>
    em
      .qb(table as never)
      .delete()
      .execute(),
  truncate: (em, table) =>
    em
      .qb(table as never)
      .truncate()
      .execute(),
  'a sub-query': (em, table) =>
    em
      .qb(Author, 'a')
      .where({ id: { $in: em.qb(table as never, 'x').select('id' as never) } } as never)
      .execute(),
  'a CTE': (em, table) =>
    em
      .qb(Author, 'a')
      .with('c', em.qb(table as never, 'x').select('id' as never))
      .execute(),
  'a join': (em, table) => em.qb(Genre, 'g').select('g.id').leftJoin(sql.ref(table), 'x', AT_ONE).execute(),
  'a join, counted': (em, table) => em.qb(Genre, 'g').innerJoin(sql.ref(table), 'x', AT_ONE).getCount(),
  'a join in an update': (em, table) =>
    em.qb(Genre, 'g').update({ name: 'stolen' }).leftJoin(sql.ref(table), 'x', AT_ONE).where({ id: 1 }).execute(),
  'a join that names the schema': (em, table) =>
    em
      .qb(Genre, 'g')
      .select('g.id')
      .leftJoin(sql.ref(table.split('.').at(-1) as string), 'x', AT_ONE, table.split('.').at(-2))
      .execute(),
  toRaw: async (em, table) => em.qb(table as never, 'x').toRaw(),
};

onDatabases('a table that a query builder names by its text', database => {
  let orm: LibraryOrm;
  let untouched: unknown;

  before(async () => {
    orm = await openTwins(database);
    untouched = await everyRowOfTwins(database);
  });

  for (const [use, run] of Object.entries(USES)) {
    it(`law 1, law 2: is refused where an entity’s would be: ${use}`, async () => {
      for (const table of ['bob.author', 'bob.author as y', 'bob.book_tags']) {
        await runInTenant('acme', em => refusal(() => run(em, table), 'CROSS_TENANT', table));
      }

      for (const table of ['author', 'public.author']) {
        await runInPublic(em => refusal(() => run(em, table), 'TENANT_CONTEXT_REQUIRED', table));
        await refusal(() => run(orm.em.fork(), table), 'TENANT_CONTEXT_REQUIRED', table);
        await runInTenant('acme', () =>
          refusal(() => run(orm.em.fork({ schema: undefined } as never), 'public.author'), 'TENANT_CONTEXT_REQUIRED'),
        );
      }

      expect(await everyRowOfTwins(database)).to.deep.equal(untouched);
    });
  }

  it('law 1 is not found in the public schema by a schema that is only said of the query', async () => {
    await refusal(
      () =>
        orm.em
          .fork()
          .qb('author' as never, 'x')
          .withSchema('acme')
          .execute(),
      'TENANT_CONTEXT_REQUIRED',
    );
  });

  it('law 2 is served where it is the own tenant’s, or shared, or a CTE', async () => {
    const expected = [{ name: 'acme author 1' }, { name: 'acme author 2' }];
    const read = (em: TenantEntityManager, table: string): Promise<unknown> =>
      em
        .qb(table as never, 'x')
        .select('name' as never)
        .orderBy({ name: 'asc' } as never)
        .execute();

    for (const table of ['author', 'acme.author']) {
      expect(await runInTenant('acme', em => read(em, table))).to.deep.equal(expected);
      expect(await read(orm.em.fork({ schema: 'acme' }), table)).to.deep.equal(expected);
    }

    expect(await runInPublic(em => read(em, 'acme.author'))).to.deep.equal(expected);
    expect(await runInTenant('acme', em => read(em, 'genre'))).to.deep.equal([{ name: 'crime' }]);
    expect(
      await runInPublic(em =>
        em
          .qb('tag' as never, 'x')
          .with('author', em.qb('genre' as never, 'g').select('name' as never))
          .from('author' as never, 'x')
          .select('name' as never)
          .execute(),
      ),
    ).to.deep.equal([{ name: 'crime' }]);
  });

  it('law 2 a join by name is served where it is the own tenant’s, or shared, or a CTE', async () => {
    const read = (em: TenantEntityManager, table: string): Promise<unknown> =>
      em
        .qb(Genre, 'g')
        .with('tag', em.qb(Genre, 'c').select(['id', 'name']))
        .select(raw('x.name'))
        .innerJoin(sql.ref(table), 'x', AT_ONE)
        .execute();

    for (const table of ['author', 'acme.author']) {
      expect(await runInTenant('acme', em => read(em, table))).to.deep.equal([{ name: 'acme author 1' }]);
    }

    expect(await runInPublic(em => read(em, 'acme.author'))).to.deep.equal([{ name: 'acme author 1' }]);

    for (const table of ['genre', 'public.genre', 'tag']) {
      expect(await runInTenant('acme', em => read(em, table))).to.deep.equal([{ name: 'crime' }]);
      expect(await runInPublic(em => read(em, table))).to.deep.equal([{ name: 'crime' }]);
    }
  });

  it('T15 the tenants’ own table is not written past the unit of work, and a shared one is not truncated', async () => {
    for (const table of ['library', 'public.library']) {
      await refusal(
        () =>
          orm.em
            .fork()
            .qb(table as never)
            .delete()
            .execute(),
        'TENANT_WRITE_REFUSED',
      );
      await refusal(
        () =>
          orm.em
            .fork()
            .qb(table as never)
            .truncate()
            .execute(),
        'TENANT_WRITE_REFUSED',
      );
    }

    await refusal(
      () =>
        orm.em
          .fork()
          .qb('genre' as never)
          .truncate()
          .execute(),
      'SHARED_TABLE_IN_USE',
    );
    expect(await everyRowOfTwins(database)).to.deep.equal(untouched);
  });
});
