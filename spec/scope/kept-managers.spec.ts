import { runInPublic, runInTenant, TenantError, type TenantEntityManager } from '@landlord/mikro-orm';
import { raw } from '@mikro-orm/core';
import { expect } from 'chai';
import { Genre } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { FRAGMENTS } from '../support/orm/raw-paths.ts';
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
  });

  for (const [kind, keep] of Object.entries(KEPT)) {
    for (const [way, path] of Object.entries({ ...FRAGMENTS, ...SHARED })) {
      it(`law 2: ${kind}, in the scope of bob, sends no raw SQL as bob: ${way}`, async () => {
        const em = await keep(orm);
        const answer = await runInTenant('bob', () => attempt(em, path));

        expect(answer).to.equal('CROSS_TENANT');
      });
    }

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

/** Rolls back what was done, and brings its answer. */
class TakenBack extends Error {
  readonly answer: unknown;

  constructor(answer: unknown) {
    super('taken back');
    this.answer = answer;
  }
}
