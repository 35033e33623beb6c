import { forEachTenant, runInTenant, TenantMixin, tenants, withTenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { defineConfig, MikroORM } from '@mikro-orm/postgresql';

const ClientSchema = defineEntity({ name: 'Client', extends: TenantMixin, properties: { name: p.string() } });

class Client extends ClientSchema.class {}
ClientSchema.setClass(Client);

const BookSchema = defineEntity({ name: 'Book', schema: '*', properties: { id: p.integer().primary(), title: p.string() } });

class Book extends BookSchema.class {}
BookSchema.setClass(Book);

const orm = await MikroORM.init(withTenants(defineConfig({ entities: [Client, Book], dbName: 'app' }), { tenant: Client }));
await orm.em.fork().persistAndFlush(new Client({ name: 'Acme', domainUrl: 'acme.example.com', schemaName: 'acme' }));
const titles: string[] = await runInTenant('acme', async em => (await em.find(Book, {})).map(book => book.title));
await forEachTenant(async em => em.count(Book));
const names: string[] = (await tenants<Client>(orm).list()).map(client => client.name);

export { names, titles };
