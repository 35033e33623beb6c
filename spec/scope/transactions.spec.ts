import { runInPublic, runInTenant } from '@landlord/mikro-orm';
import { TransactionPropagation } from '@mikro-orm/core';
import { expect } from 'chai';
import { AsyncResource } from 'node:async_hooks';
import { Book, Genre, Tag } from '../../fixtures/entities/index.ts';
import { onDatabases, onDatabasesAndPooler } from '../support/databases/database.ts';
import { newLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { rollBackAfter } from '../support/orm/roll-back-after.ts';
import { failureOf, sqlStateOf } from '../support/assertions/failure.ts';

onDatabasesAndPooler('scopes and transactions, on a pool of one', database => {
  let orm: LibraryOrm;
  let defaultPath: string;

  const pathNow = async (): Promise<string> =>
    (await orm.em.fork({ keepTransactionContext: true }).getDriver().execute<{ path: string }[]>(PATH))[0]?.path ?? '';
  const titleNow = async (): Promise<string> => (await orm.em.findOneOrFail(Book, 1, { refresh: true })).title;
  const rawTitles = async (): Promise<string[]> => {
    const rows = await orm.em.execute<{ title: string }[]>('select title from book order by id');

    return rows.map(({ title }) => title);
  };

  before(async () => {
    orm = await openTwins(database, { pool: { min: 1, max: 1 } });
    defaultPath = await pathNow();
    expect(defaultPath).to.contain('public');
  });

  afterEach(async () => {
    expect(await pathNow(), 'N3: the path of the connection').to.equal(defaultPath);
  });

  it('N3, law 3: raw SQL in a scope finds the tenant’s tables, and leaves the connection as it was', async () => {
    expect(await runInTenant('acme', rawTitles)).to.deep.equal(['acme book 1', 'acme book 2']);
    expect(await pathNow()).to.equal(defaultPath);
    expect(await runInTenant('bob', rawTitles)).to.deep.equal(['bob book 1', 'bob book 2']);
  });

  it('N3 raw SQL that fails leaves the connection as it was', async () => {
    await runInTenant('acme', async em => {
      expect(sqlStateOf(await failureOf(em.execute('select * from nothing')))).to.equal('42P01');
      expect(await pathNow()).to.equal(defaultPath);
      expect(await rawTitles()).to.deep.equal(['acme book 1', 'acme book 2']);
    });
  });

  it('N3 in a caller’s transaction the path is put back, also after SQL that never reached the server', async () => {
    await runInTenant('acme', em =>
      em.transactional(async tx => {
        const before = await tx.getDriver().execute<{ path: string }[]>(PATH, [], 'all', tx.getTransactionContext());
        await rawTitles();
        await refusal(tx.execute('select ?', [Symbol('no value')]), 'VALUE_UNSUPPORTED');
        const afterwards = await tx.getDriver().execute<{ path: string }[]>(PATH, [], 'all', tx.getTransactionContext());
        expect(afterwards).to.deep.equal(before);
      }),
    );
  });

  it('S11 raw SQL of two tenants at once in one transaction never reads the other’s path', async () => {
    await runInPublic(em =>
      em.transactional(async () => {
        const names = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? 'acme' : 'bob'));
        const read = await Promise.all(names.map(name => runInTenant(name, rawTitles)));
        expect(read.map(titles => titles[0])).to.deep.equal(names.map(name => `${name} book 1`));
      }),
    );
  });

  it('S11 a savepoint rolled back after a switch leaves every scope its tenant', async () => {
    await runInPublic(em =>
      em.transactional(async () => {
        await runInTenant('acme', async acme => {
          await rawTitles();
          await rollBackAfter(acme, async tx => {
            (await tx.findOneOrFail(Book, 1)).title = 'undone';
            await tx.flush();
            await runInTenant('bob', async () => expect([await titleNow(), ...(await rawTitles())]).to.include('bob book 1'));
            await rawTitles();
          });
          acme.clear();
          expect([await titleNow(), (await rawTitles())[0]]).to.deep.equal(['acme book 1', 'acme book 1']);
          expect(sqlStateOf(await failureOf(acme.transactional(tx => tx.execute('select * from nothing'))))).to.equal('42P01');
          expect([await titleNow(), (await rawTitles())[0]]).to.deep.equal(['acme book 1', 'acme book 1']);
        });
        await runInTenant('bob', async () =>
          expect([await titleNow(), (await rawTitles())[0]]).to.deep.equal(['bob book 1', 'bob book 1']),
        );
        await refusal(() => orm.em.find(Book, {}), 'TENANT_CONTEXT_REQUIRED');
      }),
    );
  });

  it('S11 what scopes write in a transaction around them is stored or undone with it', async () => {
    const write = async (): Promise<void> => {
      for (const name of ['acme', 'bob']) {
        await runInTenant(name, em => em.persistAndFlush(em.create(Tag, { id: 300, name: `${name} in one` })));
      }
    };
    const stored = async (): Promise<unknown[]> => [
      ...(await database.query(`select name from acme.tag where id = 300`)),
      ...(await database.query(`select name from bob.tag where id = 300`)),
      ...(await database.query(`select name from public.tag where id = 300`)),
    ];

    await runInPublic(em => rollBackAfter(em, write));
    expect(await stored()).to.deep.equal([]);
    await runInPublic(em => em.transactional(write));
    expect(await stored()).to.deep.equal([{ name: 'acme in one' }, { name: 'bob in one' }]);
  });

  it('S11 every propagation of a nested transaction stays on the scope’s tenant', async () => {
    const { NESTED, REQUIRED, SUPPORTS, MANDATORY } = TransactionPropagation;

    for (const propagation of [NESTED, REQUIRED, SUPPORTS, MANDATORY]) {
      await runInTenant('bob', em =>
        em.transactional(async () => {
          const title = await orm.em.transactional(tx => tx.findOneOrFail(Book, 1).then(book => book.title), { propagation });
          expect([title, await titleNow()], propagation).to.deep.equal(['bob book 1', 'bob book 1']);
        }),
      );
    }
  });

  it('S10, S11 options that are made once begin each tenant’s transaction for itself, whichever they were used in before', async () => {
    const options = {};

    for (const [name, tags] of [
      ['acme', []],
      ['bob', [{ id: 302 }]],
    ] as const) {
      await runInTenant(name, async em => {
        const failure = failureOf(
          em.transactional(async () => {
            await orm.em.transactional(tx => tx.insert(Tag, { id: 302, name: 'nested' }), options);
            throw new Error('undone');
          }),
        );
        expect(String(await failure)).to.equal('Error: undone');
        await em.transactional(tx => tx.insert(Tag, { id: 302, name: 'alone' }), options);
      });

      expect(await database.query(`select id from bob.tag where id = 302`), name).to.deep.equal(tags);
    }

    expect(options).to.deep.equal({});
    await database.query('delete from acme.tag where id = 302');
    await database.query('delete from bob.tag where id = 302');
  });

  it('S11 `em.begin()` and `em.commit()` in a scope are of its tenant, with scopes entered between them', async () => {
    await runInTenant('acme', async em => {
      await em.begin();
      em.persist(em.create(Tag, { id: 301, name: 'begun' }));
      await em.flush();
      expect(await runInTenant('bob', inner => inner.count(Tag, { id: 301 }))).to.equal(0);
      expect(await em.count(Tag, { id: 301 })).to.equal(1);
      await em.rollback();
    });

    expect(await database.query(`select * from acme.tag where id = 301`)).to.deep.equal([]);
  });

  it('S11, T7 a tenant created in a transaction is worked on in it, and is gone with it', async () => {
    await runInPublic(em =>
      rollBackAfter(em, async tx => {
        await tx.persistAndFlush(newLibrary('carol'));
        await runInTenant('carol', async inner => {
          await inner.persistAndFlush(inner.create(Tag, { id: 1, name: 'carol tag' }));
          expect(await inner.execute('select name from tag')).to.deep.equal([{ name: 'carol tag' }]);
        });
      }),
    );

    await refusal(() => runInTenant('carol', () => undefined), 'TENANT_UNKNOWN');
    expect(await database.query(`select 1 from pg_namespace where nspname = 'carol'`)).to.deep.equal([]);
  });

  it('S6 a shared entity changed in a tenant’s transaction is changed in the public schema', async () => {
    await runInTenant('acme', em =>
      em.transactional(async tx => {
        (await tx.findOneOrFail(Genre, 1)).description = 'from acme';
      }),
    );

    expect(await database.query(`select description from public.genre where id = 1`)).to.deep.equal([{ description: 'from acme' }]);
  });
});

// qualified and quoted, so that the guard sends it unchanged in a scope too
const PATH = `select pg_catalog.current_setting('search_path') as "path"`;

onDatabases(
  'transactions of two tenants at once',
  database => {
    it('S10, S11 options that are made once never begin the one’s transaction in the other’s', async () => {
      const orm = await openTwins(database);
      const options = {};

      const failure = runInTenant('acme', em =>
        em.transactional(async () => {
          await orm.em.transactional(tx => tx.insert(Tag, { id: 302, name: 'nested' }), options);
          await runAlone(() => runInTenant('bob', bob => bob.transactional(tx => tx.insert(Tag, { id: 302, name: 'of bob' }), options)));
          throw new Error('undone');
        }),
      );

      expect(String(await failureOf(failure))).to.equal('Error: undone');
      expect(await database.query(`select name from bob.tag where id = 302`)).to.deep.equal([{ name: 'of bob' }]);
      expect(await database.query(`select name from acme.tag where id = 302`)).to.deep.equal([]);
    });
  },
  ['postgresql'],
);

/** As another request would, in no scope and no transaction. */
const runAlone = AsyncResource.bind((work: () => Promise<unknown>) => work());
