import { runInTenant } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Book, Client, Genre, User } from '../../../docs/examples/bookshop/entities.ts';
import { createApp } from '../../../docs/examples/bookshop/app.ts';
import * as scopes from '../../../docs/examples/bookshop/scopes.ts';
import * as tenants from '../../../docs/examples/bookshop/tenants.ts';
import * as transactions from '../../../docs/examples/bookshop/transactions.ts';
import { failureOf } from '../../support/assertions/failure.ts';
import { refusal } from '../../support/assertions/refusal.ts';
import { schemaNames, tablesOf } from '../../support/databases/catalog.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { createShop, openBookshop } from '../../support/orm/bookshop.ts';
import { createBookshopProject } from '../../support/processes/bookshop-project.ts';
import { transcriptsOf } from '../../support/processes/transcripts.ts';
import type { SpecOrm } from '../../support/orm/open-orm.ts';
import { serve } from '../../support/web/web-server.ts';

onDatabases('the code of the pages on concepts', database => {
  let orm: SpecOrm;

  before(async () => {
    orm = await openBookshop(database);
    await createShop('bob');
  });

  it('law 4 T1 a tenant is a row, a schema, its tables and its history', async () => {
    const acme = await tenants.openShop(orm.em.fork());

    expect(await schemaNames(database)).to.deep.equal(['acme', 'bob']);
    expect(await tablesOf(database, 'acme')).to.deep.equal(['book', 'mikro_orm_migrations', 'user']);
    expect(await tablesOf(database, 'public')).to.deep.equal(['client', 'genre', 'mikro_orm_migrations']);

    await runInTenant(acme, em => em.persistAndFlush(em.create(Book, { title: 'Kept' })));
    const reopened = await tenants.closeAndReopen(orm.em.fork(), acme);
    expect(reopened.id).not.to.equal(acme.id);
    expect(await tenants.titlesOf(reopened)).to.deep.equal(['Kept']);

    await tenants.renameAndClose(reopened);
    expect(await schemaNames(database)).to.deep.equal(['bob']);
  });

  it('law 1 law 2 S1 the three scopes do what the page says of each', async () => {
    await tenants.openShop(orm.em.fork());

    expect(await scopes.inTheScopeOfATenant()).to.equal(1);
    expect(await refusal(scopes.inThePublicScope(), 'TENANT_CONTEXT_REQUIRED')).to.be.an('error');
    expect(await refusal(scopes.inNoScope(orm.em.fork()), 'TENANT_CONTEXT_REQUIRED')).to.be.an('error');
    expect(await refusal(scopes.askForAnotherTenant(), 'CROSS_TENANT')).to.be.an('error');
    expect(await scopes.followsTheWork()).to.deep.equal(['acme', 'bob', 'public', 'Acme', undefined]);
  });

  it('T7 S11 S14 transactions store all or nothing, and a savepoint only its own', async () => {
    await orm.em.fork().persistAndFlush(orm.em.fork().create(Genre, { name: 'Novel' }));
    await transactions.renameGenre();
    expect(await database.query('select b.title, g.name from acme.book b join genre g on g.id = b.genre_id')).to.deep.equal([
      { title: 'Persuasion', name: 'Fiction' },
    ]);

    expect(await transactions.importUsers(['a@x.org', 'b@x.org', 'a@x.org', 'c@x.org'])).to.deep.equal(['a@x.org']);
    expect(await runInTenant('acme', em => em.count(User))).to.equal(3);
    expect(await runInTenant('bob', em => em.count(User))).to.equal(0);

    const carl = await transactions.signUp(orm.em.fork(), 'carl', 'Welcome');
    expect(await tenants.titlesOf(carl)).to.deep.equal(['Welcome']);
    expect(String(await failureOf(transactions.signUp(orm.em.fork(), 'dora', '')))).to.equal('Error: A shop begins with a book.');
    expect(await schemaNames(database)).to.deep.equal(['acme', 'bob', 'carl']);
    expect(await orm.em.fork().count(Client, { schemaName: 'dora' })).to.equal(0);

    expect(await transactions.countAll(orm.em.fork())).to.equal(3);
  });

  it('H1 H2 a request is of the tenant that has its host, of the public routes, or of nobody', async () => {
    const server = await serve(createApp(orm.em), database);
    const get = async (host: string, path?: string): Promise<(string | number)[]> => {
      const { status, body } = await server.get(host, path);

      return [status, body];
    };

    expect(await get('localhost')).to.deep.equal([200, '3']);
    expect(await get('acme.example.com')).to.deep.equal([200, 'Acme']);
    expect(await get('WWW.Acme.example.com.:3000')).to.deep.equal([200, 'Acme']);
    expect((await get('acme.example.com', '/books'))[1]).to.contain('Emma');
    expect(await get('bob.example.com', '/books')).to.deep.equal([200, '[]']);
    expect((await get('nobody.example.com'))[0]).to.equal(404);
    expect((await get('a b'))[0]).to.equal(400);
  });
});

onDatabases(
  'the commands of the page on the two sets',
  database => {
    it('M1 M3 print what the page says', async () => {
      const orm = await openBookshop(database);
      await createShop('acme');
      await createShop('bob');
      const project = await createBookshopProject(database.url ?? '');
      database.atEnd(() => project.remove());
      database.atEnd(() => orm.close());

      expect(await project.replay(transcriptsOf('docs/concepts/migration-sets.md').flat())).to.deep.equal([0, 0, 0, 0]);
    });
  },
  ['postgresql'],
);
