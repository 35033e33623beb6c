import { expect } from 'chai';
import pg from 'pg';
import { createCliProject, type CliProject } from '../support/processes/cli-project.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary } from '../support/orm/library-orm.ts';

const SECOND = 'Migration20991231000000';
const NAMES = Array.from({ length: 12 }, (_, n) => `t${String(n).padStart(2, '0')}`);

onDatabases(
  'reports over tenants of which some are in trouble',
  database => {
    let project: CliProject;

    before(async () => {
      const orm = await openLibrary(database);
      await orm.em.fork().persistAndFlush(NAMES.map(name => newLibrary(name)));
      await orm.close();
      await database.query('drop schema t01 cascade');
      await database.query('drop table t02.mikro_orm_migrations');
      await database.query('drop schema t03 cascade');
      await database.query('create schema t03');
      await database.query('alter table t04.mikro_orm_migrations rename column name to nom');
      await database.query('alter table t05.mikro_orm_migrations rename column name to nom');
      await database.query('alter table t06.book add column hacked int');
      project = await createCliProject(database.url ?? '');
      await project.write(`migrations/tenant/${SECOND}.ts`, MIGRATION);
    });

    after(() => project.remove());

    it('M15, M7 what is equal is one row, with the number of tenants and the first names, and there is a total', async () => {
      const { code, stdout } = await project.run('tenant:status');

      expect(code).to.equal(0);
      expect(stdout).to.match(/7 tenants \(t00 t06 t07 t08 t09 …\) +│ 1 +│ Migration\d+ +│ 1 /);
      expect(stdout).to.match(
        /2 tenants \(t04 t05\)[^│]*cannot be read: column "name" (of relation "mikro_orm_migrations" )?does not exist/,
      );
      expect(stdout).to.match(/ t01 .*has no schema/);
      expect(stdout).to.match(/t02[^│]*tables but no migration history/);
      expect(stdout).to.match(/t03[^│]*did not create/);
      expect(stdout).to.contain('12 tenants: 0 up-to-date, 12 not');
      expect(stdout.split('\n').filter(line => line.startsWith('│'))).to.have.length(5);
      expect((await project.run('tenant:status', '--all')).stdout.split('\n').filter(line => line.startsWith('│'))).to.have.length(13);
    });

    it('M7, M10 a dry run names the tenants that a run would refuse, and exits with 1', async () => {
      const { code, stdout, stderr } = await project.run('migration:up', '--tenants', '--dry-run');

      expect(code).to.equal(1);
      expect(stdout).to.contain('-- t00 and 6 more with the same history').and.contain('"isbn"');
      expect(stderr)
        .to.match(/t01: cannot be migrated: /)
        .and.match(/t03: cannot be migrated: /);
      expect(stderr).to.match(/2 tenants \(t04 t05\): cannot be migrated: /);
    });

    it('M8, M16 check groups what tenants lack, and compares their objects', async () => {
      await project.run('migration:up', '--tenants', '--skip', 't02');
      const { code, stdout } = await project.run('migration:check', '--tenants', '--drift');

      expect(code).to.equal(1);
      expect(stdout).to.contain('t06: has column book.hacked');
      expect(stdout).to.contain('6 equal to what the tenant set makes, 1 not · 5 not compared, as they are not up-to-date');
    });

    it('M16 check exits with 1 for drift alone, and with 0 where there is none', async () => {
      const [drifted, equal] = await project.runAll([
        ['ours', 'migration:check', '--tenants', 't06', '--drift'],
        ['ours', 'migration:check', '--tenants', 't00', '--drift'],
      ]);

      expect(drifted).to.include({ code: 1 });
      expect(drifted?.output).to.contain('t06: has column book.hacked').and.not.contain('not up-to-date.');
      expect(equal).to.include({ code: 0 });
    });

    it('M4 a run names failures of one cause once', async () => {
      const rest = `nope nope /* \\u001b[31m${'y'.repeat(100_000)} */`;
      await project.write('migrations/tenant/Migration20991231000001.ts', MIGRATION.replace('"isbn"', rest));
      const { code, stderr } = await project.run('migration:up', '--tenants', '--skip', 't01', 't02', 't03', 't04', 't05');

      expect(code).to.equal(1);
      expect(stderr).to.match(/7 tenants \(t0[0-9] .*\): failed: Migration "Migration20991231000001" failed in schema/);
      expect(stderr.match(/nope/g)).to.have.length.below(4);
      // no character moves a cursor or colours a log, and nothing fills it
      expect(stderr)
        .to.contain(String.raw`\u{1b}[31myyy`)
        .and.contain('characters; `--json` shows all');
      expect(stderr.length).to.be.below(6_000);
    });

    it('M7 a role that may read the tenants alone, or not even them, is told so once', async () => {
      await database.query(`create role looker login password 'looker'`).catch(() => undefined);
      await database.query('grant usage on schema public to looker');
      const url = new URL(database.url ?? '');
      url.username = 'looker';
      url.password = 'looker';
      const looking = await createCliProject(url.href);
      const refused = await looking.runAll([
        ['ours', 'tenant:status'],
        ['ours', 'migration:up', '--tenants'],
        ['ours', 'migration:up', '--tenants', '--skip-public-check', '--json'],
      ]);

      for (const { code, output } of refused) {
        expect([code, output.trim().split('\n').length], output).to.deep.equal([2, 1]);
        expect(output).to.match(/refused a statement: permission denied for (table|schema) \w+ \(SQLSTATE 42501\)/);
      }

      await database.query('grant select on all tables in schema public to looker');

      for (const command of [
        ['tenant:status'],
        ['migration:pending', '--tenants'],
        ['migration:up', '--tenants', '--dry-run', '--skip-public-check'],
      ]) {
        const { output } = await looking.run(...command);
        expect(output.match(/The role "looker" may not read/g), `${command.join(' ')}: ${output}`).to.have.length(1);
      }

      await looking.remove();
      const client = new pg.Client({ connectionString: database.url ?? '' });
      await client.connect();
      await client.query('drop owned by looker');
      await client.query('drop role looker');
      await client.end();
    });

    it('law 10 a refusal is an object with --json', async () => {
      const { code, stdout } = await project.run('tenant:status', '--json', '--tenants', 'nobody');

      expect(code).to.equal(2);
      expect(JSON.parse(stdout)).to.include({ event: 'error', code: 'TENANT_UNKNOWN' });
    });
  },
  ['postgresql'],
);

const MIGRATION = `import { Migration } from '@mikro-orm/migrations';
export class Added extends Migration {
  override up(): void { this.addSql('alter table "book" add column "isbn" text'); }
}
`;
