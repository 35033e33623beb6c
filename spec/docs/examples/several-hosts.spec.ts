import { expect } from 'chai';
import koa from '../../../docs/examples/several-hosts/app.ts';
import { addDomain, makePrimary, signUp } from '../../../docs/examples/several-hosts/domains.ts';
import { Book, Client, Domain } from '../../../docs/examples/several-hosts/entities.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { CreateNote } from '../../support/orm/note-orm.ts';
import { openOrm, type SpecOrm } from '../../support/orm/open-orm.ts';
import { serve, type WebServer } from '../../support/web/web-server.ts';

onDatabases('the page on several hosts', database => {
  let orm: SpecOrm;
  let server: WebServer;

  before(async () => {
    orm = await openOrm(
      database,
      { tenant: Client, domains: Domain, migrations: { migrationsList: [CreateNote] } },
      { entities: [Client, Domain, Book] },
    );
    await orm.schema.create();
    server = await serve(koa.callback());
    database.atEnd(() => server.close());
  });

  it('H15 signs up a client with a domain, adds others, and tells which it cannot have', async () => {
    await signUp(orm.em.fork());
    const em = orm.em.fork();
    const client = await em.findOneOrFail(Client, { schemaName: 'acme' });
    const answers = ['acme.org', 'acme.org:80', 'localhost', 'acme.com'].map(
      domain => () => addDomain(em.fork(), em.getReference(Client, client.id), domain),
    );

    expect(await answers.reduce(async (before, next) => [...(await before), await next()], Promise.resolve<string[]>([]))).to.deep.equal([
      'stored',
      'DOMAIN_INVALID',
      'DOMAIN_RESERVED',
      'HOST_TAKEN',
    ]);
  });

  it('H16 makes another domain the primary one', async () => {
    await makePrimary(orm.em.fork(), 'acme.org');

    expect(await database.query('select domain from domain where is_primary')).to.deep.equal([{ domain: 'acme.org' }]);
  });

  it('H17 redirects to it, and links to it', async () => {
    expect(await server.get('acme.com', '/a?b')).to.deep.include({ status: 308 });
    expect(await server.get('acme.org')).to.deep.include({ status: 200, body: 'https://acme.org/welcome' });
  });
});
