import { runInTenant, tenants } from '@landlord/mikro-orm';
import { helper, RequestContext } from '@mikro-orm/core';
import { expect } from 'chai';
import { Author, Book, Genre } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { openTwins } from '../support/orm/twins.ts';

onDatabases('Forks in scopes', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openTwins(database);
  });

  it('S12 a fork that the global EntityManager makes in a scope is of that scope’s tenant, also where another has its name', async () => {
    const [kept, ofOptions] = await runInTenant('acme', async () => [orm.em.fork(), orm.em.fork({ clear: false })]);
    await tenants(orm).rename('acme', 'former');
    await tenants(orm).rename('bob', 'acme');

    try {
      database.statements.length = 0;
      await refusal(() => kept.find(Book, {}), 'TENANT_CHANGED');
      await refusal(() => ofOptions.find(Book, {}), 'TENANT_CHANGED');
      await refusal(() => kept.execute('select title from book'), 'TENANT_CHANGED');
    } finally {
      await tenants(orm).rename('acme', 'bob');
      await tenants(orm).rename('former', 'acme');
    }
  });

  it('law 2: the EntityManager of a request context stays without a tenant where scopes are entered in it', async () => {
    await RequestContext.create(orm.em, async () => {
      const outer = RequestContext.getEntityManager()!;
      await runInTenant('acme', async em => {
        expect(helper(em.getReference(Author, 1)).__schema).to.equal('acme');
        await em.upsert(Author, { id: 1, name: 'acme author 1' });
        expect(helper(await em.findOneOrFail(Book, 1)).__schema).to.equal('acme');
      });

      await refusal(async () => outer.getReference(Author, 7), 'TENANT_CONTEXT_REQUIRED');
    });
  });

  it('law 2: a query of another tenant’s query is refused', async () => {
    const ofBob = await runInTenant(
      'bob',
      async em => [em.qb(Author, 'x').select('x.id'), em.qb(Author, 'x').select('x.id').as('y')] as const,
    );

    await runInTenant('acme', async em => {
      database.statements.length = 0;

      for (const query of ofBob) {
        await refusal(
          () =>
            em
              .createQueryBuilder(query as never, 'y')
              .select('*')
              .execute(),
          'CROSS_TENANT',
        );
      }

      expect(database.statements).to.deep.equal([]);
    });
  });

  it('law 2: an EntityManager from outside writes no shared rows of one tenant’s query in the scope of another', async () => {
    const name = await runInTenant('acme', async em => [em.qb(Author, 'a').select('a.name').where({ id: 1 }).toRaw()] as never[]);
    await database.query(`insert into genre (id, name) values (97, 'satire')`);
    const outside = orm.em.fork();
    const [one, two] = await outside.find(Genre, {}, { orderBy: { id: 1 }, limit: 2 });

    await runInTenant('bob', async () => {
      database.statements.length = 0;
      await refusal(() => outside.insertMany(Genre, [{ id: 98, name: name[0]! }]), 'CROSS_TENANT');
      Object.assign(one!, { name: name[0] });
      Object.assign(two!, { name: name[0] });
      await refusal(() => outside.flush(), 'CROSS_TENANT');
      expect(database.statements.filter(sql => sql.includes('author'))).to.deep.equal([]);
    });
  });

  it('S16 an entity that is made by its class is refreshed from the tenant of the EntityManager', async () => {
    await runInTenant('acme', async em => {
      const author = Object.assign(Object.create(Author.prototype) as Author, { id: 1 });
      await em.refresh(author);
      expect(author.name).to.equal('acme author 1');
      expect(helper(author).__schema).to.equal('acme');
    });
  });

  it('S1 what MikroORM’s global EntityManager can do without a context, it can do here', async () => {
    orm.config.set('allowGlobalContext', false);

    try {
      expect(() => orm.em.createQueryBuilder(Genre)).not.to.throw();
      orm.em.addFilter({ name: 'named', cond: {}, entity: Genre, default: false });
      await orm.em.createQueryBuilder(Genre).getCount();
      await orm.em.execute('select 1');
    } finally {
      orm.config.set('allowGlobalContext', true);
    }
  });
});
