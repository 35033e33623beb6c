import { runInPublic, runInTenant, tenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { raw } from '@mikro-orm/core';
import { expect } from 'chai';
import { sql as kyselySql } from 'kysely';
import { Book, Genre, Tag } from '../../fixtures/entities/index.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { addMatrixTables } from '../laws/matrix/entities.ts';
import { ormPaths, PATHS_CONFIG } from '../support/orm/orm-paths.ts';
import { rolesOf } from '../support/orm/roles.ts';
import { ADD_SHELF, loadTenantSet, type MigrationEntry } from '../support/orm/tenant-set.ts';
import { openTwins } from '../support/orm/twins.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { rollBackAfter } from '../support/orm/roll-back-after.ts';
import { failureOf, sqlStateOf } from '../support/assertions/failure.ts';
import { until } from '../support/assertions/until.ts';
import { Gate } from '../support/assertions/gate.ts';

/** PostgreSQL lets none but the owner restart a sequence, or refresh a materialized view. */
const TRUNCATE = 'QueryBuilder.truncate';

const REFRESH = 'EntityManager.refreshMaterializedView';

onDatabasesAndPooler('tenants with roles, on a pool of one', database => {
  const names = rolesOf(database, 'tenant_roles');
  let orm: LibraryOrm;

  const roleNow = async (em: TenantEntityManager = orm.em.fork()): Promise<unknown> => {
    const [row] = await em
      .getConnection()
      .execute<{ role: string }[]>(`select current_user as role`, [], 'all', em.getTransactionContext());

    return row?.role;
  };
  const refused = async (work: Promise<unknown>): Promise<void> => {
    expect(sqlStateOf(await failureOf(work))).to.equal('42501');
  };

  before(async () => {
    await names.create();
    orm = await openTwins(
      database,
      { ...PATHS_CONFIG, pool: { min: 1, max: 1 } },
      { roles: { prefix: names.prefix, shared: names.shared } },
    );
    await addMatrixTables(database);
    await database.query(`grant select, insert, update, delete on public.genre, public.library to "${names.shared}"`);
  });

  afterEach(async () => {
    expect(await roleNow(), 'N3: the role of the connection').to.equal('postgres');
  });

  after(async () => {
    await orm.close();
    await names.drop();
  });

  const { [TRUNCATE]: truncate, [REFRESH]: refresh, ...paths } = ormPaths(database.kind);

  for (const [name, { run, writes, varies }] of Object.entries(paths)) {
    it(`law 2, N3: "${name}" works as the tenant's role, in a transaction and without`, async () => {
      const inside = await runInTenant('acme', em => rollBackAfter(em, run));

      if (!writes && !varies) {
        expect(JSON.stringify(await runInTenant('acme', em => run(em)))).to.equal(JSON.stringify(inside));
        expect(JSON.stringify(await runInPublic(em => em.transactional(() => runInTenant('acme', inner => run(inner)))))).to.equal(
          JSON.stringify(inside),
        );
      }
    });
  }

  it('law 2: a tenant’s role owns nothing, so what takes an owner is refused', async () => {
    await refused(runInTenant('acme', async em => truncate?.run(em)));
    await refused(runInTenant('acme', async em => refresh?.run(em)));
    await refused(runInTenant('acme', em => em.execute('alter table book add column x int')));
    await refused(runInTenant('acme', em => em.execute('create table mine (id int)')));
  });

  it('law 2: raw SQL of a scope that names another tenant is refused by PostgreSQL, by whatever way it is sent', async () => {
    const other = 'select * from "bob"."book"';

    for (const send of [
      (em: TenantEntityManager) => em.execute(other),
      (em: TenantEntityManager) => em.execute('insert into bob.tag values (1)'),
      (em: TenantEntityManager) => em.getConnection().execute(other),
      (em: TenantEntityManager) => em.getDriver().execute(other, [], 'all', em.getTransactionContext()),
      (em: TenantEntityManager) => kyselySql.raw(other).execute(em.getKysely()),
      (em: TenantEntityManager) => kyselySql.raw(other).execute(em.getConnection().getClient()),
      (em: TenantEntityManager) => em.qb(Book, 'b').where('b.id in (select id from "bob"."book")').getResult(),
    ]) {
      await refused(runInTenant('acme', async em => send(em)));
    }

    await refused(runInTenant('acme', em => em.transactional(tx => tx.execute(other))));
    await refused(runInPublic(em => em.transactional(() => runInTenant('acme', inner => inner.execute(other)))));
    await refused(orm.em.fork({ schema: 'acme' }).execute(other));
    await refused(orm.em.fork({ schema: 'acme' }).execute('select * from public.book'));
    expect(await runInTenant('bob', em => em.count(Book))).to.equal(2);
  });

  it('S11 scopes of one transaction each have their own role, also after a savepoint is rolled back, and at once', async () => {
    await runInTenant('acme', em =>
      em.transactional(async tx => {
        expect(await roleNow(tx)).to.equal(`${names.prefix}acme`);
        const failed = tx.transactional(async inner => {
          expect(await runInTenant('bob', bob => roleNow(bob))).to.equal(`${names.prefix}bob`);
          await inner.execute('select * from nothing');
        });
        expect(sqlStateOf(await failureOf(failed))).to.equal('42P01');
        expect(await roleNow(tx)).to.equal(`${names.prefix}acme`);
        expect(await runInPublic(inner => roleNow(inner))).to.equal('postgres');
        const all = Array.from({ length: 12 }, (_, index) => ['acme', 'bob'][index % 2] as string);
        expect(await Promise.all(all.map(name => runInTenant(name, inner => roleNow(inner))))).to.deep.equal(
          all.map(name => `${names.prefix}${name}`),
        );
      }),
    );
  });

  if (database.kind !== 'pglite') {
    it('N3 a query of entities is one message with its role, which lasts no longer', async () => {
      const sent = async (work: () => Promise<unknown>): Promise<string[]> => {
        database.statements.length = 0;
        await work();

        return database.statements
          .map(sql => /\b(?:begin|commit|set_config|set local role|update|select .*book)\b/.exec(sql)?.[0] ?? '')
          .filter(Boolean);
      };

      await runInTenant('acme', async em => {
        await em.count(Book);
        expect(await sent(async () => expect(await em.fork().find(Book, {})).to.have.length(2))).to.deep.equal([
          'set local role',
          'select "b0".* from "acme"."book',
        ]);
        expect(
          await sent(async () => {
            expect(await em.nativeUpdate(Book, { title: 'none, none' }, { title: 'x' })).to.equal(0);
          }),
        ).to.deep.equal(['set local role', 'update']);

        await refused(em.createQueryBuilder(Book).truncate().execute());
        expect(await roleNow(em)).to.equal(`${names.prefix}acme`);
      });
    });
  }

  it('S6 a shared entity is what the shared role may do with it', async () => {
    await runInTenant('acme', async em => {
      expect(await em.count(Genre)).to.equal(1);
      await em.persistAndFlush(em.create(Genre, { id: 70, name: 'by a role' }));
      await em.nativeDelete(Genre, { id: 70 });
    });
    await refused(runInTenant('acme', em => em.execute('drop table public.genre')));
    expect(await orm.em.fork({ schema: 'public' }).count(Genre)).to.equal(1);
    await refused(runInTenant('acme', em => em.fork({ schema: 'public' }).find(Genre, { id: { $in: raw('(select id from bob.book)') } })));
  });

  it('T1, T15, T17 the role is made, renamed and dropped with the schema', async () => {
    await orm.em.fork().persistAndFlush(newLibrary('carol'));
    expect(await names.list()).to.include(`${names.prefix}carol`);
    await tenants(orm).rename('carol', 'dora');
    expect(await names.list())
      .to.include(`${names.prefix}dora`)
      .and.not.include(`${names.prefix}carol`);
    await runInTenant('dora', async em => {
      expect(await roleNow(em)).to.equal(`${names.prefix}dora`);
      expect(await em.count(Book)).to.equal(0);
    });
    await tenants(orm).drop('dora');
    expect(await names.list()).not.to.include(`${names.prefix}dora`);
  });

  it('T5, T7 a creation that fails or is rolled back leaves no role, and one whose role is there is refused', async () => {
    const before = await names.list();
    await rollBackAfter(orm.em.fork(), em => em.persistAndFlush(newLibrary('erin')));
    expect(await names.list()).to.deep.equal(before);

    await database.query(`create role "${names.prefix}frank"`);
    const error = await refusal(() => orm.em.fork().persistAndFlush(newLibrary('frank')), 'TENANT_ROLE_EXISTS');
    expect(error.message).to.contain(`${names.prefix}frank`).and.to.contain('roles.prefix');
    expect(await database.query(`select 1 from pg_namespace where nspname = 'frank'`)).to.deep.equal([]);
    await refusal(() => tenants(orm).rename('bob', 'frank'), 'TENANT_ROLE_EXISTS');
    expect(await runInTenant('bob', em => em.count(Book))).to.equal(2);
    await database.query(`drop role "${names.prefix}frank"`);

    await refusal(() => orm.em.fork().persistAndFlush(newLibrary('g'.repeat(60))), 'SCHEMA_NAME_INVALID');
    expect(await names.list()).to.deep.equal(before);
  });

  it('T2 a tenant without its role is told of, and gets it', async () => {
    await database.query(`drop owned by "${names.prefix}bob"`);
    await database.query(`drop role "${names.prefix}bob"`);
    const error = await refusal(() => runInTenant('bob', em => em.count(Book)), 'TENANT_ROLE_REFUSED');
    expect(error.message).to.contain('createRole');
    await refusal(() => runInTenant('bob', em => em.transactional(tx => tx.count(Book))), 'TENANT_ROLE_REFUSED');
    await refusal(() => runInPublic(em => em.transactional(() => runInTenant('bob', inner => inner.count(Book)))), 'TENANT_ROLE_REFUSED');
    await runInTenant('bob', async em => {
      const fork = em.fork();
      await fork.begin();

      // nothing of it was stored, so a commit that says nothing would be wrong
      for (const work of [() => fork.count(Book), () => fork.execute('select title from book'), () => fork.commit()]) {
        await refusal(work, 'TENANT_ROLE_REFUSED');
      }

      await fork.rollback();
    });
    await tenants(orm).createRole('bob');
    expect(await runInTenant('bob', em => em.count(Book))).to.equal(2);
  });

  it('T15, T17 a tenant without its role is renamed and dropped all the same', async () => {
    await orm.em.fork().persistAndFlush(newLibrary('gina'));
    await database.query(`drop owned by "${names.prefix}gina"`);
    await database.query(`drop role "${names.prefix}gina"`);
    await tenants(orm).rename('gina', 'hanna');
    expect(await database.query(`select nspname::text as name from pg_namespace where nspname in ('gina', 'hanna')`)).to.deep.equal([
      { name: 'hanna' },
    ]);
    await tenants(orm).drop('hanna');
    expect(await database.query(`select from pg_namespace where nspname = 'hanna'`)).to.deep.equal([]);
  });

  it('N3 raw SQL whose transaction has its role already, by a savepoint or a lock, leaves the connection its own', async () => {
    const title = 'select title from book where id = 1';

    for (const use of [
      (tx: TenantEntityManager) => tx.transactional(inner => inner.execute(title)),
      (tx: TenantEntityManager) => tx.execute('savepoint s').then(() => tx.execute(title)),
      (tx: TenantEntityManager) => tx.count(Book).then(() => tx.execute(title)),
      (tx: TenantEntityManager) => tx.execute(title).then(() => tx.execute(title)),
    ]) {
      expect(await runInTenant('acme', em => em.transactional(tx => use(tx)))).to.deep.equal([{ title: 'acme book 1' }]);
      expect(await roleNow()).to.equal('postgres');
    }
  });

  it('N3 what raw SQL undoes: `reset role` in the same message or transaction of a caller’s, and no further', async () => {
    await runInTenant('acme', async em => {
      // by itself it is of that statement alone
      await em.execute('reset role');
      await em.execute('set role none');
      await em.execute(`select set_config('role', 'none', false)`);
      await refused(em.execute('select * from bob.book'));

      // in a transaction of the caller's it holds to its end: a scope protects from mistakes, not from SQL that somebody else writes
      await em.transactional(async tx => {
        await tx.execute('reset role');
        expect(await tx.execute('select count(*)::int as count from bob.book')).to.deep.equal([{ count: 2 }]);
      });
      expect(await roleNow(em)).to.equal(`${names.prefix}acme`);
    });
    await refused(runInTenant('acme', em => em.execute('select * from bob.book')));
  });

  it('S12 a scope whose tenant was renamed reads and writes nothing of the one that has its name, and its role, since', async () => {
    const first = newLibrary('swap');
    await orm.em.fork().persistAndFlush([first, newLibrary('other_swap')]);
    await database.query(`insert into swap.tag (id, name) values (1, 'first')`);
    await database.query(`insert into other_swap.tag (id, name) values (1, 'second')`);
    const gate = new Gate();
    const working = runInTenant(first, async em => {
      expect((await em.fork().findOneOrFail(Tag, 1)).name).to.equal('first');
      await gate.pass();
      const codes: unknown[] = [];

      for (const work of [
        () => em.nativeUpdate(Tag, { id: 1 }, { name: 'taken' }),
        () => em.fork().find(Tag, {}),
        () => em.fork().count(Tag),
        () => em.insert(Tag, { id: 2, name: 'taken' }),
      ]) {
        codes.push(((await failureOf(work())) as { code?: unknown }).code);
      }

      return codes;
    });
    await until('it has read', () => gate.waiting === 1);
    await tenants(orm).rename('swap', 'former_swap');
    await tenants(orm).rename('other_swap', 'swap');
    gate.open();

    expect(await working).to.deep.equal(Array(4).fill('TENANT_CHANGED'));
    expect(await database.query('select id, name from swap.tag')).to.deep.equal([{ id: 1, name: 'second' }]);
    expect(await database.query('select id, name from former_swap.tag')).to.deep.equal([{ id: 1, name: 'first' }]);
    await tenants(orm).drop('swap');
    await tenants(orm).drop('former_swap');
  });

  it('M3 what later migrations make is the tenant’s too', async () => {
    await orm.close();
    orm = await reopen([ADD_SHELF]);
    await tenants(orm).migrate();
    await runInTenant('acme', async em => {
      await em.execute(`insert into shelf (label) values ('one')`);
      expect(await em.execute('select label from shelf')).to.deep.equal([{ label: 'one' }]);
    });
    await refused(runInTenant('bob', em => em.execute('select * from acme.shelf')));
  });

  const reopen = async (later: MigrationEntry[]): Promise<LibraryOrm> => {
    return openLibrary(
      database,
      { roles: { prefix: names.prefix, shared: names.shared }, migrations: { migrationsList: [...(await loadTenantSet()), ...later] } },
      { pool: { min: 1, max: 1 } },
    );
  };
});
