import { tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import { initLibrary, newLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { createCliProject, type CliProject } from '../support/processes/cli-project.ts';

onDatabases(
  'the commands for nodes of Citus',
  database => {
    let orm: LibraryOrm;
    let project: CliProject;

    before(async () => {
      project = await createCliProject(database.url ?? '');
      await project.run('migration:up');
    });

    after(() => project.remove());

    it('X1 `migration:create` on Citus makes the reference tables that are missing, and drops nothing of Citus', async () => {
      await project.run('migration:create');
      expect((await project.run('migration:up')).code).to.equal(0);
      expect((await project.run('migration:create')).output).to.include('No changes required');
      const references = await database.query(`select logicalrelid::text as name from pg_dist_partition where repmodel = 't'`);
      expect(references).to.deep.equal([{ name: 'genre' }]);
      expect(await database.query(`select 1 from pg_views where viewname = 'citus_schemas'`)).to.have.length(1);
    });

    it('X3 they show where tenants are, and move them', async () => {
      orm = await initLibrary(database);
      await orm.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob')]);
      const [acme, bob] = (await tenants(orm).placement()).map(({ node }) => node);
      const placement = await project.run('tenant:placement', '--json');
      expect(placement.stdout.trim().split('\n')).to.deep.equal(
        [
          ['acme', acme],
          ['bob', bob],
        ].map(([schemaName, node]) => JSON.stringify({ event: 'placement', schemaName, node, isSharded: true })),
      );
      expect((await project.run('tenant:move', 'acme', bob ?? '')).output).to.include(`acme moved from ${acme} to ${bob}`);
      expect((await project.run('tenant:status')).output).to.include('Node');
      expect((await project.run('tenant:rebalance', '--by', 'count')).output).to.include('1 tenant moved');
      expect(new Set((await tenants(orm).placement()).map(({ node }) => node)).size).to.equal(2);
    });

    it('X3 they refuse what is no node, and `tenant:distribute` without tenants', async () => {
      const unknown = await project.run('tenant:move', 'acme', 'nowhere:1');

      expect([unknown.code, unknown.stderr.includes('has no node "nowhere:1"')]).to.deep.equal([2, true]);
      expect((await project.run('tenant:distribute')).code).to.equal(2);
      expect((await project.run('tenant:distribute', '--tenants')).output).to.include('0 tenants distributed');
    });
  },
  ['citus'],
);

onDatabases('the commands for nodes on a PostgreSQL without Citus', database => {
  it('X1 say that there is no Citus', async () => {
    const orm = await initLibrary(database, { migrations: { migrationsList: [] } });
    await orm.migrator.up();
    await orm.em.fork().persistAndFlush(newLibrary('acme'));

    for (const work of [
      () => tenants(orm).placement(),
      () => tenants(orm).move('acme', 'a:1'),
      () => tenants(orm).rebalance(),
      () => tenants(orm).distribute('acme'),
    ]) {
      await refusal(work, 'CITUS_MISSING');
    }

    expect((await tenants(orm).status()).tenants.map(({ node }) => node)).to.deep.equal([undefined]);
  });
});
