import { runInPublic, runInTenant, TenantError, type TenantEntityManager } from '@landlord/mikro-orm';
import { raw, RequestContext } from '@mikro-orm/core';
import { expect } from 'chai';
import { Genre } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { FRAGMENTS, STATEMENTS } from '../support/orm/raw-paths.ts';
import { openTwins } from '../support/orm/twins.ts';

type Path = (em: TenantEntityManager) => Promise<unknown>;

const TITLE = '(select max(title) from book)';

/** Raw SQL that reads or writes a tenant's table by a bare name, in a query of a shared entity. */
const SHARED: Readonly<Record<string, Path>> = {
  'qb.select': em =>
    em
      .qb(Genre, 'g')
      .select(raw(`${TITLE} as title`))
      .execute(),
  'qb.select, as a result': em =>
    em
      .qb(Genre, 'g')
      .select(['*', raw(`${TITLE} as title`)])
      .getResultList(),
  'qb.where': em => em.qb(Genre, 'g').where(`${TITLE} is not null`).execute(),
  'qb.orderBy': em =>
    em
      .qb(Genre, 'g')
      .orderBy({ [raw(TITLE)]: 'asc' } as never)
      .execute(),
  'qb.getCount': em => em.qb(Genre, 'g').where(`${TITLE} is not null`).getCount(),
  'qb.stream': async em => {
    const found: unknown[] = [];

    for await (const each of em
      .qb(Genre, 'g')
      .select(['*', raw(`${TITLE} as title`)])
      .stream({ mapResults: false })) {
      found.push(each);
    }

    return found;
  },
  'qb.update': em =>
    em
      .qb(Genre)
      .update({ name: raw(TITLE) })
      .where({ id: 1 })
      .execute(),
  'qb.insert': em =>
    em
      .qb(Genre)
      .insert({ id: 99, name: raw(TITLE) })
      .execute(),
  'qb.delete': em =>
    em
      .qb(Genre)
      .delete({ [raw(`${TITLE} is not null`)]: [] })
      .execute(),
  find: em => em.find(Genre, { [raw(TITLE)]: { $like: 'bob%' } }),
  'find, ordered': em => em.find(Genre, {}, { orderBy: { [raw(TITLE)]: 'asc' } as never }),
  findOne: em => em.findOne(Genre, { [raw(TITLE)]: { $like: 'bob%' } }),
  findAndCount: em => em.findAndCount(Genre, { [raw(TITLE)]: { $like: 'bob%' } }, { limit: 1 }),
  count: em => em.count(Genre, { [raw(TITLE)]: { $like: 'bob%' } }),
  stream: async em => {
    const found: unknown[] = [];

    for await (const each of em.stream(Genre, { where: { [raw(TITLE)]: { $like: 'bob%' } } })) {
      found.push(each);
    }

    return found;
  },
  nativeUpdate: em => em.nativeUpdate(Genre, { id: 1 }, { name: raw<string>(TITLE) }),
  nativeDelete: em => em.nativeDelete(Genre, { [raw(TITLE)]: { $like: 'bob%' } }),
  insert: em => em.insert(Genre, { id: 99, name: raw(TITLE) }),
  upsert: async em => {
    await em.upsert(Genre, { id: 99, name: raw<string>(TITLE) });

    return 'written';
  },
  'a flush': async em => {
    (await em.findOneOrFail(Genre, 1)).name = raw(TITLE);
    await em.flush();

    return em.refresh(await em.findOneOrFail(Genre, 1));
  },
  'em.execute': em => em.execute('select title from book'),
};

/** The ways to send raw SQL with an EntityManager. The driver itself does not know which one it was taken from. */
const SENT: Readonly<Record<string, Path>> = {
  ...Object.fromEntries(Object.entries(STATEMENTS).filter(([way]) => !/^em\.getDriver\(\)|begin$/.test(way))),
  'em.getConnection().begin': async em => {
    const connection = em.getConnection();
    const ctx = await connection.begin();

    try {
      return await connection.execute(TITLES, [], 'all', ctx);
    } finally {
      await connection.rollback(ctx);
    }
  },
  'em.getConnection().stream': async em => {
    const titles: unknown[] = [];

    for await (const row of em.getConnection().stream('select title from book order by id')) {
      titles.push(row);
    }

    return titles;
  },
  'em.getConnection().stream, read later': async em => {
    const rows = em.getConnection().stream('select title from book order by id');

    return runInPublic(async () => {
      const row = await rows.next();
      await rows.return?.(undefined);

      return row;
    });
  },
  'the connection of a transaction': em =>
    em.transactional(tx => tx.getConnection().execute(TITLES, [], 'all', tx.getTransactionContext())),
  'the connection of a context': em => RequestContext.create(em, () => contextOf(em).getConnection().execute(TITLES)),
  'Kysely, of a table of no entity': em => em.getKysely<any>().selectFrom('shelf').selectAll().execute(),
  'SQL with a schema': em => em.getConnection().execute('select title from acme.book'),
};

const TITLES = 'select title from book order by id';

/** The EntityManagers of acme that code may keep. */
const KEPT: Readonly<Record<string, (orm: LibraryOrm) => Promise<TenantEntityManager>>> = {
  'the one of its scope': () => runInTenant('acme', async em => em),
  'a fork of the one of its scope': () => runInTenant('acme', async em => em.fork()),
  'a fork by name': async orm => orm.em.fork({ schema: 'acme' }),
};

onDatabases('an EntityManager of acme that is kept', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openTwins(database);

    for (const [schema, label] of [
      ['acme', 'acme'],
      ['bob', 'bob'],
      ['public', 'decoy'],
    ]) {
      await database.query(`create table ${schema}.shelf as select '${label}' as label`);
    }
  });

  for (const [kind, keep] of Object.entries(KEPT)) {
    for (const [way, path] of Object.entries({ ...FRAGMENTS, ...SHARED })) {
      it(`law 2: ${kind}, in the scope of bob, sends no raw SQL as bob: ${way}`, async () => {
        const em = await keep(orm);
        const answer = await runInTenant('bob', () => attempt(em, path));

        expect(answer).to.equal('CROSS_TENANT');
      });
    }

    for (const [way, path] of Object.entries(SENT)) {
      // PGlite does not stream
      if (way.includes('stream') && database.kind === 'pglite') {
        continue;
      }

      it(`law 2: ${kind} sends raw SQL as acme, and never as bob or for public: ${way}`, async () => {
        const em = await keep(orm);

        for (const answer of [await attemptAlone(em, path), await runInPublic(() => attemptAlone(em, path))]) {
          expect(JSON.stringify(answer)).to.contain('acme').and.not.contain('decoy').and.not.contain('bob');
        }

        expect(await runInTenant('bob', () => attemptAlone(em, path))).to.equal('CROSS_TENANT');
        expect(JSON.stringify(await runInTenant('acme', () => attemptAlone(em, path)))).to.contain('acme');
      });
    }

    it(`law 2: ${kind} has the connection of the ORM for all else`, async () => {
      const em = await keep(orm);
      const connection = em.getConnection();

      expect(connection).to.be.instanceOf(orm.driver.getConnection().constructor);
      expect(connection.constructor).to.equal(orm.driver.getConnection().constructor);
      expect(await connection.isConnected()).to.equal(true);
      expect(await connection.getNativeClient()).to.equal(await orm.driver.getConnection().getNativeClient());
      expect(await runInTenant('acme', inner => inner.getConnection())).to.equal(orm.driver.getConnection());
    });

    it(`law 3: ${kind}, in the scope of bob, reads shared rows as ever`, async () => {
      const em = await keep(orm);

      await runInTenant('bob', async () => {
        expect(await em.count(Genre)).to.be.greaterThan(0);
        await em.nativeUpdate(Genre, { id: 1 }, { name: 'Story' });
        await em.transactional(tx =>
          tx.transactional(async inner => {
            (await inner.findOneOrFail(Genre, 1)).name = 'Novel';
          }),
        );
      });
      expect(await runInPublic(inner => inner.findOneOrFail(Genre, 1))).to.include({ name: 'Novel' });
    });
  }

  // some open a transaction of their own
  async function attemptAlone(em: TenantEntityManager, path: Path): Promise<unknown> {
    try {
      return await path(em);
    } catch (error) {
      return error instanceof TenantError ? error.code : Promise.reject(error);
    }
  }

  async function attempt(em: TenantEntityManager, path: Path): Promise<unknown> {
    try {
      return await em.transactional(async tx => {
        const answer = await path(tx);
        throw new TakenBack(answer);
      });
    } catch (error) {
      if (error instanceof TakenBack) {
        return error.answer;
      }

      if (error instanceof TenantError) {
        return error.code;
      }

      throw error;
    }
  }
});

function contextOf(em: TenantEntityManager): TenantEntityManager {
  return (RequestContext.getEntityManager(em.name) ?? expect.fail('no context')) as unknown as TenantEntityManager;
}

/** Rolls back what was done, and brings its answer. */
class TakenBack extends Error {
  readonly answer: unknown;

  constructor(answer: unknown) {
    super('taken back');
    this.answer = answer;
  }
}
