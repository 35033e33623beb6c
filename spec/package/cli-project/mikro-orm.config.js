import { TenantMixin, withTenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { defineConfig } from '@mikro-orm/pglite';

const ClientSchema = defineEntity({ name: 'Client', extends: TenantMixin, properties: { name: p.string() } });

export class Client extends ClientSchema.class {}
ClientSchema.setClass(Client);

const BookSchema = defineEntity({
  name: 'Book',
  schema: '*',
  properties: { id: p.integer().primary(), title: p.string(), subtitle: p.string().nullable() },
});

export class Book extends BookSchema.class {}
BookSchema.setClass(Book);

export default withTenants(defineConfig({ entities: [Client, Book], dbName: '.data', migrations: { path: 'migrations/public' } }), {
  tenant: Client,
  migrations: { path: 'migrations/tenant' },
});
