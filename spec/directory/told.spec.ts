import { AsyncLocalStorage } from 'node:async_hooks';
import { runInTenant, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Library } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { until } from '../support/assertions/until.ts';
import { visitorOf, type Visit } from '../support/web/visitor.ts';
import { rollBackAfter } from '../support/orm/roll-back-after.ts';

onDatabases('a directory that is told of changes', database => {
  let orm: LibraryOrm;
  /** Of another process, as far as the library can tell. */
  let other: LibraryOrm;
  let visit: (host: string) => Promise<Visit>;
  let visitOther: typeof visit;

  before(async () => {
    // what nobody tells of is not seen before `until` gives up
    orm = await openLibrary(database, { directory: { unknownTtlMs: 600_000 } });
    other = await openLibrary(database, { directory: { unknownTtlMs: 600_000 } });
    visit = visitorOf(orm);
    visitOther = visitorOf(other);
    await orm.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob')]);
    await knows(visit, 'acme');
    await knows(visitOther, 'acme');
  });

  const changes: Record<string, { readonly change: () => Promise<unknown>; readonly whose: Readonly<Record<string, string>> }> = {
    'created by a flush': {
      change: () => orm.em.fork().persistAndFlush(newLibrary('carl')),
      whose: { carl: 'carl' },
    },
    'created by the service': {
      change: () => tenants(orm).create({ name: 'dora', domainUrl: 'dora.example.com', schemaName: 'dora' }),
      whose: { dora: 'dora' },
    },
    'moved to another host': {
      change: async () => changed('bob', library => (library.domainUrl = 'robert.example.com')),
      whose: { bob: 'HOST_UNKNOWN', robert: 'bob' },
    },
    'renamed by a flush': {
      change: async () => changed('carl', library => (library.schemaName = 'charles')),
      whose: { carl: 'charles' },
    },
    'renamed by the service': {
      change: () => tenants(orm).rename('dora', 'dorothy'),
      whose: { dora: 'dorothy' },
    },
    'one of several that are moved in one flush': {
      change: async () => {
        const em = orm.em.fork();
        for (const library of await em.find(Library, { schemaName: { $in: ['acme', 'bob'] } })) {
          library.domainUrl = `new-${library.schemaName}.example.com`;
        }
        await em.flush();
      },
      whose: { acme: 'HOST_UNKNOWN', robert: 'HOST_UNKNOWN', 'new-acme': 'acme', 'new-bob': 'bob' },
    },
    'deleted by a flush': {
      change: async () => {
        const em = orm.em.fork();
        await em.removeAndFlush(await em.findOneOrFail(Library, { schemaName: 'charles' }));
      },
      whose: { carl: 'HOST_UNKNOWN' },
    },
    'dropped by the service': {
      change: () => tenants(orm).drop('dorothy'),
      whose: { dora: 'HOST_UNKNOWN' },
    },
  };

  for (const [title, { change, whose }] of Object.entries(changes)) {
    it(`H10 sees a tenant that is ${title}: at once in this process, and in another as soon as it is told`, async () => {
      for (const host of Object.keys(whose)) {
        await visit(`${host}.example.com`);
        await visitOther(`${host}.example.com`);
      }

      await change();

      for (const [host, expected] of Object.entries(whose)) {
        expect((await visit(`${host}.example.com`)).served, host).to.equal(expected);
        await until(`${host} is ${expected}`, async () => (await visitOther(`${host}.example.com`)).served === expected);
      }
    });
  }

  const columns: Record<string, () => Promise<unknown>> = {
    'a flush': () => changed('acme', library => (library.onTrial = !library.onTrial)),
    'a flush of one that was not loaded': async () => {
      const em = orm.em.fork();
      const { id, onTrial } = await orm.em.fork().findOneOrFail(Library, { schemaName: 'acme' });
      em.getReference(Library, id).onTrial = !onTrial;
      await em.flush();
    },
    'em.nativeUpdate()': async () => orm.em.fork().nativeUpdate(Library, { schemaName: 'acme' }, { onTrial: !(await isOnTrial(visit)) }),
    'em.nativeUpdate() in a transaction': async () =>
      orm.em.fork().transactional(async em => em.nativeUpdate(Library, { schemaName: 'acme' }, { onTrial: !(await isOnTrial(visit)) })),
    'a query builder': async () =>
      orm.em
        .fork()
        .createQueryBuilder(Library)
        .update({ onTrial: !(await isOnTrial(visit)) })
        .where({ schemaName: 'acme' })
        .execute(),
    'a query builder in a transaction': async () =>
      orm.em.fork().transactional(async em =>
        em
          .createQueryBuilder(Library)
          .update({ onTrial: !(await isOnTrial(visit)) })
          .execute(),
      ),
    'a query builder in its own scope': async () => {
      const onTrial = !(await isOnTrial(visit));

      await runInTenant('acme', em => em.createQueryBuilder(Library).update({ onTrial }).where({ schemaName: 'acme' }).execute(), { orm });
    },
    'the tenant itself, in its own scope': () =>
      runInTenant(
        'acme',
        async em => {
          const own = await em.findOneOrFail(Library, { schemaName: 'acme' });
          own.onTrial = !own.onTrial;
          await em.flush();
        },
        { orm },
      ),
  };

  for (const [title, change] of Object.entries(columns)) {
    it(`H10 sees a column of the user's that is changed by ${title}`, async () => {
      const before = await isOnTrial(visit);
      expect(await isOnTrial(visitOther)).to.equal(before);

      await change();

      expect(await isOnTrial(visit)).to.equal(!before);
      await until('the other sees it', async () => (await isOnTrial(visitOther)) === !before);
    });
  }

  it('H10 sees nothing of a change that is rolled back, and the change of a savepoint when all is committed', async () => {
    await rollBackAfter(orm.em.fork(), async em => {
      await em.transactional(async inner => {
        (await inner.findOneOrFail(Library, { schemaName: 'acme' })).name = 'Rolled back';
      });
      await visitOther('new-acme.example.com');
    });
    expect((await visit('new-acme.example.com')).tenant).to.include({ name: 'acme' });

    await orm.em.fork().transactional(async em => {
      await em.transactional(async inner => {
        (await inner.findOneOrFail(Library, { schemaName: 'acme' })).name = 'Acme & Sons';
      });
    });
    expect((await visit('new-acme.example.com')).tenant).to.include({ name: 'Acme & Sons' });
  });

  it('H10 sees the change of a tenant that was loaded before another process renamed it', async () => {
    await orm.em.fork().persistAndFlush(newLibrary('erin'));
    await knows(visitOther, 'erin');
    const em = orm.em.fork();
    const loaded = await em.findOneOrFail(Library, { schemaName: 'erin' });
    await tenants(other).rename('erin', 'erin_two');
    await until('the rename is seen', async () => (await visitOther('erin.example.com')).served === 'erin_two');
    await until('the rename is seen here', async () => (await visit('erin.example.com')).served === 'erin_two');

    loaded.domainUrl = 'new-erin.example.com';
    await em.flush();

    for (const by of [visit, visitOther]) {
      await until('it is moved', async () => (await by('erin.example.com')).served === 'HOST_UNKNOWN');
      expect((await by('new-erin.example.com')).served).to.equal('erin_two');
    }

    const removing = orm.em.fork();
    const removed = await removing.findOneOrFail(Library, { schemaName: 'erin_two' });
    await tenants(other).rename('erin_two', 'erin');
    await until('the rename is seen', async () => (await visitOther('new-erin.example.com')).served === 'erin');
    await removing.removeAndFlush(removed);
    await until('it is gone', async () => (await visitOther('new-erin.example.com')).served === 'HOST_UNKNOWN');
    expect((await visit('new-erin.example.com')).served).to.equal('HOST_UNKNOWN');
  });

  async function changed(schemaName: string, change: (library: Library) => unknown): Promise<void> {
    const em = orm.em.fork();
    change(await em.findOneOrFail(Library, { schemaName }));
    await em.flush();
  }

  async function isOnTrial(by: typeof visit): Promise<boolean> {
    const { tenant } = await by('new-acme.example.com');

    return (tenant as Library).onTrial;
  }

  async function knows(by: typeof visit, schemaName: string): Promise<void> {
    await until(`${schemaName} is known`, async () => (await by(`${schemaName}.example.com`)).served === schemaName);
  }
});

onDatabases(
  'a directory that nobody tells of changes',
  database => {
    let orm: LibraryOrm;
    let visit: (host: string) => Promise<Visit>;

    before(async () => {
      orm = await openLibrary(database, { directory: { listen: false, ttlMs: 600_000, unknownTtlMs: 600_000 } });
      visit = visitorOf(orm);
      await orm.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob')]);
    });

    const commits: Record<string, (inside: (em: LibraryOrm['em']) => Promise<void>) => Promise<unknown>> = {
      'a transaction of an EntityManager': inside => orm.em.fork().transactional(em => inside(em as never)),
      'one within another': inside => orm.em.fork().transactional(outer => outer.transactional(em => inside(em as never))),
      'one of the connection': inside =>
        orm.em
          .fork()
          .getConnection()
          .transactional(async ctx => {
            const em = orm.em.fork();
            em.setTransactionContext(ctx);
            await inside(em);
          }),
    };

    for (const [title, commit] of Object.entries(commits)) {
      it(`H10 sees what ${title} has changed when it is committed, though others are committed meanwhile`, async () => {
        const from = (await visit('acme.example.com')).served === 'acme' ? 'acme' : 'moved';
        const to = from === 'acme' ? 'moved' : 'acme';

        await commit(async em => {
          (await em.findOneOrFail(Library, { schemaName: 'acme' })).domainUrl = `${to}.example.com`;
          await em.flush();
          // another transaction, in a separate flow
          await elsewhere(async () => {
            const theirs = orm.em.fork();
            const bob = await theirs.findOneOrFail(Library, { schemaName: 'bob' });
            bob.onTrial = !bob.onTrial;
            await theirs.flush();
            expect((await visit(`${from}.example.com`)).served).to.equal('acme');
            expect((await visit(`${to}.example.com`)).served).to.equal('HOST_UNKNOWN');
          });
        });

        expect((await visit(`${from}.example.com`)).served).to.equal('HOST_UNKNOWN');
        expect((await visit(`${to}.example.com`)).served).to.equal('acme');
      });
    }
  },
  ['postgresql'],
);

const elsewhere = AsyncLocalStorage.snapshot() as <Result>(fn: () => Result) => Result;
