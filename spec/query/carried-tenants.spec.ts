import { runInPublic, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { raw, sql } from '@mikro-orm/core';
import { raw as rawOf, type NativeQueryBuilder, type QueryBuilder } from '@mikro-orm/sql';
import { expect } from 'chai';
import { Author, Book, Genre, Tag } from '../../fixtures/entities/index.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { turnsOf } from '../support/generators/effort.ts';
import { everyRowOfTwins, openTwins } from '../support/orm/twins.ts';
import { refusal } from '../support/assertions/refusal.ts';

type Ids = QueryBuilder<any, 'x'>;

/** What a query is made into before another one gets it. */
const FORMS: Readonly<Record<string, (query: Ids, em: TenantEntityManager) => any>> = {
  'a query builder': query => query,
  'its clone': query => query.clone(),
  'a native query': query => query.getNativeQuery(),
  'a native query with an alias': query => query.as('y'),
  'a fragment': query => query.toRaw(),
  'a fragment with an alias': query => query.toRaw().as('y'),
  'a fragment of a native query': query => query.getNativeQuery().toRaw(),
  'a fragment that raw() makes': query => rawOf(query),
  'a fragment that raw() makes of a native query': query => rawOf(query.getNativeQuery() as never),
  'a fragment that raw() makes of a native query, with an alias': query => rawOf(query.getNativeQuery() as never).as('y'),
  'a fragment that raw() makes of a native query of a native query': (query, em) =>
    rawOf(native(em).select('*').from(query.as('y')) as never),
  'a fragment that raw() makes, with an alias': query => rawOf(query).as('y'),
  'a fragment that raw() makes of a union': query => rawOf(query.unionAll(query.clone())),
  'a fragment that raw() makes of a query of Kysely': (query, em) => rawOf(kyselyOf(query, em)),
  'a fragment that raw() makes of a query of Kysely, with an alias': (query, em) => rawOf(kyselyOf(query, em)).as('y'),
  'a fragment of its text and its parameters': query => raw(query.getQuery(), query.getParams() as unknown[]),
  'a fragment in another': query => raw('(?)', [query.toRaw()]),
  'a fragment in a template': query => sql`(${query.toRaw()})`,
  'a union': query => query.unionAll(query.clone()),
  'a fragment of a union': query => query.union(query.clone()).toRaw(),
  'a native query of a native query': (query, em) => native(em).select('*').from(query.as('y')),
  'a native query with a CTE': (query, em) => native(em).with('c', query.getNativeQuery()).select('*').from('c'),
  'a query of a shared entity': (query, em) =>
    em
      .qb(Genre, 'g')
      .select('g.id')
      .where({ id: { $in: query } } as never),
};

const FORMS_OF_SENT = [
  'a query builder',
  'its clone',
  'a native query',
  'a native query with an alias',
  'a fragment',
  'a fragment of a native query',
  'a fragment that raw() makes',
  'a fragment that raw() makes of a native query',
  'a fragment of its text and its parameters',
];

/** For whom a query is made, and by which EntityManager. */
const MADE: Readonly<Record<string, (orm: LibraryOrm, make: (em: TenantEntityManager, schema?: string) => unknown) => Promise<unknown>>> = {
  'in a scope': (_, make) => runInTenant('bob', em => [make(em)]),
  'by a fork': async (orm, make) => [make(orm.em.fork({ schema: 'bob' }))],
  'for its schema': async (orm, make) => [make(orm.em.fork(), 'bob')],
  'by a fork in the public scope': (orm, make) => runInPublic(() => [make(orm.em.fork({ schema: 'bob' }))]),
};

const USES: Readonly<Record<string, (em: TenantEntityManager, made: any) => unknown>> = {
  'qb select': (em, made) => em.qb(Author, 'a').select(['a.id', made]).execute(),
  'qb select of a set': (em, made) =>
    em
      .qb(Author, 'a')
      .select(new Set(['a.id', made]) as never)
      .execute(),
  'qb addSelect': (em, made) => em.qb(Author, 'a').select('a.id').addSelect(made).execute(),
  'qb where': (em, made) =>
    em
      .qb(Author, 'a')
      .where({ id: { $in: made } })
      .execute(),
  'qb where of a shared entity': (em, made) =>
    em
      .qb(Genre, 'g')
      .where({ id: { $in: made } })
      .execute(),
  'qb andWhere': (em, made) =>
    em
      .qb(Author, 'a')
      .where({ id: 1 })
      .andWhere({ $or: [{ id: { $in: made } }] })
      .execute(),
  'qb having': (em, made) =>
    em
      .qb(Author, 'a')
      .select('a.id')
      .groupBy('a.id')
      .having({ id: { $in: made } })
      .execute(),
  'qb from': (em, made) => em.qb(Author, 'a').from(made, 'z').execute(),
  'qb with': (em, made) => em.qb(Author, 'a').with('c', made).execute(),
  'qb withRecursive': (em, made) => em.qb(Author, 'a').withRecursive('c', made).execute(),
  'qb union': (em, made) => em.qb(Author, 'a').select('a.id').union(made).execute(),
  'qb unionAll': (em, made) => em.qb(Author, 'a').select('a.id').unionAll(made).execute(),
  'qb join': (em, made) => em.qb(Author, 'a').join(made, 'j', {}).execute(),
  'qb leftJoin': (em, made) => em.qb(Author, 'a').leftJoin(made, 'j', {}).execute(),
  'qb innerJoinLateral': (em, made) => em.qb(Author, 'a').innerJoinLateral(made, 'j', {}).execute(),
  'qb leftJoinLateral': (em, made) => em.qb(Author, 'a').leftJoinLateral(made, 'j', {}).execute(),
  'qb leftJoinAndSelect': (em, made) =>
    em
      .qb(Author, 'a')
      .leftJoinAndSelect(['a.books', made] as never, 'j')
      .execute(),
  'the condition of a join': (em, made) =>
    em
      .qb(Author, 'a')
      .leftJoin('a.books', 'b', { id: { $in: made } })
      .execute(),
  'qb withSubQuery': (em, made) =>
    em
      .qb(Author, 'a')
      .withSubQuery(made, 'a.n')
      .where({ n: 1 } as never)
      .execute(),
  'qb update': (em, made) => em.qb(Author).update({ name: made }).where({ id: 1 }).execute(),
  'qb update where': (em, made) =>
    em
      .qb(Author)
      .update({ name: 'stolen' })
      .where({ id: { $in: made } })
      .execute(),
  'qb delete': (em, made) =>
    em
      .qb(Tag)
      .delete({ id: { $in: made } })
      .execute(),
  'qb insert': (em, made) => em.qb(Tag).insert({ id: 50, name: made }).execute(),
  'qb insertFrom': (em, made) =>
    em
      .qb(Tag)
      .insertFrom(made, { columns: ['id'] } as never)
      .execute(),
  find: (em, made) => em.find(Author, { id: { $in: made } }),
  'find of a shared entity': (em, made) => em.find(Genre, { id: { $in: made } }),
  'find, deep in a condition': (em, made) => em.find(Author, { $or: [{ books: { author: { id: { $in: made } } } }] }),
  findOne: (em, made) => em.findOne(Author, { id: made }),
  count: (em, made) => em.count(Author, { id: { $in: made } }),
  populateWhere: (em, made) => em.find(Author, {}, { populate: ['books'], populateWhere: { books: { id: { $in: made } } } }),
  nativeUpdate: (em, made) => em.nativeUpdate(Author, { id: { $in: made } }, { name: 'stolen' }),
  'nativeUpdate, its data': (em, made) => em.nativeUpdate(Author, { id: 1 }, { name: made }),
  nativeDelete: (em, made) => em.nativeDelete(Tag, { id: { $in: made } }),
  insert: (em, made) => em.insert(Tag, { id: 50, name: made }),
  insertMany: (em, made) =>
    em.insertMany(Tag, [
      { id: 50, name: made },
      { id: 51, name: 'x' },
    ]),
  upsert: (em, made) => em.upsert(Tag, { id: 50, name: made }),
  create: (em, made) => em.create(Tag, { id: 50, name: made }),
  'a parameter of em.execute()': (em, made) => em.execute('select ? as x', [made]),
  'a filter': (em, made) => {
    em.addFilter({ name: 'among', cond: () => ({ id: { $in: made } }), entity: Author });

    return em.find(Author, {}, { filters: { among: true } });
  },
};

/** What takes fragments and native queries, and no query builder. */
const NATIVE_USES: typeof USES = {
  'em.execute()': (em, made) => em.execute(made),
};

/** What is of no EntityManager, and so of the scope alone. */
const USES_OF_SCOPES: typeof USES = {
  'em.getConnection().execute()': (em, made) => em.getConnection().execute(made),
  'the driver’s execute()': (em, made) => em.getDriver().execute(made),
  'a parameter of em.getConnection().execute()': (em, made) => em.getConnection().execute('select ? as x', [made]),
};

const FRAGMENT_USES: typeof USES = {
  ...NATIVE_USES,
  'qb orderBy': (em, made) =>
    em
      .qb(Author, 'a')
      .orderBy({ [made]: 'asc' })
      .execute(),
  'qb groupBy': (em, made) => em.qb(Author, 'a').select('a.id').groupBy(made).execute(),
  'qb where by a key': (em, made) =>
    em
      .qb(Author, 'a')
      .where({ [made]: 1 })
      .execute(),
  'qb where itself': (em, made) => em.qb(Author, 'a').where(made).execute(),
  'qb distinctOn': (em, made) => em.qb(Author, 'a').select('a.id').distinctOn(made).execute(),
  'orderBy of find': (em, made) => em.find(Author, {}, { orderBy: { [made]: 'asc' } }),
  'find by a key': (em, made) => em.find(Author, { [made]: 1 }),
  'a value in a flush': async (em, made) => {
    (await em.findOneOrFail(Author, 1)).name = made;
    await em.flush();
  },
  'values in a flush of several': async (em, made) => {
    em.create(Tag, { id: 50, name: 'x' });
    em.create(Tag, { id: 51, name: 'x' }).name = made;
    await em.flush();
  },
  'updates in a flush of several': async (em, made) => {
    (await em.find(Author, {})).forEach(author => {
      author.name = made;
    });
    await em.flush();
  },
};

/** What the methods of a query builder that take queries are called with. MikroORM may add arguments to each. */
const TAKING: Readonly<Record<string, readonly unknown[]>> = {
  select: ['a.id'],
  addSelect: ['a.id'],
  count: [],
  from: [Author],
  populate: [[]],
  insert: [{}],
  update: [{}],
  merge: [{}],
  delete: [],
  where: [{}],
  having: [{}],
  joinReference: ['books', 'b', {}],
  joinAndSelect: ['books', 'b'],
  withSubQuery: [{}, 'b'],
  orderBy: [{}],
  andOrderBy: [{}],
  groupBy: ['a.id'],
  distinctOn: ['a.id'],
  insertFrom: [],
  onConflict: [],
  returning: ['a.id'],
  with: ['c'],
  withRecursive: ['c'],
  union: [],
  unionAll: [],
};

/** The same of a native query. */
const TAKING_NATIVE: Readonly<Record<string, readonly unknown[]>> = {
  select: ['id'],
  count: ['id'],
  from: ['author'],
  where: ['true'],
  having: ['true'],
  groupBy: ['id'],
  into: ['author'],
  join: [],
  orderBy: ['id'],
  with: ['c'],
  withRecursive: ['c'],
  insert: [{}],
  insertSelect: [],
  update: [{}],
  distinctOn: ['id'],
  onConflict: [],
  returning: ['id'],
};

onDatabasesAndPooler('queries made for one tenant', database => {
  let orm: LibraryOrm;
  let untouched: unknown;

  before(async () => {
    orm = await openTwins(database);
    untouched = await everyRowOfTwins(database);
  });

  const checkRefused = async (made: unknown, name: string, use: (typeof USES)[string]): Promise<void> => {
    const inScope = (run: (em: TenantEntityManager) => Promise<unknown>): Promise<unknown> => runInTenant('acme', em => run(em));
    const byFork = (run: (em: TenantEntityManager) => Promise<unknown>): Promise<unknown> => run(orm.em.fork({ schema: 'acme' }));

    const places = { 'acme’s scope': inScope, ...(name in USES_OF_SCOPES ? {} : { 'acme’s fork': byFork }) };

    for (const [where, enter] of Object.entries(places)) {
      await enter(async em => {
        database.statements.length = 0;
        await refusal(async () => use(em, made), 'CROSS_TENANT', `${name} in ${where}`);
        const sent = database.statements.filter(
          text => /author|tag|genre|book/.test(text) && !(name.includes('flush') && text.startsWith('[query] select')),
        );
        expect(sent, `${name} in ${where}`).to.deep.equal([]);
      });
    }
  };

  for (const [index, [form, make]] of Object.entries(FORMS).entries()) {
    // what is refused never gets to a database, so one way of making each is enough on the others
    for (const [how, enter] of turnsOf(Object.entries(MADE), index, database.kind === 'postgresql' ? 2 : 1)) {
      it(`S13 ${form} that was made ${how} is refused in every place of another tenant’s query`, async () => {
        const fresh = (): Promise<any> => enter(orm, (em, schema) => make(em.qb(Author, 'x').withSchema(schema).select('x.id'), em));

        for (const [name, use] of Object.entries({ ...USES, ...usesOf(form) })) {
          const [made] = await fresh();
          await checkRefused(made, name, use);
        }

        expect(await everyRowOfTwins(database)).to.deep.equal(untouched);
      });
    }
  }

  // MikroORM keeps what it has written for a query that was sent
  for (const form of FORMS_OF_SENT) {
    it(`S13 ${form} of a query that has been sent is refused in another tenant’s`, async () => {
      const [made] = await runInTenant('bob', async em => {
        const query = em.qb(Author, 'x').select('x.id') as Ids;
        await query.execute();

        return [FORMS[form]?.(query, em)];
      });

      for (const name of ['qb where', 'qb addSelect', 'qb join', 'find']) {
        await checkRefused(made, name, USES[name] as (typeof USES)[string]);
      }
    });
  }

  it('S13 a query of a shared entity that was made in a tenant’s scope is that tenant’s: SQL in it would read there', async () => {
    const [made] = await runInTenant('bob', em => [em.qb(Genre, 'x').select('x.id')]);

    for (const [name, use] of Object.entries(USES)) {
      await checkRefused(made, name, use);
    }
  });

  it('S13 they are refused in whichever argument, also in one that MikroORM has yet to add', async () => {
    const [made] = await runInTenant('bob', em => [em.qb(Author, 'x').select('x.id')]);
    const places = Array.from({ length: 8 }, (_, place) => place);
    const call = (query: any, name: string, args: readonly unknown[], place: number): unknown =>
      // no more of them than are needed: a look at those that are yet to come would see the others too
      query[name](...places.slice(0, Math.max(place + 1, args.length)).map(index => (index === place ? made : args[index])));

    await runInTenant('acme', async em => {
      for (const [name, args] of Object.entries(TAKING)) {
        for (const place of places) {
          await refusal(async () => call(em.qb(Author, 'a'), name, args, place), 'CROSS_TENANT', `${name}, ${place}`);
        }
      }

      for (const [name, args] of Object.entries(TAKING_NATIVE)) {
        for (const place of places) {
          const query = native(em);

          try {
            call(query, name, args, place);
          } catch {
            // MikroORM takes none there
          }

          await refusal(async () => em.find(Author, { id: { $in: query } }), 'CROSS_TENANT', `${name} of a native query, ${place}`);
        }
      }
    });
  });

  it('S13 what a query is made of counts also where its tenant is said afterwards', async () => {
    const [bobs] = await runInTenant('bob', em => [em.qb(Author, 'x').select('x.id')]);
    const query = orm.em
      .fork()
      .qb(Author, 'a')
      .where({ id: { $in: bobs } } as never)
      .withSchema('acme');

    for (const run of [() => query.execute(), () => query.getCount(), () => query.toQuery(), () => query.clone().getResult()]) {
      await refusal(async () => run(), 'CROSS_TENANT');
    }
  });

  it('S9, S13 each tenant’s own are served, also elsewhere', async () => {
    for (const tenant of ['acme', 'bob']) {
      const made = await runInTenant(tenant, async em => {
        const ids = (): any => em.qb(Author, 'x').select('x.id').where({ id: 1 });
        const forms = [ids(), ids().clone(), ids().getNativeQuery(), ids().toRaw(), raw('(?)', [ids().toRaw()]), ids().unionAll(ids())];

        for (const form of forms) {
          const [found] = (await em.find(Author, { id: { $in: form } })) as [Author];
          expect(found.name).to.equal(`${tenant} author 1`);
        }

        expect(await em.execute(ids().getNativeQuery())).to.deep.equal([{ id: 1 }]);
        expect(await em.execute(ids().toRaw())).to.deep.equal([{ id: 1 }]);

        return [em.qb(Author, 'a').where({ id: { $in: ids() } }), em.qb(Genre, 'g').where({ id: { $in: ids() } })] as const;
      });

      await runInTenant(tenant === 'acme' ? 'bob' : 'acme', async () => {
        expect((await made[0].getResult())[0]?.name).to.equal(`${tenant} author 1`);
        expect(await made[1].getResult()).to.have.length(1);
      });
    }
  });

  it('S9 outside of scopes, SQL in a query is for the tenant that the query names', async () => {
    for (const em of [orm.em.fork(), orm.em.fork({ schema: 'acme' }), orm.em.fork({ schema: 'bob' })]) {
      for (const tenant of ['acme', 'bob']) {
        const query = em
          .qb(Author, 'a')
          .withSchema(tenant)
          .select([raw('(select title from book where id = 1) as title')] as never)
          .where({ id: 1 });
        expect(await query.execute('get', false)).to.deep.equal({ title: `${tenant} book 1` });
      }
    }
  });

  it('S13 they are refused in the place of a query that Kysely has compiled', async () => {
    const made = await runInTenant('bob', em => {
      const query = em.qb(Author, 'x').select('x.id') as Ids;

      return {
        query,
        fragment: query.toRaw(),
        ofKysely: rawOf(kyselyOf(query, em)),
        native: query.getNativeQuery(),
        compiled: query.getNativeQuery().compile(),
      };
    });

    await runInTenant('acme', async em => {
      for (const each of Object.values(made)) {
        await refusal(() => em.getKysely().executeQuery(each as never), 'CROSS_TENANT');
        await refusal(
          () =>
            em
              .getConnection()
              .getClient()
              .executeQuery(each as never),
          'CROSS_TENANT',
        );
      }
    });
    const own = await runInTenant('bob', em => em.getKysely<any>().executeQuery<{ id: number }>(made.native as never));
    expect(own.rows).to.not.deep.equal([]);
  });

  it('S13 a query that has no tenant is served in each tenant’s', async () => {
    const [genres] = await runInPublic(em => [em.qb(Genre, 'g').select('g.id')]);

    for (const tenant of ['acme', 'bob']) {
      const books = await runInTenant(tenant, em => em.find(Book, { genre: { $in: genres } }, { orderBy: { id: 'asc' } }));
      expect(books[0]?.title).to.equal(`${tenant} book 1`);
    }
  });

  // what cannot be told apart by its form is left out: a list of rows takes no query builder
  function usesOf(form: string): typeof USES {
    return form.startsWith('a fragment')
      ? { ...FRAGMENT_USES, ...USES_OF_SCOPES }
      : form.startsWith('a native query')
        ? { ...NATIVE_USES, ...USES_OF_SCOPES }
        : {};
  }
});

/** One of the same, by the same EntityManager. */
function kyselyOf(query: Ids, em: TenantEntityManager): any {
  const db = em.getKysely<any>();
  const { schema } = query.state;

  return (schema === undefined ? db : db.withSchema(schema)).selectFrom('author').select('id');
}

function native(em: TenantEntityManager): NativeQueryBuilder {
  return (em.getPlatform() as unknown as { createNativeQueryBuilder(): NativeQueryBuilder }).createNativeQueryBuilder();
}
