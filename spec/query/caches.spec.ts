import { forEachTenant, runInPublic, runInTenant, tenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity, p, raw } from '@mikro-orm/core';
import { expect } from 'chai';
import { Author, Book, Genre, Library } from '../../fixtures/entities/index.ts';
import { onDatabases, onDatabasesAndPooler } from '../support/databases/database.ts';
import { LIBRARY_ENTITIES, newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';
import { until } from '../support/assertions/until.ts';
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
          expect(readsIn(database.statements), 'answered by the cache').to.deep.equal([]);
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
      expect(readsIn(database.statements), 'answered by the cache').to.deep.equal([]);
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

    expect(readsIn(database.statements)).to.have.length(1);
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

        // and one that asks whose the name is, before what was read is kept
        return readsIn(database.statements).filter(sql => sql.includes('"book"')).length;
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

/** A shared entity with a formula that reads whichever tenant's table the path leads to. */
const Shelf = defineEntity({
  name: 'Shelf',
  properties: {
    id: p.integer().primary(),
    first: p
      .string()
      .formula(() => '(select a.name from author a order by a.id limit 1)')
      .persist(false),
  },
});

/** How a query of a shared entity reads the tenant by SQL that has no schema; the cache sees the same query in each scope. */
const SHARED: Readonly<Record<string, (em: TenantEntityManager, cache: Cache) => Promise<unknown>>> = {
  'select(raw)': (em, cache) => em.qb(Genre, 'g').select(raw(`(select name from author order by id limit 1) as x`)).cache(cache).execute(),
  'where(string)': (em, cache) => em.qb(Genre, 'g').where(`exists (select 1 from author where name like 'acme%')`).cache(cache).execute(),
  getCount: (em, cache) => em.qb(Genre, 'g').where(`exists (select 1 from author where name like 'acme%')`).cache(cache).getCount(),
  'a CTE': (em, cache) =>
    em
      .qb(Genre, 'g')
      .with('first', raw('select name from author order by id limit 1'))
      .select(raw('(select name from first) as x'))
      .cache(cache)
      .execute(),
  find: (em, cache) => em.find(Genre, { [raw(`(select name from author order by id limit 1)`)]: 'acme author 1' }, cached(cache)),
  count: (em, cache) => em.count(Genre, { [raw(`(select name from author order by id limit 1)`)]: 'acme author 1' }, cached(cache)),
  findOne: (em, cache) => em.findOne(Genre, { [raw(`(select name from author order by id limit 1)`)]: 'acme author 1' }, cached(cache)),
  countBy: em => em.countBy(Genre, 'name', { where: { [raw(`(select name from author order by id limit 1)`)]: 'acme author 1' } as never }),
  'a formula': (em, cache) => em.find(Shelf, {}, { ...cached(cache), disableIdentityMap: true }),
  'a formula in a query': (em, cache) => em.qb(Shelf, 's').select(['s.id', 's.first']).cache(cache).execute(),
};

type Cache = number | [string, number] | undefined;

function cached(cache: Cache): { cache?: number | [string, number] } {
  return cache === undefined ? {} : { cache };
}

/** Who can ask, and whose data the answer may have. */
const READERS: Readonly<Record<string, (orm: LibraryOrm, read: Query) => Promise<unknown>>> = {
  'acme’s scope': (_, read) => runInTenant('acme', em => read(em)),
  'bob’s scope': (_, read) => runInTenant('bob', em => read(em)),
  'acme’s fork': (orm, read) => read(orm.em.fork({ schema: 'acme' })),
  'bob’s fork': (orm, read) => read(orm.em.fork({ schema: 'bob' })),
  'the public scope': (_, read) => runInPublic(em => read(em)),
  'no scope': (orm, read) => read(orm.em.fork()),
};

for (const [title, global] of [
  ['cached queries of shared entities', undefined],
  ['cached queries of shared entities where every query is cached', 60_000],
] as const) {
  onDatabasesAndPooler(title, database => {
    let orm: LibraryOrm;

    before(async () => {
      orm = await openTwins(database, {
        entities: [...LIBRARY_ENTITIES, Shelf],
        ...(global === undefined ? {} : { resultCache: { global } }),
      });
      await database.query('create table public.shelf (id int primary key)');
      await database.query('insert into public.shelf (id) values (1)');
    });

    for (const [name, query] of Object.entries(SHARED)) {
      if (name === 'countBy' && global === undefined) {
        continue;
      }

      const caches = global === undefined ? { 'for a while': 60_000, 'by name': [`shared ${name}`, 60_000] } : { 'by itself': undefined };

      for (const [how, cache] of Object.entries(caches) as [string, Cache][]) {
        it(`S13 ${name}, cached ${how}, answers each scope as the database would`, async () => {
          const read: Query = async em => JSON.stringify(await query(em, cache));
          const answers = new Map<string, unknown>();

          for (const round of [1, 2]) {
            for (const [reader, enter] of Object.entries(READERS)) {
              // the answer is the database's own the first time, and what was cached for this reader the second
              const answer = await enter(orm, read);
              expect(answer, `${reader}, round ${round}`).to.equal(answers.get(reader) ?? answer);
              answers.set(reader, answer);
            }
          }

          expect(answers.get('acme’s scope')).to.equal(answers.get('acme’s fork'));
          expect(answers.get('bob’s scope')).to.equal(answers.get('bob’s fork'));
          expect(answers.get('acme’s scope')).not.to.equal(answers.get('bob’s scope'));
          expect(String(answers.get('the public scope'))).not.to.match(/acme|bob/);
        });
      }
    }
  });
}

onDatabasesAndPooler('cached results and the names of tenants', database => {
  const caches = { 'for a while': 60_000, 'by name': ['kept', 60_000] as [string, number] };
  let orm: LibraryOrm;

  before(async () => {
    orm = await openTwins(database);
  });

  for (const [how, cache] of Object.entries(caches)) {
    const readers: Readonly<Record<string, (name: string, read: Query) => Promise<unknown>>> = {
      'in its scope': (name, read) => runInTenant(name, em => read(em)),
      'by a fork': (name, read) => read(orm.em.fork({ schema: name })),
      'in a transaction': (name, read) => runInTenant(name, em => em.transactional(tx => read(tx))),
    };

    for (const [where, enter] of Object.entries(readers)) {
      it(`S13 what was cached ${how}, read ${where}, is not the next tenant’s of the name`, async () => {
        const read: Query = em => em.count(Author, {}, { cache });
        const raws: Query = em => em.qb(Genre, 'g').select(raw('(select count(*)::int from author) as x')).cache(cache).execute();
        const [name, renamed] = [`t${++made}`, `t${++made}`];
        await orm.em.fork().persistAndFlush(named(name));
        await database.query(`insert into ${name}.author (id, name) values (1, 'of the first')`);
        const counts = async (of: string): Promise<unknown> => {
          const [count] = [await enter(of, read)];
          await enter(of, em => em.clearCache('kept'));
          const [rows] = (await enter(of, raws)) as [{ x: number }];

          return [count, rows.x];
        };
        expect(await counts(name)).to.deep.equal([1, 1]);

        await tenants(orm).rename(name, renamed);
        await orm.em.fork().persistAndFlush(named(name));
        expect(await counts(name), 'a name that was another’s').to.deep.equal([0, 0]);
        expect(await counts(renamed), 'the renamed one').to.deep.equal([1, 1]);

        await tenants(orm).drop(renamed);
        await orm.em.fork().persistAndFlush(named(renamed));
        expect(await counts(renamed), 'the name of a dropped one').to.deep.equal([0, 0]);
      });
    }
  }

  it('S13 a name that is cleared by a fork is cleared for the tenant’s scope, and the other way', async () => {
    const count: Query = em => em.count(Book, {}, { cache: ['to clear by a fork', 60_000] });
    const read = (): Promise<unknown> => runInTenant('acme', em => count(em));
    const asked = async (): Promise<number> => {
      database.statements.length = 0;
      await read();

      return database.statements.filter(text => text.includes('"book"')).length;
    };
    await read();
    expect(await asked()).to.equal(0);
    await orm.em.fork({ schema: 'acme' }).clearCache('to clear by a fork');
    expect(await asked()).to.equal(1);
    await runInTenant('acme', em => em.clearCache('to clear by a fork'));
    expect(await asked()).to.equal(1);
  });
});

onDatabases(
  'cached results and another process',
  database => {
    it('S13 what was cached is not the next tenant’s of the name that another process has dropped and created', async () => {
      const [orm, other] = [await openTwins(database), await openLibrary(database)];
      const read = (): Promise<number> => runInTenant('carol', em => em.count(Author, {}, { cache: ['elsewhere', 60_000] }), { orm });
      await orm.em.fork().persistAndFlush(newLibrary('carol'));
      await database.query(`insert into carol.author (id, name) values (1, 'of the first')`);
      expect(await read()).to.equal(1);
      await tenants(other).drop('carol');
      await other.em.fork().persistAndFlush(named('carol'));

      await until('this process is told', async () => (await read()) === 0);
    });
  },
  ['postgresql', 'pglite'],
);

onDatabasesAndPooler('a result cache of the user’s', database => {
  const entries = new Map<string, unknown>();
  let orm: LibraryOrm;

  class Adapter {
    async get(key: string): Promise<unknown> {
      return entries.get(key);
    }

    async set(key: string, data: unknown): Promise<void> {
      // like a cache outside the process
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
    const em = orm.em.fork();
    await em.removeAndFlush(await em.findOneOrFail(Library, { schemaName: 'dave' }));

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

// which schema has a tenant's name now is asked for now and then
function readsIn(statements: readonly string[]): string[] {
  return statements.filter(text => !text.includes('pg_catalog.pg_namespace'));
}

/** A tenant on a host that no other has had. */
function named(schemaName: string): Library {
  return newLibrary(schemaName, { domainUrl: `d${++made}.example.com` });
}

let made = 0;
