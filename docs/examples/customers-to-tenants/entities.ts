// entities.ts
import { TenantMixin } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';

export class Customer extends TenantMixin {
  declare name: string;
  declare slug: string;
}

export const CustomerSchema = defineEntity({
  class: Customer,
  extends: TenantMixin,
  properties: { name: p.string(), slug: p.string().unique() },
});

const BookSchema = defineEntity({
  name: 'Book',
  schema: '*',
  properties: { id: p.integer().primary(), title: p.string() },
});
export class Book extends BookSchema.class {}
BookSchema.setClass(Book);
