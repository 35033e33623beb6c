import type { TenantEntityManager } from '@landlord/mikro-orm';
import { Note } from './note-orm.ts';

/** The ways to read notes. Each resolves to the texts of all notes. */
export const NOTE_READS: Readonly<Record<string, (em: TenantEntityManager) => Promise<unknown>>> = {
  find: async em => (await em.find(Note, {})).map(({ text }) => text),
  findOne: async em => [(await em.findOneOrFail(Note, { id: 1 })).text],
  refresh: async em => [(await em.refreshOrFail(em.getReference(Note, 1 as never))).text],
  'qb.getResult()': async em => (await em.qb(Note, 'n').getResult()).map(({ text }) => text),
  'qb.execute()': async em => (await em.qb(Note, 'n').select('n.text').execute()).map(({ text }) => text),
  stream: async em => texts(em.stream(Note, {})),
  'qb.stream()': async em => texts(em.qb(Note, 'n').stream()),
  Kysely: async em => (await em.getKysely<{ note: Note }>().selectFrom('note').select('text').execute()).map(({ text }) => text),
  'Kysely’s stream': async em => texts(em.getKysely<{ note: Note }>().selectFrom('note').select('text').stream()),
  'raw SQL': async em => (await em.execute('select text from note')).map(({ text }) => text),
  'raw SQL with a schema': async em => (await em.execute('select text from "acme"."note"')).map(({ text }) => text),
};

async function texts(rows: AsyncIterable<{ readonly text: string }>): Promise<string[]> {
  const found: string[] = [];

  for await (const { text } of rows) {
    found.push(text);
  }

  return found;
}
