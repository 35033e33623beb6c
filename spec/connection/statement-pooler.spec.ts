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

    it('law 2: raw SQL is of its tenant through it, and nothing of it stays', async () => {
      for (const tenant of ['acme', 'bob']) {
        const rows = await runInTenant(tenant, em => em.execute('select title from book order by id'));
        expect(rows).to.deep.equal([{ title: `${tenant} book 1` }, { title: `${tenant} book 2` }]);
        await runInTenant(tenant, em => em.execute(`update book set copies = 7 where id = 1`));
        await runInTenant(tenant, em =>
          em.execute(`select set_config('search_path', 'bob', false), set_config('role', 'pg_monitor', false)`),
        );
        expect(await orm.em.fork().execute('select title from book where id = 1')).to.deep.equal([{ title: 'decoy' }]);
      }

      expect(await database.query('select copies from acme.book where id = 1')).to.deep.equal([{ copies: 7 }]);
    });

    const uses: Readonly<Record<string, () => Promise<unknown>>> = {
      'raw SQL with a semicolon in it': () => runInTenant('acme', em => em.execute(`select title from book where title <> ';'`)),
      'raw SQL that makes something': () => runInTenant('acme', em => em.execute('create view titles as select title from book')),
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
