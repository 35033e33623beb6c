import { expect } from 'chai';
import { createCliProject, type CliProject } from '../support/processes/cli-project.ts';
import { onDatabases } from '../support/databases/database.ts';
import { initLibrary, newLibrary, openLibrary } from '../support/orm/library-orm.ts';
import { schemaNames, storedTenants } from '../support/databases/catalog.ts';

onDatabases(
  'beginning anew',
  database => {
    let project: CliProject;

    before(async () => {
      const orm = await openLibrary(database);
      await orm.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob')]);
      await orm.close();
      await database.query('create schema somebody_elses');
      project = await createCliProject(database.url ?? '');
    });

    after(() => project.remove());

    it('M32 `migration:fresh --tenants` drops the tenants’ schemas too, and the next sign-up of a name succeeds', async () => {
      const { code, output } = await project.run('migration:fresh', '--tenants');

      expect(code, output).to.equal(0);
      expect(output).to.contain('acme, bob').and.contain('Successfully migrated up');
      expect(await schemaNames(database)).to.deep.equal(['somebody_elses']);
      await signUp('acme', 'bob');
      expect(await storedTenants(database)).to.deep.equal(['acme', 'bob']);
    });

    it('M32 without the option it says what it leaves, and what drops that', async () => {
      const { code, output } = await project.run('migration:fresh');

      expect(code, output).to.equal(0);
      expect(output).to.contain('migration:fresh --tenants acme bob');
      expect(await schemaNames(database)).to.deep.equal(['acme', 'bob', 'somebody_elses']);

      const other = await project.run('migration:fresh', '--tenants', 'somebody_elses');
      expect([other.code, await schemaNames(database)], other.output).to.deep.equal([2, ['acme', 'bob', 'somebody_elses']]);

      const named = await project.run('migration:fresh', '--tenants', 'acme', 'bob');
      expect([named.code, await schemaNames(database)], named.output).to.deep.equal([0, ['somebody_elses']]);
      await signUp('acme');
    });

    it('M32 a name that leaves tenants out is refused, and nothing is dropped', async () => {
      await signUp('bob');

      for (const names of [['acme'], ['nobody']]) {
        const { code, output } = await project.run('migration:fresh', '--tenants', ...names);
        expect(code, output).to.equal(2);
        expect(output).to.match(/drops the schemas of all tenants, so also of .*"bob"\. Nothing was run/);
      }

      expect(await storedTenants(database)).to.deep.equal(['acme', 'bob']);
      expect(await schemaNames(database)).to.deep.equal(['acme', 'bob', 'somebody_elses']);
      expect(await project.run('tenant:drop', 'bob', '--yes')).to.include({ code: 0 });
    });

    it('M32 `schema:drop` does the same, where it is run', async () => {
      expect((await project.run('schema:drop', '--dump', '--tenants')).output)
        .to.contain('drop table')
        .and.not.contain('acme');
      expect(await schemaNames(database)).to.deep.equal(['acme', 'somebody_elses']);

      const { code, output } = await project.run('schema:drop', '--run', '--tenants');
      expect([code, await schemaNames(database)], output).to.deep.equal([0, ['somebody_elses']]);
    });

    async function signUp(...names: string[]): Promise<void> {
      const orm = await initLibrary(database);
      await orm.em.fork().persistAndFlush(names.map(name => newLibrary(name)));
      await orm.close();
    }
  },
  ['postgresql'],
);
