import { configure } from '@mikro-orm/cli';
import { expect } from 'chai';
import { createCliProject, type CliProject } from '../support/processes/cli-project.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary } from '../support/orm/library-orm.ts';
import { readCatalog } from '../support/databases/schema-contents.ts';

const MIGRATION = 'Migration20261123063104';
const OF_TENANTS = /schema "acme", which has no shared entities.*Nothing was run/s;

/** A command of MikroORM, what it says, and how it ends through this package's command line. Through MikroORM's own, what fails ends with 1. */
type Row = readonly [command: string, says: RegExp, code?: 0 | 1 | 2];

const COMMANDS: readonly Row[] = [
  ['debug', /database connection successful.*8 references/s],
  ['cache:generate --ts', /TS metadata cache was successfully generated/],
  ['cache:clear', /Metadata cache is disabled/],
  ['compile --out compiled.js', /Compiled functions generated/],
  ['discovery:export --dump --path entities/library.ts', /LibrarySchema,\n] as const/],
  // its package is not installed here. The ORM starts without entities
  ['generate-entities --dump', /EntityGenerator extension not registered/, 1],
  ['database:create', /^$/],
  ['database:import dump.sql', /successfully imported/],
  ['seeder:create other', /Seeder other successfully created/],
  ['seeder:run', /DatabaseSeeder successfully executed/],
  ['seeder:run --class TenantSeeder', /Tag is a tenant entity, but it was used outside any scope/, 2],
  ['schema:create --dump', /create table "genre"(?!.*create table "book")/s],
  ['schema:create --run --schema acme', OF_TENANTS, 2],
  ['schema:update --dump', /Schema is up-to-date/],
  ['schema:update --run', /Schema successfully updated/],
  ['schema:update --run --schema acme', OF_TENANTS, 2],
  ['schema:drop --dump', /drop table if exists "library"(?!.*"book")/s],
  ['schema:drop --run --schema acme', OF_TENANTS, 2],
  ['schema:fresh --run --schema acme', OF_TENANTS, 2],
  ['migration:create', /No changes required, schema is up-to-date/],
  ['migration:check', /No changes required, schema is up-to-date/],
  ['migration:list', new RegExp(MIGRATION)],
  ['migration:pending', /No pending migrations/],
  ['migration:up', /Successfully migrated up to the latest version/],
  [`migration:unlog --name ${MIGRATION}`, /Successfully unlogged/],
  [`migration:log --name ${MIGRATION}`, /Successfully logged/],
];

/** What this package's command line does for a tenant, and MikroORM's own would do with the public set in the tenant's schema. */
const REFUSED_BY_STOCK = ['migration:up --schema acme', 'migration:down --schema acme', 'migration:up --schema *'];

/** What drops the tables of the public schema. */
const IN_OTHER_SPECS = ['migration:fresh', 'migration:down', 'migration:rollup'];

onDatabases(
  'every stock command on a config with tenants',
  database => {
    let project: CliProject;

    before(async () => {
      const orm = await openLibrary(database);
      await orm.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob')]);
      await orm.close();
      await database.query(`insert into acme.tag (name) values ('acme tag')`);
      await database.query(`insert into bob.tag (name) values ('bob tag')`);
      project = await createCliProject(database.url ?? '');
      await project.write('dump.sql', 'create table if not exists from_dump (id int); drop table from_dump;');

      for (const [name, entity] of [
        ['DatabaseSeeder', 'Genre'],
        ['TenantSeeder', 'Tag'],
      ] as const) {
        await project.write(`seeders/${name}.ts`, seeder(name, entity));
      }
    });

    after(() => project.remove());

    it('M21 does what it does without tenants, or says in words why not, and leaves the tenants as they were', async () => {
      const before = await tenantsAsTheyAre();

      for (const line of ['ours', 'stock'] as const) {
        const results = await project.runAll(COMMANDS.map(([command]) => [line, ...command.split(' ')]));

        for (const [index, [command, says, code = 0]] of COMMANDS.entries()) {
          const { code: ended, output } = results[index] ?? { code: undefined, output: 'nothing' };
          expect(ended, `${line} ${command}: ${output}`).to.equal(line === 'ours' || code === 0 ? code : 1);
          expect(output, `${line} ${command}`).to.match(says);

          // yargs prints them, and a message in words needs neither
          if (line === 'ours' && code === 2) {
            expect(output, command).to.not.match(/^ +at |Options:/m);
          }
        }
      }

      expect(await tenantsAsTheyAre()).to.deep.equal(before);
      expect(await database.query('select name from genre')).to.deep.equal([{ name: 'seeded' }]);
    });

    it('M21 runs the public set in no schema of a tenant, whichever command line is called', async () => {
      const before = await tenantsAsTheyAre();
      const results = await project.runAll(REFUSED_BY_STOCK.map(command => ['stock', ...command.split(' ')]));

      for (const { code, output } of results) {
        expect(code, output).to.equal(1);
        expect(output).to.match(/which has no shared entities.*`mikro-orm-tenants`/s);
      }

      expect(await tenantsAsTheyAre()).to.deep.equal(before);
    });

    it('M21 combines the migrations of the public set, and goes down in it, without a tenant', async () => {
      const before = await tenantsAsTheyAre();
      await project.write('migrations/public/Migration20270101000000.ts', SECOND);
      const [up, rollup] = await project.runAll([
        ['ours', 'migration:up'],
        ['ours', 'migration:rollup'],
      ]);
      expect([up?.code, rollup?.code], `${up?.output} ${rollup?.output}`).to.deep.equal([0, 0]);
      expect(await project.files('migrations/public')).to.have.length(2);
      expect(await project.files('migrations/tenant')).to.include(`${MIGRATION}.ts`);
      expect(await tenantsAsTheyAre()).to.deep.equal(before);
    });

    it('M21 is about every command that there is', async () => {
      const commandLine = (await configure()) as any;
      const commands = Object.keys(commandLine.getInternalMethods().getCommandInstance().getCommandHandlers());
      const tried = [...COMMANDS.map(([command]) => command.split(' ')[0]), ...IN_OTHER_SPECS];
      expect(commands.filter(name => !tried.includes(name))).to.deep.equal([]);
    });

    async function tenantsAsTheyAre(): Promise<unknown> {
      const contents = ['acme', 'bob'].map(async name => [
        await readCatalog(database, name),
        await database.query(`select * from ${name}.tag`),
        await database.query(`select * from ${name}.mikro_orm_migrations`),
      ]);

      return Promise.all(contents);
    }
  },
  ['postgresql'],
);

function seeder(name: string, entity: string): string {
  return `import { Seeder } from '@mikro-orm/seeder';
import { ${entity} } from '../entities/index.ts';
export class ${name} extends Seeder {
  async run(em: any): Promise<void> { await em.upsert(${entity}, { name: 'seeded' }); }
}
`;
}

const SECOND = `import { Migration } from '@mikro-orm/migrations';
export class Migration20270101000000 extends Migration {
  override up(): void { this.addSql('create table "holiday" ("id" serial primary key)'); }
  override down(): void { this.addSql('drop table "holiday"'); }
}
`;
