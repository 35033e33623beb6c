import { expect } from 'chai';
import { createCliProject, type CliProject } from '../support/processes/cli-project.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary } from '../support/orm/library-orm.ts';

const [FIRST, SECOND] = ['Migration20261123063104', 'Migration20991231000000'];

onDatabases(
  'tenant:status',
  database => {
    let project: CliProject;

    before(async () => {
      const orm = await openLibrary(database);
      await orm.em.fork().persistAndFlush(['acme', 'bob', 'carl', 'gone'].map(name => newLibrary(name)));
      await orm.close();
      await database.query('drop schema bob cascade');
      await database.query(`insert into carl.mikro_orm_migrations (name) values ('MigrationOfTomorrow')`);
      // the row goes, its schema stays
      await database.query(`delete from public.library where schema_name = 'gone'`);
      await database.query('create schema somebody_elses');
      project = await createCliProject(database.url ?? '');
      await project.write(`migrations/tenant/${SECOND}.ts`, MIGRATION);
      expect((await project.run('migration:up', '--tenants', 'acme')).code).to.equal(0);
    });

    after(() => project.remove());

    it('M7 shows what each tenant has, a tenant without its schema, a schema without its tenant, and unknown migrations', async () => {
      const { code, stdout } = await project.run('tenant:status');

      expect(code).to.equal(0);
      expect(rowOf(stdout, 'acme')).to.match(new RegExp(`\\b2\\b.*${SECOND}.*\\b0\\b`));
      expect(rowOf(stdout, 'bob')).to.contain('has no schema');
      expect(rowOf(stdout, 'carl')).to.contain('unknown: MigrationOfTomorrow');
      expect(stdout).to.contain('Schemas without a tenant: gone').and.not.contain('somebody_elses');
    });

    it('M7 writes the same as JSON, a line each', async () => {
      const { code, stdout } = await project.run('tenant:status', '--json');
      const events = stdout
        .trim()
        .split('\n')
        .map(line => JSON.parse(line) as object);

      expect(code).to.equal(0);
      expect(events).to.deep.equal([
        { event: 'tenant', schemaName: 'acme', hasSchema: true, executed: [FIRST, SECOND], pending: [], unknown: [] },
        { event: 'tenant', schemaName: 'bob', hasSchema: false, executed: [], pending: [FIRST, SECOND], unknown: [] },
        {
          event: 'tenant',
          schemaName: 'carl',
          hasSchema: true,
          executed: [FIRST, 'MigrationOfTomorrow'],
          pending: [SECOND],
          unknown: ['MigrationOfTomorrow'],
        },
        { event: 'orphans', schemaNames: ['gone'] },
        { event: 'summary', total: 3, upToDate: 1, behind: 2, unknown: 1, orphans: 1 },
      ]);
    });

    it('M7 shows the selected tenants alone', async () => {
      const named = await project.run('tenant:status', '--tenants', 'acme', 'bob', '--skip', 'bob');
      const unknown = await project.run('tenant:status', '--tenants', 'nobody');

      expect(rowOf(named.stdout, 'acme')).to.not.equal('');
      expect(rowOf(named.stdout, 'bob') + rowOf(named.stdout, 'carl')).to.equal('');
      expect([unknown.code, unknown.stdout]).to.deep.equal([2, '']);
    });

    it('M7 a run reports the tenant without a schema as failed, warns of the unknown migration, and goes on', async () => {
      const { code, stdout, stderr } = await project.run('migration:up', '--tenants');

      expect(code).to.equal(1);
      expect(stderr).to.contain('bob: failed').and.contain('has no schema');
      expect(stdout).to.contain(`carl: ${SECOND}`).and.contain('carl: the history contains MigrationOfTomorrow');
    });
  },
  ['postgresql'],
);

function rowOf(table: string, schemaName: string): string {
  return table.split('\n').find(line => new RegExp(`\\b${schemaName}\\b`).test(line) && !line.startsWith('Schemas')) ?? '';
}

const MIGRATION = `import { Migration } from '@mikro-orm/migrations';
export class Added extends Migration {
  override up(): void { this.addSql('alter table "book" add column "isbn" text'); }
}
`;
