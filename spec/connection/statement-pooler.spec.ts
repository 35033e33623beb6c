import { runInTenant, TenantError, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Author, Book, Tag } from '../../fixtures/entities/index.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import { openPooler } from '../support/databases/pooler.ts';
import { initLibrary, newLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

onDatabases(
  'a pooler that gives each statement another connection',
  database => {
    let orm: LibraryOrm;

    before(async () => {
      await (await openTwins(database)).close();
      const { pathname } = new URL(database.url ?? '');
      const pooler = await openPooler('statement');
      orm = await initLibrary(database, { directory: { listen: false } }, { clientUrl: pooler.urlOf(pathname.slice(1)) });
    });

    after(() => orm.close());

    it('law 2: entities are read through it', async () => {
      expect(await runInTenant('acme', em => em.find(Book, {}, { populate: ['author'] }))).to.have.length(2);
    });

    const uses: Readonly<Record<string, () => Promise<unknown>>> = {
      'raw SQL': () => runInTenant('acme', em => em.execute('select title from book')),
      'a stream of raw SQL': () =>
        runInTenant('acme', async em => {
          for await (const row of em.getConnection().stream('select title from book')) {
            expect.fail(JSON.stringify(row));
          }
        }),
      'a flush': () =>
        runInTenant('acme', em => em.persistAndFlush([em.create(Tag, { id: 9, name: 'x' }), em.create(Author, { name: 'y' })])),
      'a transaction': () => runInTenant('acme', em => em.transactional(tx => tx.count(Book))),
      'a transaction outside of scopes': () => orm.em.fork().transactional(em => em.execute('select 1')),
      'creating a tenant': () => orm.em.fork().persistAndFlush(newLibrary('carol')),
      'renaming a tenant': () => tenants(orm).rename('bob', 'dora'),
    };

    for (const [name, use] of Object.entries(uses)) {
      it(`law 10: ${name}, which needs a transaction, names the pooler, and what to set`, async () => {
        const error = await refusal(use);

        expect(error).to.be.instanceOf(TenantError);
        expect(error.code).to.equal('POOLER_WITHOUT_TRANSACTIONS');
        expect(error.message).to.contain('pool_mode').and.to.contain('statement pooling');
        expect(error.cause).to.be.instanceOf(Error);
        // its place in the pool is free again
        expect(await runInTenant('acme', em => em.count(Book))).to.equal(2);
      });
    }
  },
  // which keeps the server's connections open
  ['pgbouncer'],
);
