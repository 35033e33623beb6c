import {
  currentTenant,
  forEachTenant,
  runInTenant,
  schemaRouter,
  tenantContext,
  TenantMixin,
  tenants,
  withTenants,
  type TenantEntityManager,
} from '@landlord/mikro-orm';
import Router from '@koa/router';
import { defineEntity, MikroORM as CoreMikroORM, p, type Loaded } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import * as pglite from '@mikro-orm/pglite';
import * as postgresql from '@mikro-orm/postgresql';
import Koa from 'koa';

/** The types that users rely on. Compiled and never run: a missing type is an error, a missing check an unused `@ts-expect-error`. */
class Client extends TenantMixin {
  name!: string;
  paidUntil?: Date;
  onTrial = true;
}

defineEntity({
  class: Client,
  extends: TenantMixin,
  properties: { name: p.string(), paidUntil: p.datetime().nullable(), onTrial: p.boolean().default(true) },
});

const AuthorSchema = defineEntity({ name: 'Author', schema: '*', properties: { id: p.integer().primary(), name: p.string() } });

class Author extends AuthorSchema.class {}
AuthorSchema.setClass(Author);

const BookSchema = defineEntity({
  name: 'Book',
  schema: '*',
  properties: { id: p.integer().primary(), title: p.string(), author: () => p.manyToOne(Author).ref() },
});

class Book extends BookSchema.class {}
BookSchema.setClass(Book);

class NotATenant {
  id!: number;
}

class UuidClient extends TenantMixin<string> {}

class PostgresqlManager extends postgresql.EntityManager<postgresql.PostgreSqlDriver> {
  own(): 'postgresql' {
    return 'postgresql';
  }
}

class PgliteManager extends pglite.EntityManager<pglite.PgliteDriver> {
  own(): 'pglite' {
    return 'pglite';
  }
}

const entities = [Client, Author, Book];

export async function withPostgresql(): Promise<void> {
  const orm = await postgresql.MikroORM.init(
    withTenants(
      postgresql.defineConfig({
        entities,
        clientUrl: 'postgres://localhost/app',
        migrations: { path: 'migrations/public' },
        extensions: [Migrator],
      }),
      { tenant: Client, migrations: { path: 'migrations/tenant' } },
    ),
  );
  await orm.em.persistAndFlush(new Client({ name: 'Acme', domainUrl: 'acme.example.com', schemaName: 'acme' }));
  await orm.em.removeAndFlush([await orm.em.findOneOrFail(Client, { name: 'Acme' })]);
  await orm.em.transactional(async em => em.persistAndFlush([]));
  orm.em.createQueryBuilder(Book, 'b').where({ title: 'Emma' });
  orm.em.getKysely();
  await typedResults(orm.em.fork());
  // @ts-expect-error -- no such method
  await orm.em.persistAndFlushAll();
}

export async function withPglite(): Promise<void> {
  const orm = await pglite.MikroORM.init(withTenants(pglite.defineConfig({ entities, dbName: '.data' }), { tenant: Client }));
  await orm.em.persistAndFlush(new Client({ name: 'Acme', domainUrl: 'acme.example.com', schemaName: 'acme' }));
  await orm.em.fork().removeAndFlush(await orm.em.findOneOrFail(Client, { name: 'Acme' }));
  await typedResults(orm.em);
}

export async function withTheCoreClass(): Promise<void> {
  const orm = await CoreMikroORM.init(withTenants(postgresql.defineConfig({ entities, dbName: 'app' }), { tenant: Client }));
  await orm.em.persistAndFlush([]);
  await typedResults(orm.em.fork());
}

export async function withAnEntityManagerOfOnesOwn(): Promise<void> {
  const first = await postgresql.MikroORM.init(
    withTenants(postgresql.defineConfig({ entities, dbName: 'app', entityManager: PostgresqlManager }), { tenant: Client }),
  );
  const ofPostgresql: 'postgresql' = first.em.fork().own();
  await first.em.fork().persistAndFlush([]);

  const second = await pglite.MikroORM.init(
    withTenants(pglite.defineConfig({ entities, dbName: '.data', entityManager: PgliteManager }), { tenant: Client }),
  );
  const ofPglite: 'pglite' = second.em.own();
  await second.em.persistAndFlush([]);
  console.log(ofPostgresql, ofPglite);
}

async function typedResults(em: TenantEntityManager): Promise<void> {
  const books = await em.find(Book, { title: 'Emma', author: { name: 'Austen' } }, { populate: ['author'] });
  const loaded: Loaded<Book, 'author'> | undefined = books[0];
  const title: string | undefined = loaded?.title;
  const author: string | undefined = loaded?.author.$.name;
  const [found, count]: [Book[], number] = await em.findAndCount(Book, {});
  const client: Client | null = await em.findOne(Client, { schemaName: 'acme', onTrial: true });
  const id: number | undefined = client?.id;
  const paidUntil: Date | undefined = client?.paidUntil;
  console.log(title, author, found, count, id, paidUntil);
  // @ts-expect-error -- no such property
  await em.find(Book, { name: 'Emma' });
  // @ts-expect-error -- no such relation
  await em.find(Book, {}, { populate: ['authors'] });
}

export async function inScopes(orm: { readonly config: object }): Promise<void> {
  const titles: string[] = await runInTenant('acme', async em => (await em.find(Book, {})).map(book => book.title));
  const name: string = await runInTenant(await anyClient(), (_em, tenant) => tenant.name);
  const outcomes = await forEachTenant(async em => em.count(Book), { concurrency: 2 });
  const list: Client[] = await tenants<Client>(orm).list();
  const current: string | undefined = currentTenant<Client>()?.name;
  console.log(titles, name, outcomes, list, current);
}

export function atTheWebEdge(): Koa {
  const publicRouter = new Router().get('/', ctx => (ctx.body = 'public'));
  const tenantRouter = new Router().get('/', ctx => (ctx.body = ctx.state.tenant?.schemaName));

  return new Koa().use(tenantContext()).use(schemaRouter({ public: publicRouter.routes(), tenant: tenantRouter }));
}

export function keysAndData(): unknown[] {
  const uuid: string = new UuidClient({ domainUrl: 'a.example.com', schemaName: 'a' }).id;
  const integer: number = new Client({ name: 'Acme', domainUrl: 'a.example.com', schemaName: 'a' }).id;
  // @ts-expect-error -- a setting is no data
  const flagged = new Client({ domainUrl: 'a.example.com', schemaName: 'a', autoDropSchema: true });
  flagged.autoDropSchema = true;
  // @ts-expect-error -- a tenant needs a schema name
  const unnamed = new Client({ name: 'Acme', domainUrl: 'a.example.com' });

  return [uuid, integer, unnamed];
}

export function refused(): unknown[] {
  return [
    // @ts-expect-error -- not a tenant
    withTenants(postgresql.defineConfig({ entities }), { tenant: NotATenant }),
    // @ts-expect-error -- not a tenant
    withTenants(pglite.defineConfig({ entities }), { tenant: Book }),
    // @ts-expect-error -- no tenant
    withTenants(postgresql.defineConfig({ entities }), {}),
    // @ts-expect-error -- no such option
    withTenants(postgresql.defineConfig({ entities }), { tenant: Client, publicShema: 'public' }),
  ];
}

declare function anyClient(): Promise<Client>;
