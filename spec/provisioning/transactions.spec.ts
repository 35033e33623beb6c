import { runInTenant, tenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Author, Library } from '../../fixtures/entities/index.ts';
import { schemaNames, storedTenants } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { rollBackAfter } from '../support/orm/roll-back-after.ts';

const PATH = `select current_setting('search_path') as path`;

onDatabases('tenants of an ORM without implicit transactions', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database, { autoDropSchema: true }, { implicitTransactions: false });
  });

  it('T5, T7 are created, renamed and deleted in a transaction of the caller alone, and refused before any SQL without one', async () => {
    await orm.em.fork().transactional(async em => void em.persist(newLibrary('acme')));
    const changes: Readonly<Record<string, (em: LibraryOrm['em'], acme: Library) => unknown>> = {
      created: em => em.persist(newLibrary('bob')),
      renamed: (_, acme) => (acme.schemaName = 'apex'),
      deleted: (em, acme) => em.remove(acme),
    };

    for (const [action, change] of Object.entries(changes)) {
      const em = orm.em.fork();
      change(em, await em.findOneOrFail(Library, { schemaName: 'acme' }));
      database.statements.length = 0;
      const error = await refusal(em.flush());

      expect(error).to.include({ code: 'TENANT_WRITE_REFUSED' });
      expect(error.message)
        .to.include(`would have ${action} a tenant outside a transaction`)
        .and.to.include('Nothing was stored')
        .and.to.include('em.transactional');
      expect(database.statements).to.deep.equal([]);
    }

    expect([await storedTenants(database), await schemaNames(database)]).to.deep.equal([['acme'], ['acme']]);
    const bob = { name: 'Bob', domainUrl: 'bob.example.com', schemaName: 'bob', onTrial: true };
    expect(await refusal(tenants<Library>(orm).create(bob))).to.include({ code: 'TENANT_WRITE_REFUSED' });
    await orm.em.transactional(() => tenants<Library>(orm).create(bob));
    await tenants(orm).drop('acme');
    expect([await storedTenants(database), await schemaNames(database)]).to.deep.equal([['bob'], ['bob']]);
  });
});

onDatabases('tenants of an ORM without transactions', database => {
  let orm: LibraryOrm;
  let whole: LibraryOrm;

  before(async () => {
    whole = await openLibrary(database, { autoDropSchema: true });
    orm = await openLibrary(database, { autoDropSchema: true }, { disableTransactions: true });
    await whole.em.fork().persistAndFlush(newLibrary('acme'));
    await database.query('create schema taken');
  });

  after(async () => {
    await orm.close();
    await whole.close();
  });

  it('T5, T7 are created, renamed and deleted by none of its EntityManagers, and refused before any SQL', async () => {
    const changes: Readonly<Record<string, (em: LibraryOrm['em'], acme: Library) => unknown>> = {
      created: em => em.persist(newLibrary('bob')),
      renamed: (_, acme) => (acme.schemaName = 'apex'),
      deleted: (em, acme) => em.remove(acme),
    };

    for (const [action, change] of Object.entries(changes)) {
      const em = orm.em.fork();
      change(em, await em.findOneOrFail(Library, { schemaName: 'acme' }));
      database.statements.length = 0;
      const error = await refusal(em.transactional(() => em.flush()));

      expect(error).to.include({ code: 'TENANT_WRITE_REFUSED' });
      expect(error.message).to.include(`a tenant ${action} outside a transaction`).and.to.include('`disableTransactions`');
      expect(database.statements).to.deep.equal([]);
    }

    const bob = { name: 'Bob', domainUrl: 'bob.example.com', schemaName: 'bob', onTrial: true };
    expect(await refusal(tenants<Library>(orm).create(bob))).to.include({ code: 'TENANT_WRITE_REFUSED' });
    expect([await storedTenants(database), await schemaNames(database)]).to.deep.equal([['acme'], ['acme', 'taken']]);
  });

  // MikroORM 7.2.1 begins a transaction for the flush all the same, newer versions begin none
  it('T7 are whole or not there at all where one EntityManager has no transactions', async () => {
    for (const schemaName of ['taken', 'bob']) {
      const em = whole.em.fork({ disableTransactions: true });
      await em.persistAndFlush(newLibrary(schemaName)).catch((error: { readonly code?: string }) => {
        expect(['TENANT_WRITE_REFUSED', 'SCHEMA_ALREADY_EXISTS']).to.include(error.code);
      });
    }

    const stored = await storedTenants(database);
    expect(stored).not.to.include('taken');
    expect(await schemaNames(database)).to.deep.equal([...stored, 'taken'].sort());
  });

  it('T7 are created in a transaction whose nested ones are ignored', async () => {
    await whole.em.fork().transactional(async em => em.persistAndFlush(newLibrary('nested')), { ignoreNestedTransactions: true });

    expect(await storedTenants(database)).to.include('nested');
    expect(await schemaNames(database)).to.include('nested');
  });
});

onDatabases("creating a tenant in a caller's transaction", database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database);
    await orm.em.fork().persistAndFlush(newLibrary('neighbour'));
  });

  it('T7 is rolled back with it', async () => {
    const [schemas, rows] = [await schemaNames(database), await storedTenants(database)];
    await rollBackAfter(orm.em.fork(), async em => {
      await em.persist(newLibrary('acme')).flush();
      expect(
        await em.execute(`select 1 from information_schema.tables where table_schema = 'acme' and table_name = 'book'`),
      ).to.have.length(1);
    });

    expect(await schemaNames(database)).to.deep.equal(schemas);
    expect(await storedTenants(database)).to.deep.equal(rows);
  });

  it('T7, N3 leaves the transaction the path that it had, and the connection its own', async () => {
    const path = async (em: LibraryOrm['em']): Promise<string | undefined> => {
      const [row] = await em.getDriver().execute<{ path: string }[]>(PATH, [], 'all', em.getTransactionContext());

      return row?.path;
    };
    const em = orm.em.fork();

    await orm.em.fork().transactional(async tx => {
      await tx.getDriver().execute(`set local search_path to neighbour`, [], 'run', tx.getTransactionContext());
      await tx.persistAndFlush(newLibrary('on_a_path'));
      expect(await path(tx)).to.equal('neighbour');
    });

    expect(await path(em)).to.not.include('neighbour');
  });

  it('T7 is rolled back with begin and rollback, and stored with begin and commit', async () => {
    const em = orm.em.fork();
    await em.begin();
    await em.persistAndFlush(newLibrary('begun'));
    await em.rollback();
    expect(await schemaNames(database)).not.to.include('begun');

    await em.begin();
    await em.persistAndFlush(newLibrary('begun_again'));
    await em.commit();
    expect(await schemaNames(database))
      .to.include('begun_again')
      .and.not.to.include('begun');
    expect(await storedTenants(database))
      .to.include('begun_again')
      .and.not.to.include('begun');
  });

  it('T7 gives a tenant that can be worked on before the commit, in the same transaction', async () => {
    const work = async (em: TenantEntityManager, name: string): Promise<void> => {
      const tenant = newLibrary(name);
      await em.persist(tenant).flush();
      await runInTenant(tenant, scoped => scoped.persistAndFlush(scoped.create(Author, { name: 'Ann' })));
      await runInTenant(name, async scoped => expect(await scoped.count(Author)).to.equal(1));
    };
    await rollBackAfter(orm.em, em => work(em, 'lost'));
    await orm.em.transactional(em => work(em, 'won'));

    expect(await schemaNames(database))
      .to.include('won')
      .and.not.to.include('lost');
    expect(await database.query('select name from won.author')).to.deep.equal([{ name: 'Ann' }]);
    expect(await runInTenant('neighbour', em => em.count(Author))).to.equal(0);
  });

  it('T7, N3 leaves the search_path of the transaction as it was', async () => {
    await orm.em.fork().transactional(async em => {
      const path = async (): Promise<unknown> => em.execute(`select current_setting('search_path') as path`);
      const before = await path();
      await em.persist([newLibrary('path_one'), newLibrary('path_two')]).flush();
      expect(await path()).to.deep.equal(before);

      await em.execute(`set local search_path to pg_catalog`);
      await em.persist(newLibrary('path_three')).flush();
      expect(await path()).to.deep.equal([{ path: 'pg_catalog' }]);
    });
  });

  it('T7 joins it through the service too', async () => {
    await rollBackAfter(orm.em, () =>
      tenants<Library>(orm).create({ name: 'Served', domainUrl: 'served.example.com', schemaName: 'served', onTrial: true }),
    );

    expect(await schemaNames(database)).not.to.include('served');
    expect(await storedTenants(database)).not.to.include('served');
  });

  it('T8 takes along the tenant of a savepoint that is rolled back, and no other', async () => {
    await orm.em.fork().transactional(async em => {
      await em.persist(newLibrary('outer_before')).flush();
      await rollBackAfter(em, inner => inner.persist(newLibrary('inner')).flush());
      await em.transactional(async inner => void inner.persist(newLibrary('inner_kept')));
      await em.persist(newLibrary('outer_after')).flush();
    });

    expect(await storedTenants(database))
      .to.include.members(['outer_before', 'inner_kept', 'outer_after'])
      .and.not.to.include('inner');
    expect(await schemaNames(database))
      .to.include.members(['outer_before', 'inner_kept', 'outer_after'])
      .and.not.to.include('inner');
  });

  it('T8 survives a creation that is refused inside a savepoint', async () => {
    await orm.em.fork().transactional(async em => {
      await em.persist(newLibrary('good')).flush();
      expect(await refusal(em.transactional(async inner => void inner.persist(newLibrary('neighbour'))))).to.include({
        code: 'TENANT_ALREADY_EXISTS',
      });
      await em.persist(newLibrary('better')).flush();
    });

    expect(await storedTenants(database)).to.include.members(['good', 'better', 'neighbour']);
    expect(await schemaNames(database)).to.include.members(['good', 'better', 'neighbour']);
  });

  it('T8 goes with the outer transaction when that is rolled back', async () => {
    await rollBackAfter(orm.em.fork(), em => em.transactional(async inner => void inner.persist(newLibrary('doomed'))));

    expect(await schemaNames(database)).not.to.include('doomed');
    expect(await storedTenants(database)).not.to.include('doomed');
  });
});

onDatabases(
  'creating tenants over several connections',
  database => {
    let orm: LibraryOrm;

    before(async () => {
      orm = await openLibrary(database);
    });

    it('T7 shows nothing of a tenant to another connection before the commit', async () => {
      await orm.em.fork().transactional(async em => {
        await em.persist(newLibrary('hidden')).flush();
        expect(await schemaNames(database)).to.deep.equal([]);
        expect(await storedTenants(database)).to.deep.equal([]);
        expect(await orm.em.fork().count(Library)).to.equal(0);
      });

      expect(await schemaNames(database)).to.deep.equal(['hidden']);
      expect(await storedTenants(database)).to.deep.equal(['hidden']);
    });

    it('T10 lets exactly one of fifty creations of a name succeed', async () => {
      const outcomes = await Promise.all(
        FIFTY.map(async i =>
          orm.em
            .fork()
            .persistAndFlush(newLibrary('wanted', { domainUrl: `wanted-${i}.example.com` }))
            .then(() => 'created', codeOf),
        ),
      );

      expect(outcomes.filter(outcome => outcome === 'created')).to.have.length(1);
      expect(outcomes.filter(outcome => outcome === 'TENANT_ALREADY_EXISTS')).to.have.length(49);
      expect((await storedTenants(database)).filter(name => name === 'wanted')).to.have.length(1);
      expect(await runInTenant('wanted', em => em.count(Author), { orm })).to.equal(0);
    });

    it('T10 creates every one of fifty names', async () => {
      const names = FIFTY.map(i => `many_${i}`);
      await Promise.all(names.map(async name => orm.em.fork().persistAndFlush(newLibrary(name))));

      expect(await storedTenants(database)).to.include.members(names);
      const rows = await database.query<{ name: string; tables: number }>(
        `select table_schema::text as name, count(*)::int as tables from information_schema.tables where table_schema like 'many\\_%' group by 1`,
      );
      expect(rows).to.have.length(50);
      expect(new Set(rows.map(({ tables }) => tables)).size).to.equal(1);
    });

    it('T10 lets exactly one of several provisionings of a tenant succeed', async () => {
      await orm.em.fork().persistAndFlush(newLibrary('late', { autoCreateSchema: false }));
      const outcomes = await Promise.all(
        FIFTY.slice(0, 8).map(async () =>
          tenants(orm)
            .provision('late')
            .then(() => 'provisioned', codeOf),
        ),
      );

      expect(outcomes.filter(outcome => outcome === 'provisioned')).to.have.length(1);
      expect(outcomes.filter(outcome => outcome === 'SCHEMA_ALREADY_EXISTS')).to.have.length(7);
    });
  },
  ['postgresql'],
);

const FIFTY = Array.from({ length: 50 }, (_, i) => i);

async function codeOf(error: unknown): Promise<string> {
  return (await refusal(Promise.reject(error))).code;
}
