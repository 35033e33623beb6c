import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { until } from '../support/assertions/until.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary } from '../support/orm/library-orm.ts';
import { createCliProject, type CliProcess, type CliProject, type CliResult } from '../support/processes/cli-project.ts';

const PRINT = `const { schema } = JSON.parse(process.env.LANDLORD_TENANT); console.log('for ' + schema, process.argv.slice(1).join()); process.exit(schema === 'bob' ? 3 : 0);`;

onDatabases(
  'programs for tenants on the command line',
  database => {
    let project: CliProject;

    before(async () => {
      const orm = await openLibrary(database);
      await orm.em.fork().persistAndFlush(['acme', 'bob', 'carl'].map(name => newLibrary(name)));
      await orm.close();
      process.env['LANDLORD_HISTORY'] = join(process.cwd(), '.data', `history-${process.pid}`);
      project = await createCliProject(database.url ?? '');
      await project.write('seeders/DatabaseSeeder.ts', SEEDER);
    });

    after(async () => {
      delete process.env['LANDLORD_HISTORY'];
      await project.remove();
    });

    it('L13 a program runs for one tenant with its own arguments and exit code, for many with theirs before each line and a summary', async () => {
      const program = ['--', process.execPath, '-e', PRINT, '--', '--json', 'all'];
      const [one, all] = await Promise.all([
        project.start('tenant:exec', 'acme', ...program).ended,
        project.start('tenant:exec', '--all', '--concurrency', '2', ...program).ended,
      ]);

      expect(one).to.deep.include({ code: 0, stdout: 'for acme --json,all\n' });
      expect(all.code).to.equal(1);
      expect(all.stdout)
        .to.contain('bob | for bob --json,all')
        .and.match(/^3 tenants: 2 done, 1 failed$/m);
      expect(all.stderr).to.contain('bob: exit code 3');
    });

    it('L13 of many, one that was renamed meanwhile has its program, and one that has gone is told of and stops none', async () => {
      const orm = await openLibrary(database);
      await orm.em.fork().persistAndFlush(['m1', 'm2', 'm3'].map(name => newLibrary(name)));
      const flag = join(project.folder, 'go-on');
      const program = `const wait = setInterval(() => require('node:fs').existsSync(${JSON.stringify(flag)}) && (clearInterval(wait), console.log(process.env.LANDLORD_TENANT)), 20); console.error('up')`;
      const run = project.start('tenant:exec', '--tenants', 'm1', 'm2', 'm3', '--concurrency', '1', '--', process.execPath, '-e', program);
      await until('the first is up', () => run.stderr().includes('m1 | up'));
      await tenants(orm).drop('m2');
      await tenants(orm).rename('m3', 'm4');
      await writeFile(flag, '');
      const { code, stdout, stderr } = await run.ended;
      await tenants(orm).drop('m1');
      await tenants(orm).drop('m4');
      await orm.close();

      expect(stdout).to.match(/^m3 \| \{.*"schema":"m4"/m);
      expect(stderr).to.match(/^m2: No tenant has the schema name "m2"/m);
      expect([code, /^3 tenants: .*$/m.exec(stdout)?.[0]]).to.deep.equal([1, '3 tenants: 2 done, 1 failed']);
    });

    it('L13 of many, a signal begins no other and ends with 130, and a program that is not there with 127', async () => {
      const run = project.start('tenant:exec', '--all', '--concurrency', '1', '--', process.execPath, '-e', WAITING);
      await until('the first is up', () => run.stderr().includes('acme | up'));
      run.signal('SIGTERM');
      const { code, stdout } = await run.ended;
      const absent = await project.start('tenant:exec', 'acme', '--', 'no-such-program').ended;

      expect([code, /^3 tenants: .*$/m.exec(stdout)?.[0]]).to.deep.equal([130, '3 tenants: 0 done, 1 failed, 2 not started']);
      expect(absent).to.deep.include({ code: 127 });
    });

    it('L13 a program gets the signals of the command, and its exit code is the command’s', async () => {
      const run = project.start('tenant:exec', 'acme', '--', process.execPath, '-e', WAITING);
      await until('the program is up', () => run.stderr().includes('up'));
      run.signal('SIGTERM');

      expect(await run.ended).to.include({ code: 5 });
    });

    describe('while the database does not answer', () => {
      const STARTED = ['--', process.execPath, '-e', `console.log('started')`];
      const waiting = async (): Promise<number> => {
        await database.query('select pg_stat_clear_snapshot()');
        const rows = await database.query(
          `select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and wait_event_type = 'Lock'`,
        );

        return rows.length;
      };
      const isWaiting = async (): Promise<boolean> => (await waiting()) > 0;

      beforeEach(() => database.query('begin; lock table library in access exclusive mode'));

      afterEach(async () => {
        await database.query('rollback');
        await until('the server has noticed that they have ended', async () => (await waiting()) === 0);
      });

      for (const [title, args, signal, expected] of [
        ['for one', ['acme'], 'SIGTERM', 143],
        ['for one', ['acme'], 'SIGINT', 130],
        ['for many', ['--all'], 'SIGTERM', 130],
      ] as const) {
        it(`L13 a signal ends the command ${title} before it has begun a program: ${signal}`, async () => {
          const run = project.start('tenant:exec', ...args, ...STARTED);
          await until('it waits', isWaiting);
          run.signal(signal);
          const { code, output } = await within(run, 10_000);

          expect([code, output]).to.deep.equal([expected, '']);
        });
      }

      it('L13 of many, a signal begins none that waits for its turn in the database, and tells of those that have ended', async () => {
        await database.query('rollback');
        const flag = join(project.folder, 'go-on-too');
        const program = `const wait = setInterval(() => require('node:fs').existsSync(${JSON.stringify(flag)}) && clearInterval(wait), 20); console.error('up')`;
        const run = project.start('tenant:exec', '--all', '--concurrency', '1', '--', process.execPath, '-e', program);
        await until('the first is up', () => run.stderr().includes('acme | up'));
        await database.query('begin; lock table library in access exclusive mode');
        await writeFile(flag, '');
        await until('the second waits', isWaiting);
        run.signal('SIGTERM');
        const { code, stdout, stderr } = await within(run, 10_000);

        expect([code, /^3 tenants: .*$/m.exec(stdout)?.[0], stderr]).to.deep.equal([
          130,
          '3 tenants: 1 done, 0 failed, 2 not started',
          'acme | up\n',
        ]);
      });
    });

    it('L13 seeders run in the tenants that are meant, by either command, and refusals have exit code 2', async () => {
      const results = await project.runAll([
        ['ours', 'tenant:seed', 'acme'],
        ['ours', 'seeder:run', '--tenants', 'acme', 'bob', '--json'],
        ['ours', 'tenant:seed', '--class', 'NoSuchSeeder'],
        ['ours', 'tenant:exec', 'acme'],
        ['ours', 'tenant:usage', '--limit', '1', '--order-by', 'schemaName'],
        ['ours', 'tenant:usage', '--json'],
        ['ours', 'tenant:doctor', '--json'],
        ['ours', 'tenant:doctor', '--dry-run'],
      ]);
      const [seeded, json, none, usage, page, usageJson, doctor, dry] = results.map(({ code, output }) => [code, output] as const);

      expect(seeded).to.have.property('0', 0);
      expect(seeded?.[1]).to.match(/acme: seeded .*\n1 tenant: 1 seeded, 0 failed/);
      expect(json?.[1]).to.contain('{"event":"summary","total":2,"seeded":2,"failed":[]}');
      expect(none?.[0]).to.equal(1);
      expect(usage?.[0]).to.equal(2);
      expect(page?.[1])
        .to.match(/│ acme +│/)
        .and.match(/^3 tenants, 1 to 1 shown: /m);
      expect(usageJson?.[1].trim().split('\n')).to.have.length(4);
      expect([doctor?.[0], doctor?.[1].trim()]).to.deep.equal([
        0,
        '{"event":"summary","tenants":3,"findings":0,"mended":0,"failed":0,"busy":[]}',
      ]);
      expect(dry?.[0]).to.equal(2);
      expect(
        await database.query(
          'select (select count(*)::int from acme.author) as acme, (select count(*)::int from bob.author) as bob, (select count(*)::int from carl.author) as carl',
        ),
      ).to.deep.equal([{ acme: 2, bob: 1, carl: 0 }]);
    });

    it('L5 the command line prints what is found with its tenants, and the SQL of a dry run', async () => {
      await database.query('comment on schema bob is null');
      await database.query('comment on schema carl is null');
      const [found, dry, fixed] = await project.runAll([
        ['ours', 'tenant:doctor'],
        ['ours', 'tenant:doctor', '--fix', '--dry-run'],
        ['ours', 'tenant:doctor', '--fix'],
      ]);

      expect(found).to.include({ code: 1 });
      expect(found?.output)
        .to.match(/^schema-unmarked: 2 tenants \(bob carl\): the schema lacks the mark/m)
        .and.match(/`--fix` mends it/);
      expect(dry?.output).to.contain(`comment on schema "bob" is 'tenant of @landlord/mikro-orm';`);
      expect(fixed).to.include({ code: 0 });
      expect(fixed?.output).to.match(/3 tenants, 2 findings, 2 mended, 0 could not be/);
    });

    it('L13 the shell has the tenant’s em and entities and waits for promises, and keeps what was typed', async () => {
      const shell = project.startOnTerminal('tenant:shell', 'acme');
      await until(`it is open: ${shell.output()}`, () => shell.output().includes('acme> '));
      shell.type('(await em.find(Author, {})).length + " of " + tenant.schemaName\n');
      await until('it has answered', () => shell.output().includes(`'2 of acme'`));
      shell.type('await em.execute("select 40 + count(*)::int as n from author")\n');
      await until('raw SQL is the tenant’s too', () => shell.output().includes('n: 42'));
      shell.type('.exit\n');

      expect(await shell.ended).to.include({ code: 0 });
      expect(await readFile(process.env['LANDLORD_HISTORY'] ?? '', 'utf8')).to.contain('em.find(Author, {})');
    });
  },
  ['postgresql'],
);

describe('programs for tenants on a folder of PGlite', () => {
  let project: CliProject;

  before(async () => {
    project = await createCliProject('');
    await project.write('mikro-orm.config.ts', PGLITE_CONFIG);
    await project.write('count.mjs', COUNT);
  });

  after(() => project.remove());

  it('L13 have the database for themselves, one after the other, and what they write stays', async () => {
    const count = ['--', process.execPath, '--import', 'tsx', 'count.mjs'];

    for (const command of [
      ['migration:up'],
      ['tenant:create', '--name', 'a', '--schema-name', 'a', '--domain-url', 'a.example.com'],
      ['tenant:create', '--name', 'b', '--schema-name', 'b', '--domain-url', 'b.example.com'],
    ]) {
      expect(await project.start(...command).ended).to.include({ code: 0 });
    }

    expect(await project.start('tenant:exec', 'a', ...count).ended).to.deep.include({ code: 0, stdout: 'a has 0 notes\n' });
    const all = await project.start('tenant:exec', '--all', ...count).ended;
    expect(all.code, all.stderr).to.equal(0);
    expect(all.stdout).to.contain('a | a has 1 notes').and.contain('b | b has 0 notes').and.contain('2 tenants: 2 done, 0 failed');
    expect(await project.start('tenant:exec', 'b', ...count).ended).to.deep.include({ code: 0, stdout: 'b has 1 notes\n' });
  });
});

async function within(run: CliProcess, ms: number): Promise<CliResult> {
  const late = setTimeout(() => run.signal('SIGKILL'), ms);

  try {
    return await run.ended;
  } finally {
    clearTimeout(late);
  }
}

const WAITING = `process.on('SIGTERM', () => process.exit(5)); console.error('up'); setInterval(() => undefined, 1000);`;

const SEEDER = `import { Seeder } from '@mikro-orm/seeder';
import { Author } from '../entities/index.ts';
export class DatabaseSeeder extends Seeder {
  async run(em) { em.create(Author, { name: 'Ann' }); }
}
`;

const PGLITE_CONFIG = `
import { TenantMixin, withTenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { defineConfig } from '@mikro-orm/pglite';

export class Client extends TenantMixin {}
const ClientSchema = defineEntity({ class: Client, extends: TenantMixin, properties: { name: p.string() } });
export const Note = defineEntity({ name: 'Note', schema: '*', properties: { id: p.integer().primary(), text: p.string() } });
class Clients extends Migration {
  up() { this.addSql('create table client (id serial primary key, domain_url text not null unique, schema_name text not null unique, name text not null)'); }
}
class Notes extends Migration {
  up() { this.addSql('create table note (id serial primary key, text text not null)'); }
}
export default withTenants(
  defineConfig({
    entities: [ClientSchema, Note],
    dbName: import.meta.dirname + '/database',
    migrations: { migrationsList: [{ name: 'Clients', class: Clients }], snapshot: false },
  }),
  { tenant: Client, migrations: { migrationsList: [{ name: 'Notes', class: Notes }], snapshot: false } },
);
`;

const COUNT = `
import { resumeTenant, tenantOfEnvironment } from '@landlord/mikro-orm';
import { MikroORM } from '@mikro-orm/pglite';
import config, { Note } from './mikro-orm.config.ts';

const orm = await MikroORM.init(config);
await resumeTenant(tenantOfEnvironment(), async (em, tenant) => {
  console.log(tenant.schemaName + ' has ' + (await em.count(Note, {})) + ' notes');
  em.create(Note, { text: 'more' });
  await em.flush();
}, { orm });
await orm.close();
`;
