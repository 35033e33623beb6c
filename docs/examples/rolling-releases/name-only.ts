import { defineEntity, p } from '@mikro-orm/core';

const BookSchema = defineEntity({
  name: 'Book',
  schema: '*',
  properties: { id: p.integer().primary(), name: p.string() },
});

export class Book extends BookSchema.class {}
BookSchema.setClass(Book);
