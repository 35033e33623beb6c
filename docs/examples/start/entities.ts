// entities.ts
import { TenantMixin } from '@landlord/mikro-orm';
import { defineEntity, OptionalProps, p } from '@mikro-orm/core';

// a tenant: one row for each customer, in the public schema
export class Client extends TenantMixin {
  declare [OptionalProps]?: 'onTrial';
  name!: string;
  onTrial = true;
}

export const ClientSchema = defineEntity({
  class: Client,
  extends: TenantMixin, // id, domainUrl and schemaName
  properties: { name: p.string(), onTrial: p.boolean().default(true) },
});

const BookSchema = defineEntity({
  name: 'Book',
  schema: '*', // one table for each tenant; without it, one shared table in the public schema
  properties: { id: p.integer().primary(), title: p.string() },
});

export class Book extends BookSchema.class {}
BookSchema.setClass(Book);
