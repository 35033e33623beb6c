import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { historyOf } from '../support/databases/catalog.ts';
import { createCliProject, type CliProject } from '../support/processes/cli-project.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary } from '../support/orm/library-orm.ts';

const FIRST = 'Migration20261123063104';
const ISBN = 'Migration20991231000000_isbn';
const RENAMED = 'Migration20991231000000_book_number';
const NAMES = ['acme', 'bob'];

onDatabases(
  'the histories of tenants on the command line',
  database => {
    let project: CliProject;

    before(async () => {
      const orm = await openLibrary(database);
      await orm.em.fork().persistAndFlush(NAMES.map(name => newLibrary(name)));
      await orm.close();
      project = await createCliProject(database.url ?? '');
    });

    after(() => project.remove());

    it('M18, M27 a release without the latest migration has nothing to complain of', async () => {
      await database.query(`insert into acme.mikro_orm_migrations (name) values ('MigrationOfTomorrow')`);
      const [check, up, status] = await run('migration:check --tenants', 'migration:up --tenants', 'tenant:status');
      await database.query(`delete from acme.mikro_orm_migrations where name = 'MigrationOfTomorrow'`);

      expect([check?.code, up?.code, status?.code]).to.deep.equal([0, 0, 0]);
      expect(check?.output).to.contain('acme: the history contains MigrationOfTomorrow, but this version of the tenant set does not');
      expect(check?.output).to.contain('2 tenants up-to-date');
      expect(status?.output).to.contain('2 tenants: 2 up-to-date, 0 not, 1 with migrations that this version does not have');
    });

    it('M18, M28 `migration:log`, `migration:unlog` and `migration:rename` change the tenants’ histories, and show it first', async () => {
      await project.write(`migrations/tenant/${ISBN}.ts`, MIGRATION);
      const [preview, log, again] = await run(
        `migration:log --tenants --name ${ISBN} --dry-run`,
        `migration:log --tenants --name ${ISBN}`,
        `migration:log --tenants --json --name ${ISBN}.ts`,
      );
      expect([preview?.code, log?.code, again?.code]).to.deep.equal([0, 0, 0]);
      expect(preview?.output)
        .to.contain('-- acme and 1 more')
        .and.contain(`insert into "acme"."mikro_orm_migrations" (name) values ('${ISBN}');`);
      expect(log?.output).to.contain('2 tenants: 2 recorded, 0 up to date, 0 failed');
      expect(again?.output).to.contain('"upToDate":2');
      expect(await histories()).to.deep.equal([
        [FIRST, ISBN],
        [FIRST, ISBN],
      ]);

      await rename(join(project.folder, `migrations/tenant/${ISBN}.ts`), join(project.folder, `migrations/tenant/${RENAMED}.ts`));
      const [up, check, renamed, then, unlog, pending] = await run(
        'migration:up --tenants',
        'migration:check --tenants',
        `migration:rename --tenants --from ${ISBN} --to ${RENAMED}`,
        'migration:up --tenants',
        `migration:unlog --tenants acme --name ${RENAMED}`,
        'migration:pending --tenants',
      );
      expect([up?.code, check?.code, renamed?.code, then?.code, unlog?.code]).to.deep.equal([1, 1, 0, 0, 0]);
      expect(up?.output).to.contain('2 tenants (acme bob): failed').and.contain(`--from ${ISBN} --to ${RENAMED}`);
      expect(check?.output).to.contain('under a new name');
      expect(renamed?.output).to.contain('2 tenants: 2 renamed');
      expect(then?.output).to.contain('2 up to date');
      expect(pending?.output)
        .to.match(new RegExp(`acme +│ ${RENAMED}`))
        .and.not.contain('bob');
      expect(await histories()).to.deep.equal([[FIRST], [FIRST, RENAMED]]);
    });

    it('M18, M28 without `--tenants` the stock commands stay as they are, and `migration:rename` is refused', async () => {
      const [log, rename, unlog, misplaced, missing] = await run(
        'migration:log --name Migration1',
        'migration:rename --from A --to B',
        'migration:unlog --name Migration1',
        'migration:log --name Migration1 --dry-run',
        'migration:rename --tenants --to B',
      );
      expect([log?.code, rename?.code, unlog?.code, misplaced?.code, missing?.code]).to.deep.equal([0, 2, 0, 2, 2]);
      expect(log?.output).to.contain(`Successfully logged migration 'Migration1'`);
      expect(rename?.output).to.contain('only together with `--tenants`');
      expect(misplaced?.output).to.contain('`--dry-run` works only together with `--tenants`');
      expect(await histories()).to.deep.equal([[FIRST], [FIRST, RENAMED]]);
    });

    it('M18, M29 `migration:rollup --tenants` combines the files, and other databases get the entry by their next `up`', async () => {
      const [, named, preview, rollup, list] = await run(
        'migration:up --tenants',
        'migration:rollup --tenants acme',
        'migration:rollup --tenants --dry-run',
        'migration:rollup --tenants --json',
        'migration:list --tenants',
      );
      expect([named?.code, preview?.code, rollup?.code, list?.code]).to.deep.equal([2, 0, 0, 0]);
      expect(preview?.output)
        .to.contain('-- acme and 1 more with the same history')
        .and.contain('update "acme"."mikro_orm_migrations" set name');
      const files = (await project.files('migrations/tenant')).filter(name => name.endsWith('.ts'));
      expect(files).to.have.length(1);
      const name = files[0]?.replace(/\.ts$/, '');
      expect(rollup?.output).to.contain(`${name}.ts`).and.contain('"event":"summary","total":2,"upToDate":0,"migrated":2');
      expect(await histories()).to.deep.equal([[name], [name]]);

      // a database that the command did not see
      await database.query('truncate bob.mikro_orm_migrations');
      await database.query(`insert into bob.mikro_orm_migrations (name) values ('${FIRST}'), ('${RENAMED}')`);
      const [up] = await run('migration:up --tenants');
      expect(up?.code, up?.output).to.equal(0);
      expect(await histories()).to.deep.equal([[name], [name]]);
    });

    function run(...commands: string[]): ReturnType<CliProject['runAll']> {
      return project.runAll(commands.map(command => ['ours', ...command.split(' ')]));
    }

    async function histories(): Promise<unknown[]> {
      return Promise.all(NAMES.map(name => historyOf(database, name)));
    }
  },
  ['postgresql'],
);

const MIGRATION = `import { Migration } from '@mikro-orm/migrations';
export class Isbn extends Migration {
  override up(): void { this.addSql('alter table "book" add column "isbn" text'); }
}
`;
