import { resumeTenant, runInTenant, tenantOfEnvironment, tenants, type TenantService } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Author, type Library } from '../../fixtures/entities/index.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';

onDatabases('what tenants take', database => {
  let orm: LibraryOrm;
  let service: TenantService<Library>;

  before(async () => {
    orm = await openLibrary(database);
    service = tenants<Library>(orm);
    await orm.em.fork().persistAndFlush(['acme', 'bob', 'carl'].map(name => newLibrary(name)));
    await database.query(`insert into bob.author (name) select repeat('x', 200) from generate_series(1, 3000)`);
    await database.query(`insert into carl.author (name) select 'x' from generate_series(1, 10)`);
    await database.query('create schema nobodys');
    await database.query('create table nobodys.author (id int)');
    await database.query('analyze');
  });

  it('L12 is told of each tenant and of no other schema, sorted and by pages, with the sum of all', async () => {
    const { total, tenants: all, sum } = await service.usage({ orderBy: 'rows' });

    expect([total, all.map(({ schemaName }) => schemaName)]).to.deep.equal([3, ['bob', 'carl', 'acme']]);
    const [bob, carl, acme] = all;
    expect([bob?.rows, carl?.rows, acme?.rows]).to.deep.equal([3001, 11, 1]);
    expect(bob?.bytes).to.be.greaterThan(3000 * 200);
    expect(bob?.tables).to.equal(acme?.tables);
    expect(sum).to.deep.include({ rows: 3013, tables: 3 * (acme?.tables ?? 0) });
    const page = await service.usage({ orderBy: 'rows', limit: 1, offset: 1 });
    expect([page.total, page.tenants.map(({ schemaName }) => schemaName), page.sum]).to.deep.equal([3, ['carl'], sum]);
    expect((await service.usage({ only: ['acme'] })).total).to.equal(1);
    expect((await service.usage({ orderBy: 'schemaName' })).tenants[0]?.schemaName).to.equal('acme');
    await refusal(service.usage({ orderBy: 'colour' as never }), 'RUN_USAGE');
  });

  it('L12 is exact where that is asked for', async () => {
    await database.query(`insert into acme.author (name) select repeat('x', 200) from generate_series(1, 5000)`);
    const [estimated, exact] = [await service.usage({ only: ['acme'] }), await service.usage({ only: ['acme'], exact: true })];
    // on Citus, the files are on the nodes
    const [size, kinds] = database.isCitus ? ['citus_total_relation_size', `('r')`] : ['pg_total_relation_size', `('r', 'S')`];
    const [stored] = await database.query<{ bytes: string }>(
      `select sum(${size}(oid)) as bytes from pg_class where relnamespace = 'acme'::regnamespace and relkind in ${kinds}`,
    );

    expect(exact.tenants[0]?.bytes)
      .to.equal(Number(stored?.bytes))
      .and.to.be.greaterThan(estimated.tenants[0]?.bytes ?? Infinity);
  });

  it('L12 takes as many statements for one as for all', async () => {
    const count = async (only: readonly string[]): Promise<number> => {
      database.statements.length = 0;
      await service.usage({ only });

      return database.statements.length;
    };

    expect(await count([])).to.equal(await count(['acme']));
  });

  it('L13 a process gets its tenant by its key in the environment, and nothing else is taken for one', async () => {
    const env = await service.environment('bob');
    const found = tenantOfEnvironment(env);

    expect(JSON.parse(env['LANDLORD_TENANT'] ?? '')).to.deep.include({ v: 1, key: 2, schema: 'bob' });
    expect(await resumeTenant(found, em => em.count(Author), { orm })).to.equal(3000);
    expect(tenantOfEnvironment({})).to.equal(undefined);
    await refusal(service.environment('nobody'), 'TENANT_UNKNOWN');
    await refusal(
      runInTenant('acme', () => service.environment('bob'), { orm }),
      'PUBLIC_CONTEXT_REQUIRED',
    );

    for (const text of [
      'bob',
      '{}',
      '{"v":2,"key":2,"schema":"bob"}',
      '{"v":1,"key":{},"schema":"bob"}',
      '{"v":1,"key":[],"schema":"bob"}',
    ]) {
      await refusal(() => tenantOfEnvironment({ LANDLORD_TENANT: text }), 'JOB_TENANT_INVALID');
    }
  });
});

onDatabases(
  'the connections of tenants',
  database => {
    it('L12 are counted by their latest statement', async () => {
      const orm = await openLibrary(database);
      await orm.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob')]);
      await database.query('select 1 from "acme"."author"');
      const { tenants: all } = await tenants(orm).usage({ orderBy: 'connections' });

      expect(all.map(({ schemaName, connections }) => [schemaName, connections])).to.deep.equal([
        ['acme', 1],
        ['bob', 0],
      ]);
    });
  },
  ['postgresql'],
);
