import { defineEntity, p, type EventArgs } from '@mikro-orm/core';

const BookSchema = defineEntity({
  name: 'Book',
  schema: '*',
  properties: { id: p.integer().primary(), title: p.string(), name: p.string().nullable() },
  hooks: { beforeCreate: [writeBoth], beforeUpdate: [writeBoth] },
});

export class Book extends BookSchema.class {}
BookSchema.setClass(Book);

/** Releases that read the one and releases that read the other run side by side. */
function writeBoth({ entity }: EventArgs<{ title: string; name?: string | null }>): void {
  entity.name = entity.title;
}
