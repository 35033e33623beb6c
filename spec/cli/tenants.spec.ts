import { expect } from 'chai';
import { createCliProject, type CliProject } from '../support/processes/cli-project.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary } from '../support/orm/library-orm.ts';
import { historyOf, schemasWith } from '../support/databases/catalog.ts';

const [FIRST, SECOND] = ['Migration20261123063104', 'Migration20991231000000'];

onDatabases(
  'mikro-orm --tenants',
  database => {
    let project: CliProject;

    before(async () => {
      const orm = await openLibrary(database);
      await orm.em.fork().persistAndFlush(['acme', 'bob', 'carl'].map(name => newLibrary(name)));
      await orm.close();
      project = await createCliProject(database.url ?? '');
      await project.write(`migrations/tenant/${SECOND}.ts`, migration('alter table "book" add column "isbn" text'));
    });

    after(() => project.remove());

    it('M3 refuses an unknown name before anything runs, and exits with 2', async () => {
      const { code, output } = await project.run('migration:up', '--tenants', 'acme', 'nobody');

      expect(code, output).to.equal(2);
      expect(output).to.contain('"nobody"').and.not.contain('at ');
      expect(await schemasWith(database, 'book', 'isbn')).to.deep.equal([]);
    });

    it('M8 lists what each tenant has and lacks, and checks with exit code 1 while one is behind', async () => {
      const pending = await project.run('migration:pending', '--tenants');
      const list = await project.run('migration:list', '--tenants', 'bob');
      const check = await project.run('migration:check', '--tenants');

      const all = await project.run('migration:pending', '--tenants', '--all');

      expect(pending.output)
        .to.match(new RegExp(`3 tenants \\(acme bob carl\\) +│ ${SECOND}`))
        .and.contain('3 tenants: 0 up-to-date, 3 not');
      expect(all.output.match(new RegExp(SECOND, 'g'))).to.have.length(3);
      expect(list.output).to.contain('bob').and.contain(FIRST).and.not.contain('acme').and.not.contain(SECOND);
      expect([pending.code, list.code, check.code]).to.deep.equal([0, 0, 1]);
    });

    it('M3 migrates the named tenants and no others', async () => {
      const { code, output } = await project.run('migration:up', '--tenants', 'acme');

      expect(code).to.equal(0);
      expect(output).to.contain(`acme: ${SECOND}`).and.contain('1 tenant: 1 migrated up');
      expect(await schemasWith(database, 'book', 'isbn')).to.deep.equal(['acme']);
    });

    it('M4 goes on past a broken tenant, names it and its cause, and exits with 1', async () => {
      await database.query('alter table bob.book add column isbn int');

      const { code, output } = await project.run('migration:up', '--tenants');

      expect(code).to.equal(1);
      expect(output).to.match(/bob: failed: .*Migration20991231000000.*column "isbn" of relation "book" already exists/);
      expect(output).to.contain('3 tenants: 1 migrated up, 1 up to date, 1 failed');
      expect(await historyOf(database, 'carl')).to.deep.equal([FIRST, SECOND]);
      expect(await historyOf(database, 'bob')).to.deep.equal([FIRST]);
    });

    it('M4 does only what is left when it is run again after the mend', async () => {
      await database.query('alter table bob.book drop column isbn');

      const { code, output } = await project.run('migration:up', '--tenants');

      expect(code).to.equal(0);
      expect(output).to.contain('3 tenants: 1 migrated up, 2 up to date, 0 failed');
      expect(await schemasWith(database, 'book', 'isbn')).to.deep.equal(['acme', 'bob', 'carl']);
    });

    it('M8 checks with exit code 0 when every tenant is up to date', async () => {
      const { code, output } = await project.run('migration:check', '--tenants');

      expect(output).to.contain('3 tenants up-to-date');
      expect(code).to.equal(0);
    });

    it('M8 goes down in the named tenants, one step or to a version', async () => {
      const step = await project.run('migration:down', '--tenants', 'acme');
      const toVersion = await project.run('migration:down', '--tenants', 'bob', '--to', FIRST);

      expect([step.code, toVersion.code]).to.deep.equal([0, 0]);
      expect(await schemasWith(database, 'book', 'isbn')).to.deep.equal(['carl']);
      expect(await historyOf(database, 'public')).to.deep.equal([FIRST]);
    });

    it("M3 takes --schema '*' for --tenants, and --schema of a tenant for that one", async () => {
      await project.run('migration:up', '--schema', 'bob');
      expect(await schemasWith(database, 'book', 'isbn')).to.deep.equal(['bob', 'carl']);

      const all = await project.run('migration:up', '--schema', '*');
      expect(all.code).to.equal(0);
      expect(await schemasWith(database, 'book', 'isbn')).to.deep.equal(['acme', 'bob', 'carl']);
    });

    it('M1 does not touch the tenants without the option', async () => {
      await project.write(`migrations/public/${SECOND}.ts`, migration('create table "holiday" ("id" serial primary key)'));

      const refused = await project.run('migration:up', '--tenants');
      expect(refused.code).to.equal(2);
      expect(refused.output).to.contain(`The public set has pending migrations (${SECOND})`);
      expect((await project.run('migration:up', '--tenants', '--skip-public-check')).code).to.equal(0);

      const up = await project.run('migration:up');
      expect(up.code, up.output).to.equal(0);
      expect(await schemasWith(database, 'holiday')).to.deep.equal(['public']);
      expect(await historyOf(database, 'acme')).to.deep.equal([FIRST, SECOND]);
    });
  },
  ['postgresql'],
);

function migration(sql: string): string {
  return `import { Migration } from '@mikro-orm/migrations';
export class Added extends Migration {
  override up(): void { this.addSql(\`${sql}\`); }
  override down(): void { this.addSql(\`alter table "book" drop column "isbn"\`); }
}
`;
}
