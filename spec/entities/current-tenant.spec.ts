import { currentTenant, runInPublic, runInTenant, TenantMixin, tenantContext } from '@landlord/mikro-orm';
import { defineEntity, p, ref } from '@mikro-orm/core';
import { expect } from 'chai';
import Koa from 'koa';
import { onDatabases } from '../support/databases/database.ts';
import { openOrm, type SpecOrm } from '../support/orm/open-orm.ts';
import { serveUntilSpecEnds } from '../support/web/web-server.ts';

class Client extends TenantMixin {
  declare name: string;
  declare users: any;
}

class User {
  declare id: number;
  declare client: any;
}

class Visit {
  declare id: number;
  declare user: User | null;
  declare client: any;
  declare clients: any;
}

defineEntity({
  class: Client,
  extends: TenantMixin,
  properties: { name: p.string(), users: () => p.oneToMany(User).mappedBy('client') },
} as never);
defineEntity({ class: User, properties: { id: p.integer().primary(), client: () => p.manyToOne(Client) } } as never);
defineEntity({
  class: Visit,
  schema: '*',
  properties: {
    id: p.integer().primary(),
    user: () => p.manyToOne(User).nullable(),
    client: () => p.manyToOne(Client).ref(),
    clients: () => p.manyToMany(Client),
  },
} as never);

onDatabases('the tenant of a scope in a relation', database => {
  const serve = serveUntilSpecEnds();
  let orm: SpecOrm;

  before(async () => {
    orm = await openOrm(database, { tenant: Client, autoCreateSchema: false }, { entities: [Client, User, Visit] });
    await orm.schema.create();
    await orm.em
      .fork()
      .persistAndFlush(['acme', 'bob'].map(name => new Client({ schemaName: name, domainUrl: `${name}.example.com`, name })));

    for (const name of ['acme', 'bob']) {
      await database.query(`create schema ${name}`);
      await database.query(
        `create table ${name}.visit (id int primary key, user_id int references public."user", client_id int references public.client)`,
      );
      await database.query(
        `create table ${name}.visit_clients (visit_id int references ${name}.visit, client_id int references public.client, primary key (visit_id, client_id))`,
      );
    }
  });

  beforeEach(async () => {
    await database.query('truncate acme.visit, bob.visit, public."user" cascade');
    database.statements.length = 0;
  });

  async function expectUnchanged(): Promise<void> {
    expect(database.statements.join('\n')).to.not.match(/update "public"\."client"/);
    expect(await database.query('select name, domain_url, schema_name from client order by id')).to.deep.equal([
      { name: 'acme', domain_url: 'acme.example.com', schema_name: 'acme' },
      { name: 'bob', domain_url: 'bob.example.com', schema_name: 'bob' },
    ]);
  }

  function change(tenant: Client): Client {
    return Object.assign(tenant, { name: 'changed', domainUrl: 'changed.example.com' });
  }

  const PUT: Readonly<Record<string, (em: any, tenant: Client) => unknown>> = {
    'em.create() of a shared entity': (em, tenant) => em.create(User, { id: 1, client: tenant }),
    'em.create() of a tenant entity': (em, tenant) => em.create(Visit, { id: 1, client: tenant }),
    'em.create() of several levels': (em, tenant) => em.create(Visit, { id: 1, client: ref(tenant), user: { id: 1, client: tenant } }),
    'a new entity': (em, tenant) => em.persist(Object.assign(new User(), { id: 1, client: tenant })),
    'em.assign()': (em, tenant) => em.assign(em.create(User, { id: 1 }), { client: tenant }),
    'em.merge()': (em, tenant) => em.merge(Object.assign(new User(), { id: 1, client: tenant })),
    'em.upsert()': (em, tenant) => em.upsert(User, { id: 1, client: tenant }),
    'em.upsert() of an entity': (em, tenant) => em.upsert(Object.assign(new User(), { id: 1, client: tenant })),
    'em.insert()': (em, tenant) => em.insert(User, { id: 1, client: tenant }),
    'a collection': (em, tenant) => em.create(Visit, { id: 1, client: tenant }).clients.add(tenant),
    'a transaction': (em, tenant) => em.transactional((inner: any) => inner.create(User, { id: 1, client: tenant })),
    'the global EntityManager': (_em, tenant) => orm.em.create(User, { id: 1, client: tenant } as never),
    'a nested scope': (_em, tenant) =>
      runInTenant('bob', em => em.persistAndFlush(em.create(User, { id: 1, client: tenant } as never))).then(() => undefined),
    'the public scope': (_em, tenant) => runInPublic(em => em.persistAndFlush(em.create(User, { id: 1, client: tenant } as never))),
  };

  for (const [how, put] of Object.entries(PUT)) {
    it(`S17 is a reference, and its changes are not stored: ${how}`, async () => {
      await runInTenant('acme', async em => {
        await put(em, change(currentTenant<Client>()!));
        await em.flush();
        await em.flush();
      });
      await expectUnchanged();

      if (how !== 'em.merge()') {
        const stored = await database.query('select client_id from public."user" union select client_id from acme.visit');
        expect(stored).to.deep.equal([{ client_id: 1 }]);
      }
    });
  }

  it('S17 is a reference where the scope was entered with a row of the caller, who can store its changes', async () => {
    const outer = orm.em.fork();
    const row = await outer.findOneOrFail(Client, { schemaName: 'bob' });
    await runInTenant(row, async (em, tenant) => {
      tenant.name = 'changed';
      await em.persistAndFlush(em.create(User, { id: 1, client: tenant } as never));
    });
    await expectUnchanged();
    expect(await database.query('select client_id from "user"')).to.deep.equal([{ client_id: row.id }]);
    await outer.flush();
    expect(await database.query(`select name from client where schema_name = 'bob'`)).to.deep.equal([{ name: 'changed' }]);
    row.name = 'bob';
    await outer.flush();
  });

  it('S17, T14 is stored where it is loaded in the scope, or persisted there', async () => {
    await runInTenant('acme', async em => {
      const own = await em.findOneOrFail(Client, { schemaName: 'acme' });
      own.name = 'loaded';
      await em.persistAndFlush(em.create(User, { id: 1, client: own } as never));
      expect(await database.query(`select name from client where schema_name = 'acme'`)).to.deep.equal([{ name: 'loaded' }]);
      own.name = 'acme';
      await em.flush();
    });
    await runInTenant('acme', em => em.persistAndFlush(Object.assign(currentTenant<Client>()!, { name: 'persisted' })));
    expect(await database.query(`select name from client where schema_name = 'acme'`)).to.deep.equal([{ name: 'persisted' }]);
    await database.query(`update client set name = 'acme' where schema_name = 'acme'`);
  });

  it('S17, H1 is a reference in a request, and the next request has it as it is stored', async () => {
    const app = new Koa();
    app.use(tenantContext({ orm }));
    app.use(async ctx => {
      const tenant = ctx.state.tenant as Client;
      const before = tenant.name;
      await orm.em.persistAndFlush(orm.em.create(User, { id: Number(ctx.path.slice(1)), client: change(tenant) } as never));
      ctx.body = before;
    });
    const server = await serve(app);

    for (const path of ['/1', '/2']) {
      expect(await server.get('acme.example.com', path)).to.include({ status: 200, body: 'acme' });
    }

    await expectUnchanged();
    expect(await database.query('select id, client_id from "user" order by id')).to.deep.equal([
      { id: 1, client_id: 1 },
      { id: 2, client_id: 1 },
    ]);
  });
});
