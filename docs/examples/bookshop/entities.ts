import { TenantMixin } from '@landlord/mikro-orm';
import { defineEntity, p, type OptionalProps } from '@mikro-orm/core';

/** A tenant: a bookshop. */
export class Client extends TenantMixin {
  declare [OptionalProps]?: 'onTrial';
  name!: string;
  onTrial = true;
}

export const ClientSchema = defineEntity({
  class: Client,
  extends: TenantMixin,
  properties: { name: p.string(), onTrial: p.boolean().default(true) },
});

// shared: one table in the public schema
const GenreSchema = defineEntity({
  name: 'Genre',
  properties: { id: p.integer().primary(), name: p.string().unique() },
});

export class Genre extends GenreSchema.class {}
GenreSchema.setClass(Genre);

// of each tenant: a table in each tenant's schema
const BookSchema = defineEntity({
  name: 'Book',
  schema: '*',
  properties: { id: p.integer().primary(), title: p.string(), genre: () => p.manyToOne(Genre).nullable() },
});

export class Book extends BookSchema.class {}
BookSchema.setClass(Book);

const UserSchema = defineEntity({
  name: 'User',
  schema: '*',
  properties: { id: p.integer().primary(), email: p.string().unique() },
});

export class User extends UserSchema.class {}
UserSchema.setClass(User);
