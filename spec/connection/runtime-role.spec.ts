import { forEachTenant, runInPublic, runInTenant, tenants, withTenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { Author, Book, Library } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { rolesOf } from '../support/orm/roles.ts';
import { ADD_SHELF, ADD_SHELF_INDEX, loadTenantSet } from '../support/orm/tenant-set.ts';
import { failureOf, sqlStateOf } from '../support/assertions/failure.ts';

onDatabases(
  'a login role that owns nothing, and a role that makes the tenants',
  database => {
    const names = rolesOf(database, 'runtime_role');
    const roles = { prefix: names.prefix, shared: names.shared, ddl: names.ddl };
    let orm: LibraryOrm;

    const clientUrl = (): string => {
      const url = new URL(database.url as string);
      url.username = names.login;
      url.password = 'secret';

      return url.href;
    };
    const stateOf = async (work: Promise<unknown>): Promise<string> => sqlStateOf(await failureOf(work));
    const roleNow = async (): Promise<unknown> =>
      orm.em.getConnection().execute(`select current_user as role, current_setting('search_path') as path`);

    before(async () => {
      await (await openLibrary(database)).close();
      const [row] = await database.query<{ name: string }>('select current_database() as name');

      for (const statement of [
        `create role "${names.shared}" nologin`,
        `create role "${names.ddl}" nologin createrole`,
        `create role "${names.login}" login noinherit password 'secret'`,
        `grant "${names.ddl}" to "${names.login}"`,
        `grant "${names.shared}" to "${names.ddl}" with admin option`,
        `grant create on database "${row?.name}" to "${names.ddl}"`,
        `grant references on all tables in schema public to "${names.ddl}"`,
        `grant select on public.genre to "${names.shared}"`,
        `grant select, insert, update, delete on all tables in schema public to "${names.login}"`,
        `grant usage on all sequences in schema public to "${names.login}"`,
      ]) {
        await database.query(statement);
      }

      orm = await openLibrary(database, { roles }, { clientUrl: clientUrl(), pool: { min: 1, max: 1 } });
      await orm.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob')]);
      await runInTenant('bob', em => em.persistAndFlush(em.create(Author, { id: 1, name: 'bob author' })));
    });

    afterEach(async () => {
      expect(await roleNow(), 'N3').to.deep.equal([{ role: names.login, path: '"$user", public' }]);
    });

    after(async () => {
      await orm.close();
      await names.drop();
    });

    it('T1, law 2: what creates a tenant is the one role’s, and the other reaches it in its scope alone', async () => {
      expect(
        await database.query(`select distinct tableowner::text as owner from pg_tables where schemaname in ('acme', 'bob')`),
      ).to.deep.equal([{ owner: names.ddl }]);
      expect(await runInTenant('bob', em => em.count(Author))).to.equal(1);
      expect(await runInTenant('acme', em => em.count(Author))).to.equal(0);

      for (const work of [
        () => orm.em.fork().execute('select * from bob.author'),
        () => runInPublic(em => em.execute('select * from bob.author')),
        () => runInTenant('acme', em => em.execute('select * from bob.author')),
        () => runInTenant('acme', em => em.execute('select * from public.library')),
      ]) {
        expect(await stateOf(work())).to.equal('42501');
      }
    });

    it('S4, S7 which tenants there are is found in a tenant’s scope too, whose role may not read their table', async () => {
      const whose = (em: TenantEntityManager): Promise<unknown> => em.execute('select current_user as role');
      const all = ['acme', 'bob'].map(name => ({ schemaName: name, ok: true, value: [{ role: `${names.prefix}${name}` }] }));

      for (const inScope of [
        <T>(fn: () => Promise<T>) => runInTenant('acme', fn),
        <T>(fn: () => Promise<T>) => runInTenant('acme', em => em.transactional(fn)),
        <T>(fn: () => Promise<T>) => runInPublic(em => em.transactional(() => runInTenant('acme', fn))),
      ]) {
        expect(await inScope(() => runInTenant('bob', whose))).to.deep.equal([{ role: `${names.prefix}bob` }]);
        expect(await inScope(() => forEachTenant(whose))).to.deep.equal(all);
        expect((await inScope(() => tenants(orm).list())).map(({ schemaName }) => schemaName)).to.deep.equal(['acme', 'bob']);
        expect(await stateOf(inScope(() => orm.em.count(Library)))).to.equal('42501');
      }
    });

    it('M3 a run over tenants makes tables that are the tenants’, with its migrations in transactions and without', async () => {
      await orm.close();
      orm = await openLibrary(
        database,
        {
          roles,
          migrations: {
            migrationsList: [...(await loadTenantSet()), ADD_SHELF, ADD_SHELF_INDEX],
          },
        },
        { clientUrl: clientUrl(), pool: { min: 1, max: 1 } },
      );
      const { failed } = await tenants(orm).migrate();
      expect(failed).to.deep.equal([]);
      expect((await tenants(orm).status()).tenants.every(({ pending }) => pending.length === 0)).to.equal(true);
      await runInTenant('acme', async em => {
        await em.execute(`insert into shelf (label) values ('one')`);
        expect(await em.execute('select label from shelf')).to.deep.equal([{ label: 'one' }]);
      });
      expect(await runInTenant('bob', em => em.execute('select label from shelf'))).to.deep.equal([]);
    });

    it('T15, T17 renaming and dropping work', async () => {
      await orm.em.fork().persistAndFlush(newLibrary('carol'));
      await tenants(orm).rename('carol', 'dora');
      expect(await runInTenant('dora', em => em.count(Book))).to.equal(0);
      await tenants(orm).drop('dora');
      expect(await names.list()).to.deep.equal([`${names.prefix}acme`, `${names.prefix}bob`]);
    });

    it('law 10: a login role without its membership is told what to grant', async () => {
      await database.query(`revoke "${names.prefix}bob" from "${names.login}" granted by "${names.ddl}"`);

      const error = await refusal(runInTenant('bob', em => em.count(Book)));
      expect(error.code).to.equal('TENANT_ROLE_REFUSED');
      expect(error.message).to.contain(`grant "${names.prefix}bob" to`);
      await database.query(`grant "${names.prefix}bob" to "${names.login}"`);
      expect(await runInTenant('bob', em => em.count(Author))).to.equal(1);
    });

    it('N2 a schema on the path that connections begin with can be no tenant’s', async () => {
      await database.query(`alter role "${names.login}" set search_path = "$user", Erin, public`);
      await orm.close();
      orm = await openLibrary(database, { roles }, { clientUrl: clientUrl(), pool: { min: 1, max: 1 } });

      for (const name of ['erin', names.login]) {
        const error = await refusal(orm.em.fork().persistAndFlush(newLibrary(name)));
        expect(error.code).to.equal('SCHEMA_NAME_RESERVED');
      }

      await database.query(`alter role "${names.login}" reset search_path`);
      await orm.close();
      orm = await openLibrary(database, { roles }, { clientUrl: clientUrl(), pool: { min: 1, max: 1 } });
    });
  },
  ['postgresql'],
);

describe('the option `roles`', () => {
  for (const [roles, problem] of [
    [{ prefix: 'a-b' }, '`roles.prefix` is "a-b"'],
    [{ prefix: '' }, '`roles.prefix` is ""'],
    [{ prefix: 'pg_x' }, '`roles.prefix` is "pg_x"'],
    [{ prefix: 't_', shared: 'x"; drop' }, '`roles.shared` is'],
    [{ prefix: 't_', ddl: 't_owner' }, 'starts with `roles.prefix`'],
  ] as const) {
    it(`W1 is refused as ${JSON.stringify(roles)}`, async () => {
      const error = await refusal(() =>
        Promise.resolve(withTenants({ driver: PostgreSqlDriver, entities: [] }, { tenant: Library, roles })),
      );

      expect(error.code).to.equal('TENANT_CONFIG');
      expect(error.message).to.contain(problem);
    });
  }
});
