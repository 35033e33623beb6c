import { forEachTenant, runInPublic, runInTenant, tenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { raw } from '@mikro-orm/core';
import { expect } from 'chai';
import { Author, Book, Genre } from '../../fixtures/entities/index.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import { newLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';
import { refusal } from '../support/assertions/refusal.ts';

type Query = (em: TenantEntityManager) => Promise<unknown>;

onDatabasesAndPooler('result caches', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openTwins(database);
    await database.query(`insert into bob.author (id, name) values (3, 'bob author 3')`);
  });

  const queries: Readonly<Record<string, Query>> = {
    find: em => em.find(Author, {}, { cache: 60_000 }),
    'find by name': em => em.find(Author, {}, { cache: ['find', 60_000] }),
    'findOne by name': em => em.findOne(Book, { id: 1 }, { populate: ['author', 'tags'], cache: ['findOne', 60_000] }),
    count: em => em.count(Author, {}, { cache: 60_000 }),
    'count by name': em => em.count(Author, {}, { cache: ['count', 60_000] }),
    qb: em => em.qb(Author).cache(60_000).getResultList(),
    'qb by name': em => em.qb(Author).cache(['qb', 60_000]).getResultList(),
    findAll: em => em.findAll(Author, { cache: 60_000 }),
    'findAll of a repository': em => em.getRepository(Author).findAll({ cache: ['repository', 60_000] }),
    findAndCount: em => em.findAndCount(Author, {}, { cache: 60_000 }),
    findByCursor: async em => {
      const { items, totalCount } = await em.findByCursor(Author, { first: 1, orderBy: { id: 'asc' }, cache: 60_000 });

      return [items, totalCount];
    },
    'findByCursor by name': async em =>
      (await em.findByCursor(Author, { first: 1, orderBy: { id: 'asc' }, includeCount: false, cache: ['cursor', 60_000] })).items,
    'qb getSingleResult by name': em => em.qb(Author).where({ id: 1 }).cache(['single', 60_000]).getSingleResult(),
    'qb execute by name': em => em.qb(Author, 'a').leftJoin('a.books', 'b').cache(['execute', 60_000]).execute(),
  };

  for (const [name, query] of Object.entries(queries)) {
    it(`S10 a cached ${name} answers its own tenant again, and no other`, async () => {
      const acme = JSON.stringify(await runInTenant('acme', em => query(em)));
      const bob = JSON.stringify(await runInTenant('bob', em => query(em)));

      expect(bob).not.to.equal(acme);
      expect(acme).not.to.contain('bob');
      expect(bob).not.to.contain('acme');

      for (const [tenant, first] of [
        ['acme', acme],
        ['bob', bob],
      ] as const) {
        await runInTenant(tenant, async em => {
          database.statements.length = 0;
          expect(JSON.stringify(await query(em))).to.equal(first);
          expect(database.statements, 'answered by the cache').to.deep.equal([]);
        });
      }
    });

    it(`S10, law 1, law 2: a cached ${name} is refused where the database’s answer would be`, async () => {
      await runInTenant('bob', em => query(em));
      await query(orm.em.fork({ schema: 'bob' }));
      await refusal(() => query(orm.em.fork()), 'TENANT_CONTEXT_REQUIRED');
      await runInPublic(em => refusal(() => query(em), 'TENANT_CONTEXT_REQUIRED'));
      await runInTenant('acme', em => refusal(() => query(em.fork({ schema: 'bob' })), 'CROSS_TENANT'));
    });
  }

  it('S10 an entity out of the cache is of its tenant’s schema, with all that it refers to, and can be changed', async () => {
    const read: (em: TenantEntityManager) => Promise<Book> = em =>
      em.findOneOrFail(Book, { id: 2 }, { populate: ['author'], cache: ['to change', 60_000] });
    await runInTenant('bob', read);
    await runInTenant('bob', async em => {
      const book = await read(em);
      book.title = 'changed after the cache';
      book.author.name = 'changed too';
      await em.flush();
    });

    expect(
      await database.query(`select b.title, a.name from bob.book b join bob.author a on a.id = b.author_id where b.id = 2`),
    ).to.deep.equal([{ title: 'changed after the cache', name: 'changed too' }]);
    expect(await database.query(`select title from acme.book where id = 2`)).to.deep.equal([{ title: 'acme book 2' }]);
  });

  it('S10 a name is each tenant’s own also for a query of shared entities that reads tenants by SQL of the user’s', async () => {
    const authors: Query = em =>
      em
        .qb(Genre, 'g')
        .select([raw(`(SELECT a.name FROM ${em.schema}.author a WHERE a.id = 2) AS name`)])
        .cache(['by hand', 60_000])
        .execute();

    expect(JSON.stringify(await runInTenant('acme', em => authors(em)))).to.contain('acme author 2');
    expect(JSON.stringify(await runInTenant('bob', em => authors(em)))).to.contain('bob author 2');
  });

  const named: Readonly<Record<string, (em: TenantEntityManager, schema: string) => Promise<unknown>>> = {
    find: (em, schema) => em.find(Author, {}, { schema, cache: ['find by schema', 60_000] }),
    count: (em, schema) => em.count(Author, {}, { schema, cache: ['count by schema', 60_000] }),
    qb: (em, schema) => em.qb(Author).withSchema(schema).cache(['qb by schema', 60_000]).getResultList(),
    'qb with a join': (em, schema) =>
      em.qb(Author, 'a').withSchema(schema).leftJoin('a.books', 'b').cache(['join by schema', 60_000]).execute(),
  };

  for (const [name, query] of Object.entries(named)) {
    it(`S10 outside of scopes a ${name} that names its schema is cached for that tenant, also under one name`, async () => {
      const [acme, bob] = [JSON.stringify(await query(orm.em.fork(), 'acme')), JSON.stringify(await query(orm.em.fork(), 'bob'))];
      database.statements.length = 0;

      expect(bob).not.to.equal(acme);
      expect(JSON.stringify(await query(orm.em.fork(), 'acme'))).to.equal(acme);
      expect(JSON.stringify(await query(orm.em.fork(), 'bob'))).to.equal(bob);
      expect(database.statements, 'answered by the cache').to.deep.equal([]);
    });
  }

  it('S10 no name that the public scope can use is a tenant’s', async () => {
    const read =
      (name: string): Query =>
      em =>
        em.find(Author, { id: 2 }, { cache: [name, 60_000] });
    await runInTenant('acme', em => read('by whom')(em));
    await runInTenant('acme', em => read('by whom|')(em));

    for (const name of ['by whom|acme', 'by whom||acme', 'by whom|||acme', 'by whom\\|acme', 'by whomacme']) {
      expect(await runInPublic(em => em.find(Genre, {}, { cache: [name, 60_000] })), name).to.have.length(1);
      expect((await runInPublic(em => em.find(Genre, {}, { cache: [name, 60_000] })))[0], name).to.be.instanceOf(Genre);
      expect(((await runInTenant('bob', em => read(name)(em))) as Author[])[0]?.name, name).to.equal('bob author 2');
    }
  });

  it('S10 names that differ are two', async () => {
    const titled = (id: number, name: string): Promise<Book> =>
      runInTenant('acme', em => em.findOneOrFail(Book, { id }, { cache: [name, 60_000] }));

    for (const [id, name] of [
      [1, 'two'],
      [2, 'two|'],
    ] as const) {
      expect((await titled(id, name)).id, name).to.equal(id);
    }
  });

  it('S10 clearing a name in the public scope clears what was read there', async () => {
    const genres: Query = em => em.count(Genre, {}, { cache: ['to clear in public', 60_000] });
    await runInPublic(em => genres(em));
    await runInPublic(em => em.clearCache('to clear in public'));
    database.statements.length = 0;
    await runInPublic(em => genres(em));

    expect(database.statements).to.have.length(1);
  });

  it('S10 what is loaded is read anew from the cache where it is asked for, as MikroORM does', async () => {
    await runInTenant('acme', async em => {
      const cached = { cache: ['anew', 60_000] as [string, number] };
      const [book] = (await em.find(Book, { id: 2 }, cached)) as [Book];
      const { title } = book;
      book.title = 'not stored';
      await em.find(Book, { id: 2 }, cached);
      expect(book.title).to.equal('not stored');
      await em.find(Book, { id: 2 }, { ...cached, refresh: true });
      expect(book.title).to.equal(title);
    });
  });

  it('S10 clearing a name clears it for the tenant of the scope alone', async () => {
    const count: Query = em => em.count(Book, {}, { cache: ['to clear', 60_000] });
    await runInTenant('acme', em => count(em));
    await runInTenant('bob', em => count(em));
    await runInTenant('acme', em => em.clearCache('to clear'));
    const asked = async (tenant: string): Promise<number> =>
      runInTenant(tenant, async em => {
        database.statements.length = 0;
        await count(em);

        return database.statements.length;
      });

    expect([await asked('acme'), await asked('bob')]).to.deep.equal([1, 0]);
  });

  it('S10 a filter with a parameter of its scope is not the next scope’s', async () => {
    const filtered = (name: string, id: number): Promise<Book[]> =>
      runInTenant(name, em => {
        em.addFilter({ name: 'only', cond: args => ({ id: Number(args['id']) }), entity: Book });
        em.setFilterParams('only', { id });

        return em.find(Book, {}, { filters: { only: true } });
      });

    expect((await filtered('acme', 1)).map(book => book.title)).to.deep.equal(['acme book 1']);
    expect((await filtered('bob', 1)).map(book => book.title)).to.deep.equal(['bob book 1']);
    await runInTenant('acme', async em => {
      const before = em.getFilterParams('only');
      expect(before).to.equal(undefined);
    });
  });
});

onDatabasesAndPooler('a result cache of the user’s', database => {
  const entries = new Map<string, unknown>();
  let orm: LibraryOrm;

  class Adapter {
    async get(key: string): Promise<unknown> {
      return entries.get(key);
    }

    async set(key: string, data: unknown): Promise<void> {
      // as one that is out of the process would
      entries.set(key, JSON.parse(JSON.stringify(data)));
    }

    async remove(key: string): Promise<void> {
      entries.delete(key);
    }

    async clear(): Promise<void> {
      entries.clear();
    }
  }

  before(async () => {
    orm = await openTwins(database, { resultCache: { adapter: Adapter, global: 60_000 } as never });
  });

  beforeEach(() => entries.clear());

  it('S10 is given keys that are each tenant’s own, also where every query is cached', async () => {
    const keysOf = async (query: Query): Promise<string[][]> => {
      const keys: string[][] = [];

      for (const tenant of ['acme', 'bob']) {
        entries.clear();
        await runInTenant(tenant, em => query(em));
        keys.push([...entries.keys()]);
      }

      return keys;
    };
    const queries: Query[] = [
      em => em.find(Author, {}),
      em => em.count(Author, {}),
      em => em.findOne(Author, 1, { cache: ['one', 60_000] }),
      em => em.qb(Author).cache(['qb', 60_000]).getResultList(),
      em => em.find(Book, {}, { populate: ['author', 'genre'] }),
    ];

    for (const [index, query] of queries.entries()) {
      const [acme = [], bob = []] = await keysOf(query);
      expect(acme, `query ${index}`).to.have.length.at.least(1);
      expect(acme.filter(key => bob.includes(key) || key.includes('bob'))).to.deep.equal([]);
      expect(acme.every(key => key.includes('acme'))).to.equal(true);
    }
  });

  it('S10 answers each tenant with its own where every query is cached', async () => {
    for (const round of [1, 2]) {
      for (const name of ['acme', 'bob']) {
        const [author] = await runInTenant(name, em => em.find(Author, {}, { orderBy: { id: 'asc' } }));
        expect(author?.name, `round ${round}`).to.equal(`${name} author 1`);
      }
    }
  });

  it('S10 is cleared by name for one tenant', async () => {
    const count: Query = em => em.count(Book, {}, { cache: ['to|clear', 60_000] });
    await runInTenant('acme', em => count(em));
    await runInTenant('bob', em => count(em));
    const before = [...entries.keys()];
    await runInTenant('acme', em => em.clearCache('to|clear'));

    expect(before).to.have.length(2);
    expect([...entries.keys()]).to.deep.equal(before.filter(key => key.includes('bob')));
  });

  it('S10, H10 never says which tenants there are, nor under which name', async () => {
    await orm.em.fork().persistAndFlush([newLibrary('carol'), newLibrary('dave')]);

    for (const name of ['carol', 'dave']) {
      await runInTenant(name, em => em.count(Author, {}));
    }

    const before = await tenants(orm).list();
    await forEachTenant(() => undefined);
    await tenants(orm).rename('carol', 'erin');
    // as another process would
    await database.query(`delete from library where schema_name = 'dave'`);

    expect(before.map(({ schemaName }) => schemaName)).to.include.members(['carol', 'dave']);
    await refusal(() => runInTenant('carol', () => undefined), 'TENANT_UNKNOWN');
    await refusal(() => runInTenant('dave', () => undefined), 'TENANT_UNKNOWN');
    expect(await runInTenant('erin', em => em.count(Author, {}))).to.equal(0);
    expect((await tenants(orm).list()).map(({ schemaName }) => schemaName)).to.deep.equal(['acme', 'bob', 'erin']);
    expect((await forEachTenant(() => undefined)).map(({ schemaName }) => schemaName)).to.deep.equal(['acme', 'bob', 'erin']);
    await tenants(orm).drop('erin');
    expect(await database.query(`select from pg_namespace where nspname in ('carol', 'erin')`)).to.deep.equal([]);
  });
});
