import { defineEntity, p } from '@mikro-orm/core';

export const NoteSchema = defineEntity({ name: 'Note', schema: '*', properties: { id: p.integer().primary(), text: p.string() } });
export class Note extends NoteSchema.class {}
NoteSchema.setClass(Note);
