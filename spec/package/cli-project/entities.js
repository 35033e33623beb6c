import { TenantMixin } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';

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
