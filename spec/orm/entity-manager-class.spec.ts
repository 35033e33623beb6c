import { runInPublic, runInTenant, TenantEntityManager } from '@landlord/mikro-orm';
import { EntityManager as CoreEntityManager, RequestContext, type MikroORM } from '@mikro-orm/core';
import { EntityManager as PgliteEntityManager, PgliteDriver } from '@mikro-orm/pglite';
import { EntityManager, PostgreSqlDriver } from '@mikro-orm/postgresql';
import { EntityManager as SqlEntityManager } from '@mikro-orm/sql';
import { expect } from 'chai';
import { Book, Library } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/databases/database.ts';
import { failureOf } from '../support/assertions/failure.ts';
import { initLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { openPlainOrm } from '../support/orm/open-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

type AnyEm = TenantEntityManager;

/** Every way to an EntityManager, in the scope of acme. */
const WAYS: Readonly<Record<string, (orm: MikroORM<any, AnyEm>, fn: (em: AnyEm) => unknown) => unknown>> = {
  'the global em': (orm, fn) => fn(orm.em),
  'the driver’s': (orm, fn) => fn(orm.driver.createEntityManager() as AnyEm),
  'the em of the scope': (orm, fn) => runInTenant('acme', fn, { orm }),
  'the em of the public scope': (orm, fn) => runInPublic(fn, { orm }),
  'a fork': (orm, fn) => fn(orm.em.fork()),
  'a fork of a fork, with all that it can keep': (orm, fn) =>
    fn(orm.em.fork().fork({ clear: false, useContext: true, keepTransactionContext: true, freshEventManager: true })),
  'a fork of this very em': (orm, fn) => runInTenant('acme', () => fn(orm.em.fork({ disableContextResolution: true })), { orm }),
  'the em of a transaction': (orm, fn) => runInTenant('acme', em => em.transactional(tx => fn(tx)), { orm }),
  'the em of a request context': (orm, fn) => RequestContext.create(orm.em, () => fn(RequestContext.getEntityManager() as AnyEm)),
  'the em of a repository': (orm, fn) => fn(orm.em.getRepository(Book).getEntityManager() as unknown as AnyEm),
};

onDatabases('the class of the EntityManager', database => {
  let orm: LibraryOrm;
  let stock: typeof CoreEntityManager;
  let foreign: Book;

  before(async () => {
    orm = await openTwins(database);
    foreign = orm.em.fork({ schema: 'bob' }).getReference(Book, 1);
    const plain = await openPlainOrm(database, { entities: [Book] });
    stock = plain.em.constructor as typeof CoreEntityManager;
  });

  it('G5 is told of its prototype and of a copy too, which is what test runners print', async () => {
    for (const em of [orm.em, orm.em.fork(), await runInTenant('acme', scoped => scoped)] as object[]) {
      const prototype = Object.getPrototypeOf(em) as object;
      const copy = Object.create(prototype, { config: { value: Object.create(Object.getPrototypeOf(orm.config) as object) } }) as object;

      expect(prototype.constructor).to.equal(stock);
      expect(copy.constructor).to.equal(stock);
    }
  });

  for (const [name, open] of Object.entries(WAYS)) {
    it(`G5 is the one that MikroORM has without tenants: ${name}`, async () => {
      let seen = 0;
      await open(orm, em => {
        seen++;
        expect(em.constructor).to.equal(stock);
        expect(em.constructor.name).to.equal(database.kind === 'pglite' ? 'BasePostgreSqlEntityManager' : 'PostgreSqlEntityManager');

        for (const each of [stock, CoreEntityManager, SqlEntityManager, PgliteEntityManager, TenantEntityManager]) {
          expect(em).to.be.instanceOf(each);
        }

        expect(em instanceof EntityManager).to.equal(database.kind !== 'pglite');
      });
      expect(seen).to.equal(1);
    });

    it(`law 2: ${name}, and what is forked from it, is under guard`, async () => {
      const refused = async (em: AnyEm): Promise<void> => {
        for (const each of [em, em.fork({ disableContextResolution: true })]) {
          expect('bindToScope' in each).to.equal(true);
          const failed = await runInTenant('acme', async () => await failureOf(() => each.nativeDelete(Book, foreign)), { orm });
          expect(failed).to.have.property('code', 'CROSS_TENANT');
        }
      };

      await open(orm, refused);
      expect(await database.query('select id from bob.book')).to.have.length(2);
    });
  }

  it('G5 an ORM without tenants has no EntityManager with tenants', async () => {
    const plain = await openPlainOrm(database, { entities: [Book] });

    for (const other of [plain.em, plain.em.fork(), {}, undefined, null, 1]) {
      expect(other instanceof TenantEntityManager).to.equal(false);
    }
  });

  it('G5 a class that extends TenantEntityManager has its own objects alone', () => {
    class Own extends TenantEntityManager {}

    expect(orm.em instanceof Own).to.equal(false);
  });

  it('G5 a driver and an EntityManager of the user’s give the user’s class', async () => {
    class OwnDriver extends (database.kind === 'pglite' ? PgliteDriver : (PostgreSqlDriver as never as typeof PgliteDriver)) {}
    class OwnEm extends stock {
      override fork(...args: Parameters<CoreEntityManager['fork']>): this {
        return super.fork({ ...args[0], disableContextResolution: true });
      }
    }
    const own = await initLibrary(database, {}, { driver: OwnDriver });
    expect(own.em.constructor).to.equal(stock);
    const ownEm = await initLibrary(database, {}, { entityManager: OwnEm as never });
    await runInTenant(
      'acme',
      em => {
        for (const each of [em, em.fork(), ownEm.em]) {
          expect(each.constructor).to.equal(OwnEm);
          expect(each).to.be.instanceOf(OwnEm);
        }
      },
      { orm: ownEm },
    );
  });

  for (const allowGlobalContext of [false, true]) {
    it(`law 2: what an ORM without tenants forks in a scope, as both have one name, is under guard, with allowGlobalContext ${allowGlobalContext}`, async () => {
      const plain = await openPlainOrm(database, { entities: [Book] });
      const own = await initLibrary(database, {}, { allowGlobalContext });
      expect(plain.em.name).to.equal(own.em.name);

      await runInTenant(
        'acme',
        async em => {
          for (const fork of [plain.em.fork(), em]) {
            expect('bindToScope' in fork).to.equal(true);
            expect(await failureOf(() => fork.nativeDelete(Book, foreign))).to.have.property('code', 'CROSS_TENANT');
          }

          await RequestContext.create(plain.em, async () => {
            expect('bindToScope' in RequestContext.getEntityManager()!).to.equal(true);
            expect(await own.em.count(Book)).to.equal(2);
            expect(await failureOf(() => own.em.nativeDelete(Book, foreign))).to.have.property('code', 'CROSS_TENANT');
          });
          expect(em.constructor).to.equal(stock);
          expect(own.em.constructor).to.equal(stock);
        },
        { orm: own },
      );
      expect(await database.query('select id from bob.book')).to.have.length(2);
      // MikroORM's own check of the global context is as the config says
      expect((await failureOfOrNone(() => own.em.count(Library))) === undefined).to.equal(allowGlobalContext);
    });
  }

  it('law 2: a fork that comes of something else than the guarded class is refused', async () => {
    let isCareless = false;
    class Careless extends stock {
      override fork(...args: Parameters<CoreEntityManager['fork']>): this {
        return isCareless ? (new stock(this.config, this.driver, this.getMetadata(), false) as this) : super.fork(...args);
      }
    }
    const careless = await initLibrary(database, {}, { entityManager: Careless as never });
    isCareless = true;
    const error = await failureOf(() => careless.em.fork());
    isCareless = false;

    expect(error).to.be.instanceOf(TypeError).with.property('message').that.contains('no guards');
  });
});

async function failureOfOrNone(fn: () => Promise<unknown>): Promise<unknown> {
  try {
    await fn();

    return undefined;
  } catch (error) {
    return error;
  }
}
