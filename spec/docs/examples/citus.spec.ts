import { tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { emptyNode } from '../../../docs/examples/citus/placement.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { initLibrary, newLibrary } from '../../support/orm/library-orm.ts';

describe('the page on Citus', () => {
  it('X2 its config is one that is accepted', async () => {
    const { default: config } = await import('../../../docs/examples/citus/mikro-orm.config.ts');

    expect(config).to.have.property('clientUrl');
  });
});

onDatabases(
  'the page on Citus, on a cluster',
  database => {
    it('X3 empties a node', async () => {
      const orm = await initLibrary(database);
      await orm.schema.create();
      await orm.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob')]);
      const [acme, bob] = (await tenants(orm).placement()).map(({ node }) => node);

      expect(await emptyNode(acme ?? '', bob ?? '')).to.deep.equal(['acme']);
      expect((await tenants(orm).placement()).map(({ node }) => node)).to.deep.equal([bob, bob]);
    });
  },
  ['citus'],
);
