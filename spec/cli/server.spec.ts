import { tenants, type ServerCheck } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { refusal } from '../support/assertions/refusal.ts';
import { createCliProject, type CliProject, type CliResult } from '../support/processes/cli-project.ts';
import { databaseOfServer } from '../support/databases/database-of-server.ts';
import { onDatabases, type SpecDatabase } from '../support/databases/database.ts';
import { startEmbeddedServer, type EmbeddedServer } from '../support/databases/embedded-server.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';

const NAMES = Array.from({ length: 20 }, (_, n) => `t${n}`);

describe('a server with small settings', () => {
  let server: EmbeddedServer;
  let database: SpecDatabase;
  let orm: LibraryOrm;
  let project: CliProject;
  const opened: (() => unknown)[] = [];

  before(async () => {
    server = await startEmbeddedServer({ max_connections: '12', max_locks_per_transaction: '10', autovacuum: 'off' });
    database = databaseOfServer(server.url, close => opened.unshift(close));
    orm = await openLibrary(database, {}, { pool: { min: 0, max: 6 } });

    for (const name of NAMES) {
      await orm.em.fork().persistAndFlush(newLibrary(name));
    }

    project = await createCliProject(server.url);
  });

  after(async () => {
    await project.remove();

    for (const close of opened) {
      await close();
    }

    await server.remove();
  });

  it('M30 names each setting that is too small, with what is needed', async () => {
    const report = await tenants(orm).serverReport();
    const [{ tables } = { tables: 0 }] = await database.query<{ tables: number }>(
      `select count(*)::int as tables from pg_class where relkind = 'r' and relnamespace in (select oid from pg_namespace where nspname ~ '^t[0-9]')`,
    );
    const [locks] = report.checks.filter(({ setting }) => setting === 'max_locks_per_transaction');

    expect([report.tenants, report.tables]).to.deep.equal([NAMES.length, tables]);
    // room for 10 locks for each of 12 sessions
    expect(tables).to.be.greaterThan(120);
    expect(locks).to.include({ value: '10', needed: '64', isEnough: false });
    expect(tooSmall(report.checks)).to.have.members(['max_locks_per_transaction', 'max_connections', 'autovacuum']);
  });

  it('M30 the command line says so, and exits with 1', async () => {
    const { code, stdout } = await project.run('tenant:server');

    expect(code).to.equal(1);
    expect(stdout)
      .to.match(/^20 tenants with \d+ tables$/m)
      .and.match(/^too small +max_locks_per_transaction = 10, needed: 64 \(pg_dump .* there is room for 120 locks\)$/m)
      .and.match(/^enough +shared_buffers = /m);
  });

  it('M30 the command line writes the same as JSON', async () => {
    const { code, stdout } = await project.run('tenant:server', '--json');
    const events = eventsOf(stdout);

    expect(code).to.equal(1);
    expect(tooSmall(events)).to.include('autovacuum');
    expect(events.at(-1)).to.deep.include({ event: 'summary', tenants: NAMES.length });
  });

  it('T19 L5 a schema that is too large for the lock table is named by the doctor, is refused to be dropped with what to set, and is deleted softly', async () => {
    expect((await tenants(orm).doctor()).findings).to.deep.equal([]);

    for (let n = 0; n < 100; n += 1) {
      await database.query(`create table t3.extra_${n} (id serial primary key, body text unique)`);
    }

    const [finding] = (await tenants(orm).doctor()).findings;
    expect(finding).to.include({ kind: 'locks-too-few', schemaName: 't3' });
    const error = await refusal(tenants(orm).drop('t3', { cascade: true }), 'LOCK_TABLE_TOO_SMALL');
    expect(error.message).to.match(
      /about \d+ locks, and the server has room for \d+, .* Set `max_locks_per_transaction` to \d+ \(it is 10\)/,
    );
    expect(await database.query("select count(*)::int as n from pg_class where relname like 'extra\\_%' and relkind = 'r'")).to.deep.equal([
      { n: 100 },
    ]);
    await tenants(orm).drop('t3', { soft: true });
    expect((await tenants(orm).purge()).failed).to.have.nested.property('[0].error.code', 'LOCK_TABLE_TOO_SMALL');
    await tenants(orm).restore('t3');
  });
});

onDatabases('a server with enough', database => {
  it('M30 is told so, and of no schema that is not a tenant', async () => {
    const orm = await openLibrary(database, {}, { pool: { min: 0, max: 2 } });
    await database.query('create schema somebody_elses');
    await database.query('create table somebody_elses.book (id int)');
    await orm.em.fork().persistAndFlush(newLibrary('acme'));
    const { tenants: count, tables, checks } = await tenants(orm).serverReport();
    const [found] = await database.query<{ n: number }>(
      `select count(*)::int as n from pg_class where relkind = 'r' and relnamespace = 'acme'::regnamespace`,
    );

    expect([count, tables]).to.deep.equal([1, found?.n]);
    expect(tooSmall(checks).filter(setting => setting !== 'autovacuum' && setting !== 'max_connections')).to.deep.equal([]);
  });
});

function tooSmall(checks: readonly Partial<ServerCheck>[]): (string | undefined)[] {
  return checks.filter(({ isEnough }) => isEnough === false).map(({ setting }) => setting);
}

function eventsOf(stdout: CliResult['stdout']): Partial<ServerCheck>[] {
  return stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Partial<ServerCheck>);
}
