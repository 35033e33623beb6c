import { runInTenant, tenants, type Finding, type TenantUsage } from '@landlord/mikro-orm';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import type { Library } from '../../fixtures/entities/index.ts';
import { until } from '../support/assertions/until.ts';
import { databaseOfServer } from '../support/databases/database-of-server.ts';
import type { SpecDatabase } from '../support/databases/database.ts';
import { startEmbeddedServer, type EmbeddedServer } from '../support/databases/embedded-server.ts';
import { initLibrary, newLibrary, openLibrary } from '../support/orm/library-orm.ts';

describe('tenants on a server that has a standby and records statements', () => {
  let server: EmbeddedServer;
  let database: SpecDatabase;
  const opened: (() => unknown)[] = [];

  before(async () => {
    server = await startEmbeddedServer({ shared_preload_libraries: 'pg_stat_statements' });
    opened.unshift(() => server.remove());
    database = databaseOfServer(server.url, close => opened.unshift(close));
    await database.query('create extension pg_stat_statements');
    await (await openLibrary(database)).close();
  });

  after(async () => {
    for (const close of opened) {
      await close();
    }
  });

  it('L5 names a replica that replays what the primary has written too late, and how late', async () => {
    const { url, remove } = await server.standby();
    opened.unshift(remove);
    const standby = databaseOfServer(url, close => opened.unshift(close));
    const orm = await initLibrary(database, {}, { driver: PostgreSqlDriver, replicas: [{ name: 'standby', clientUrl: url }] });
    const service = tenants<Library>(orm);
    await orm.em.fork().persistAndFlush(newLibrary('acme'));
    const messages = async (): Promise<string[]> =>
      (await service.doctor()).findings.map(({ kind, message }: Finding) => `${kind}: ${message}`);
    await until('it has caught up', async () => (await messages()).length === 0);

    await standby.query('select pg_wal_replay_pause()');
    await until(
      'it has paused',
      async () => (await standby.query<{ state: string }>('select pg_get_wal_replay_pause_state() as state'))[0]?.state === 'paused',
    );
    await orm.em.fork().persistAndFlush(newLibrary('bob'));
    const [delay, lack, ...others] = await messages();
    expect(delay).to.match(
      /^replica-behind: replica 1 has not replayed what the primary had written 1 s before: it is \d+ kB behind, and its latest transaction is \d+ s old$/,
    );
    expect(lack).to.equal('replica-behind: replica 1 lacks 1 of 2 tenants, such as bob');
    expect(others).to.deep.equal([]);

    await standby.query('select pg_wal_replay_resume()');
    await until('it has caught up', async () => (await messages()).length === 0);
  });

  it('L12 with roles, the slowest statement is that which the server remembers of the tenant’s role', async () => {
    const orm = await initLibrary(database, { roles: { prefix: 'slow_' } });
    const service = tenants<Library>(orm);
    await orm.em.fork().persistAndFlush([newLibrary('carl'), newLibrary('dora')]);
    await runInTenant('carl', em => em.execute('select pg_sleep(0.2)'), { orm });
    await runInTenant('dora', em => em.execute('select 1'), { orm });
    const { tenants: found, recordsStatements } = await service.usage({ orderBy: 'slowestMs', only: ['carl', 'dora'] });
    const [carl, dora] = found as [TenantUsage, TenantUsage];

    expect([recordsStatements, carl.schemaName, dora.schemaName]).to.deep.equal([true, 'carl', 'dora']);
    expect(carl.slowestMs).to.be.within(200, 5_000);
    expect(dora.slowestMs).to.be.lessThan(200);
  });

  it('L12 without roles, statements are told apart by their text where the server does so', async () => {
    const orm = await initLibrary(database);
    await orm.em.fork().persistAndFlush([newLibrary('ede'), newLibrary('fay')]);
    await database.query(`select pg_sleep(0.2) from "fay"."mikro_orm_migrations" limit 1`);
    const { tenants: found, recordsStatements } = await tenants<Library>(orm).usage({ orderBy: 'slowestMs', only: ['ede', 'fay'] });
    const [{ version } = { version: 0 }] = await database.query<{ version: number }>(
      `select current_setting('server_version_num')::int as version`,
    );

    expect(recordsStatements).to.equal(version < 180_000);

    if (version < 180_000) {
      expect(found[0]?.schemaName).to.equal('fay');
      expect(found[0]?.slowestMs).to.be.within(200, 5_000);
    } else {
      expect(found.map(({ slowestMs }) => slowestMs)).to.deep.equal([undefined, undefined]);
    }
  });
});
