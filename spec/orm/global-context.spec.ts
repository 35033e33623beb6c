import { runInPublic, runInTenant } from '@landlord/mikro-orm';
import { RequestContext } from '@mikro-orm/core';
import * as legacy from '@mikro-orm/decorators/legacy';
import { expect } from 'chai';
import { Book, Tag } from '../../fixtures/entities/index.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { everyRowOfTwins, openTwins } from '../support/orm/twins.ts';

type Work = () => Promise<unknown>;

/** What may stand between a scope and the work in it. */
const AROUND: Readonly<Record<string, (orm: LibraryOrm, work: Work) => Promise<unknown>>> = {
  nothing: (_, work) => work(),
  'a request context': (orm, work) => RequestContext.create(orm.em, work),
  'a request context that is entered': async (orm, work) => {
    RequestContext.enter(orm.em);

    return work();
  },
  'a transaction': (orm, work) => orm.em.transactional(work),
  '@Transactional()': (orm, work) => byLegacy(legacy.Transactional(), orm, work),
  '@CreateRequestContext()': (orm, work) => byLegacy(legacy.CreateRequestContext(), orm, work),
  '@EnsureRequestContext()': (orm, work) => byLegacy(legacy.EnsureRequestContext(), orm, work),
};

onDatabases('a global EntityManager that may be used', database => {
  let orm: LibraryOrm;
  let theirs: Book;

  const titleOf = async (): Promise<string> => (await orm.em.findOneOrFail(Book, 1)).title;

  before(async () => {
    orm = await openTwins(database, { allowGlobalContext: true });
  });

  beforeEach(async () => {
    orm.em.clear();
    // all that follows finds another tenant's rows of the same keys in the global one
    theirs = await orm.em.findOneOrFail(Book, 1, { schema: 'acme', populate: ['author'] });
  });

  for (const [name, around] of Object.entries(AROUND)) {
    it(`law 2: is each scope's in it, and has no tenant outside: ${name}`, async () => {
      const each = (schemaName: string): Promise<unknown> =>
        runInTenant(schemaName, () => around(orm, async () => expect(await titleOf()).to.equal(`${schemaName} book 1`)));

      await each('bob');
      await around(orm, () => each('bob'));
      await runInTenant('acme', () => around(orm, () => each('bob')));
      await around(orm, () => refusal(titleOf, 'TENANT_CONTEXT_REQUIRED'));
      await runInPublic(() => around(orm, () => refusal(titleOf, 'TENANT_CONTEXT_REQUIRED')));
      await refusal(titleOf, 'TENANT_CONTEXT_REQUIRED');
    });

    it(`law 2: what it holds of a tenant is refused in another's scope, and nothing of it is stored there: ${name}`, async () => {
      const untouched = await everyRowOfTwins(database);
      theirs.title = 'changed';

      await runInTenant('bob', () =>
        around(orm, async () => {
          await refusal(() => orm.em.refresh(theirs), 'CROSS_TENANT');
          await refusal(() => orm.em.populate([theirs], ['author'], { refresh: true }), 'CROSS_TENANT');
          await refusal(async () => orm.em.persist(theirs).flush(), 'CROSS_TENANT');
          orm.em.clear();
          await orm.em.flush();
        }),
      );

      expect(await everyRowOfTwins(database)).to.deep.equal(untouched);
    });
  }

  it('law 8: keeps what it is to store from the scopes, also while they are flushed', async () => {
    orm.em.create(Tag, { id: 50, name: 'acme tag' }, { schema: 'acme' });
    await runInTenant('bob', async () => {
      orm.em.create(Tag, { id: 51, name: 'bob tag' });
      await orm.em.flush();
    });
    const newTags = (schemaName: string): Promise<unknown> => database.query(`delete from ${schemaName}.tag where id >= 50 returning id`);
    expect([await newTags('acme'), await newTags('bob')]).to.deep.equal([[], [{ id: 51 }]]);

    await orm.em.flush();
    expect([await newTags('acme'), await newTags('bob')]).to.deep.equal([[{ id: 50 }], []]);
  });
});

/** Calls a decorated method of a service that has an ORM. */
async function byLegacy(decorate: (...args: any[]) => any, orm: LibraryOrm, work: Work): Promise<unknown> {
  class Service {
    readonly orm = orm;
    readonly em = orm.em;

    async run(): Promise<unknown> {
      return work();
    }
  }

  const own = Object.getOwnPropertyDescriptor(Service.prototype, 'run');
  Object.defineProperty(Service.prototype, 'run', decorate(Service.prototype, 'run', own) ?? own);

  return new Service().run();
}
