import { currentTenant, runInPublic, runInTenant } from '@landlord/mikro-orm';
import { RequestContext } from '@mikro-orm/core';
import { expect } from 'chai';
import { AsyncLocalStorage } from 'node:async_hooks';
import { leaveScope } from '../../dist/orm/mikro-context.js';
import { forTenant, sqlTarget } from '../../dist/connection/statements/sql-target.js';
import { Book, Genre, Library } from '../../fixtures/entities/index.ts';
import { onDatabases, onDatabasesAndPooler } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { openBeside } from '../support/orm/open-orm.ts';

onDatabasesAndPooler('MikroORM’s contexts around scopes', database => {
  let orm: LibraryOrm;
  const own = new AsyncLocalStorage<LibraryOrm['em']>();
  let isOwnInUse = false;

  const titleNow = async (): Promise<string> => (await orm.em.findOneOrFail(Book, 1, { refresh: true })).title;

  before(async () => {
    orm = await openTwins(database, { context: name => (isOwnInUse ? own.getStore() : RequestContext.getEntityManager(name)) });
  });

  afterEach(() => {
    isOwnInUse = false;
    expect(currentTenant()).to.equal(undefined);
  });

  it('S1 a scope inside a request context made outside is that scope’s, and is none after it', async () => {
    await RequestContext.create(orm.em, async () => {
      await refusal(titleNow, 'TENANT_CONTEXT_REQUIRED');
      expect(await runInTenant('acme', titleNow)).to.equal('acme book 1');
      await refusal(titleNow, 'TENANT_CONTEXT_REQUIRED');
      expect((await orm.em.findOneOrFail(Genre, 1)).name).to.equal('crime');
    });
  });

  it('S1 a request context made inside a scope stays in it, with an identity map of its own', async () => {
    await runInTenant('bob', async em => {
      const outer = await em.findOneOrFail(Book, 1);
      await RequestContext.create(orm.em, async () => {
        const inner = await orm.em.findOneOrFail(Book, 1);
        expect(inner.title).to.equal('bob book 1');
        expect(inner).not.to.equal(outer);
      });
      await RequestContext.create(orm.em.fork(), async () => expect(await titleNow()).to.equal('bob book 1'));
    });
  });

  it('law 1, law 2: a request context of an EntityManager from outside brings no tenant in, and another’s is refused', async () => {
    const [outside, bobs] = [orm.em.fork(), orm.em.fork({ schema: 'bob' })];

    await runInTenant('acme', async () => {
      database.statements.length = 0;
      await RequestContext.create(bobs, async () => {
        const error = await titleNow().then(
          title => title,
          (thrown: { code: string }) => thrown.code,
        );
        expect(['acme book 1', 'CROSS_TENANT', 'TENANT_CONTEXT_REQUIRED']).to.include(error);
      });
      await RequestContext.create(outside, async () => {
        await refusal(() => outside.find(Book, {}), 'TENANT_CONTEXT_REQUIRED');
      });
      expect(database.statements.filter(sql => sql.includes('"bob"'))).to.deep.equal([]);
    });
  });

  it('S1 nested scopes inside a transaction each have their EntityManager, and share the transaction', async () => {
    await runInTenant('acme', em =>
      em.transactional(async tx => {
        expect(orm.em.id).to.equal(tx.id);
        await runInTenant('bob', async inner => {
          expect(orm.em.id).to.equal(inner.id);
          expect(inner.getTransactionContext()).to.equal(tx.getTransactionContext());
          expect(await titleNow()).to.equal('bob book 1');
          await inner.transactional(async nested => {
            expect(orm.em.id).to.equal(nested.id);
            await runInPublic(() => refusal(titleNow, 'TENANT_CONTEXT_REQUIRED'));
            expect(await titleNow()).to.equal('bob book 1');
          });
        });
        expect(orm.em.id).to.equal(tx.id);
        expect(await titleNow()).to.equal('acme book 1');
      }),
    );
  });

  it('S1 the user’s own `context` answers outside scopes, and the scope inside', async () => {
    isOwnInUse = true;
    const mine = orm.em.fork();

    await own.run(mine, async () => {
      expect(orm.em.id).to.equal(mine.id);
      await refusal(titleNow, 'TENANT_CONTEXT_REQUIRED');
      await runInTenant('acme', async em => {
        expect(orm.em.id).to.equal(em.id);
        expect(await titleNow()).to.equal('acme book 1');
      });
      expect(orm.em.id).to.equal(mine.id);
    });
  });

  for (const contextName of ['default', 'other']) {
    it(`S1 two ORMs in one flow never answer for each other, the second with the context name ${contextName}`, async () => {
      const second = await openBeside(database, orm, { contextName });

      try {
        await runInTenant(
          'acme',
          async em => {
            await refusal(() => second.em.fork().find(Book, {}), 'TENANT_CONTEXT_REQUIRED');
            expect(currentTenant({ orm: second })).to.equal(undefined);
            await runInTenant(
              'bob',
              async inner => {
                expect((await inner.findOneOrFail(Book, 1)).title).to.equal('bob book 1');
                expect((await second.em.findOneOrFail(Book, 1)).title).to.equal('bob book 1');
                expect((await em.findOneOrFail(Book, 1)).title).to.equal('acme book 1');
                expect(currentTenant({ orm })?.schemaName).to.equal('acme');
              },
              { orm: second },
            );
            expect(await titleNow()).to.equal('acme book 1');
          },
          { orm },
        );
      } finally {
        await second.close();
      }
    });
  }

  it('S1 work that leaves its scope leaves behind for whom SQL was said to be', () => {
    const { config } = orm;
    const inside = forTenant({ config, publicSchema: 'public' }, { schemaName: 'acme' }, () =>
      [sqlTarget(config), leaveScope(() => sqlTarget(config)), sqlTarget(config)].map(({ kind }) => kind),
    );

    expect(inside).to.deep.equal(['tenant', 'none', 'tenant']);
  });

  it('S11 another ORM’s transaction goes on through a scope of this one', async () => {
    const second = await openBeside(database, orm, { contextName: 'other' });

    try {
      await second.em.fork({ useContext: true }).transactional(async tx => {
        // a tenant would be looked up, and PGlite has no second connection for that
        await runInPublic(
          () => {
            expect(second.em.id).to.equal(tx.id);
            expect(second.em.isInTransaction()).to.equal(true);
            expect(orm.em.isInTransaction()).to.equal(false);
          },
          { orm },
        );
      });
    } finally {
      await second.close();
    }
  });
});

onDatabases(
  'the transactions of two ORMs around scopes',
  database => {
    let first: LibraryOrm;
    let second: LibraryOrm;
    let acme: Library;

    before(async () => {
      first = await openTwins(database);
      second = await openBeside(database, first, { contextName: 'other' });
      acme = await first.em.fork().findOneOrFail(Library, { schemaName: 'acme' });
      await database.query(`insert into public.genre (id, name) values (2, 'horror')`);
    });

    for (const order of ['before', 'after'] as const) {
      // of two transactions MikroORM 7.2.1 knows the inner one alone, newer versions know both: a scope leaves it at that
      it(`S11 a scope joins its own ORM’s transaction and leaves another’s as it is, which began ${order} it`, async () => {
        const [outer, inner] = order === 'before' ? [second, first] : [first, second];

        await inBoth(outer, inner, async () => {
          const own = first.em.getTransactionContext();
          const other = second.em.getTransactionContext();
          const { id } = second.em;

          await runInTenant(
            acme,
            async em => {
              expect(first.em.id).to.equal(em.id);
              expect(first.em.getTransactionContext()).to.equal(own);
              expect(second.em.getTransactionContext()).to.equal(other);
              expect(second.em.id).to.equal(id);
              expect((await first.em.findOneOrFail(Book, 1)).title).to.equal('acme book 1');
              await refusal(() => second.em.fork().find(Book, {}), 'TENANT_CONTEXT_REQUIRED');

              // each on a row of its own, as one waits for the other's
              for (const [index, { em: global }] of [first, second].entries()) {
                if (global.isInTransaction()) {
                  await global.nativeUpdate(Genre, index + 1, { name: `undone ${index}` });
                }
              }
            },
            { orm: first },
          );

          expect(second.em.getTransactionContext()).to.equal(other);
          throw new Undo();
        });

        expect(await database.query(`select name from public.genre order by id`)).to.deep.equal([{ name: 'crime' }, { name: 'horror' }]);
      });
    }
  },
  ['postgresql'],
);

/** Runs `fn` in a transaction of each, which are rolled back. */
async function inBoth(outer: LibraryOrm, inner: LibraryOrm, fn: () => Promise<void>): Promise<void> {
  const [em, innerEm] = [outer, inner].map(orm => orm.em.fork({ useContext: true }));

  await em!
    .transactional(() => innerEm!.transactional(fn))
    .catch((error: unknown) => {
      if (!(error instanceof Undo)) {
        throw error;
      }
    });
}

class Undo extends Error {}
