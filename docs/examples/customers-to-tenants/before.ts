import { defineEntity, p } from '@mikro-orm/core';

// #region before
const CustomerSchema = defineEntity({
  name: 'Customer',
  properties: { id: p.integer().primary(), name: p.string(), slug: p.string().unique() },
});
export class Customer extends CustomerSchema.class {}
CustomerSchema.setClass(Customer);

const BookSchema = defineEntity({
  name: 'Book',
  properties: { id: p.integer().primary(), title: p.string(), customer: () => p.manyToOne(Customer) },
});
export class Book extends BookSchema.class {}
BookSchema.setClass(Book);
// #endregion before
