// entities.ts
import { TenantMixin } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';

// #region client
// new: a row for each customer
export class Client extends TenantMixin {
  name!: string;
}

export const ClientSchema = defineEntity({
  class: Client,
  extends: TenantMixin, // id, domainUrl and schemaName
  properties: { name: p.string() },
});
// #endregion client

// #region own
// as before, but for `schema: '*'`
const AuthorSchema = defineEntity({
  name: 'Author',
  schema: '*',
  properties: { id: p.integer().primary(), name: p.string() },
});
export class Author extends AuthorSchema.class {}
AuthorSchema.setClass(Author);

const BookSchema = defineEntity({
  name: 'Book',
  schema: '*',
  properties: { id: p.integer().primary(), title: p.string(), author: () => p.manyToOne(Author) },
});
export class Book extends BookSchema.class {}
BookSchema.setClass(Book);
// #endregion own
