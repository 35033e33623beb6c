import { runInPublic, runInTenant, TenantMixin, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity, p, raw, sql } from '@mikro-orm/core';
import { expect } from 'chai';
import type { Kysely } from 'kysely';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';

class Client extends TenantMixin {}

const ClientSchema = defineEntity({ class: Client, extends: TenantMixin, properties: {} });
const properties = { id: p.integer().primary(), text: p.string() };
const SharedNote = defineEntity({ name: 'SharedNote', tableName: 'note', properties });
const ArchivedNote = defineEntity({ name: 'ArchivedNote', tableName: 'note', schema: 'archive', properties });

const WAYS: Readonly<Record<string, (table: string, em: TenantEntityManager) => Promise<{ text: string }[]>>> = {
  'a query builder': (table, em) =>
    em
      .qb(table as never, 'x')
      .select('text' as never)
      .execute(),
  'a join': (table, em) => joined(table, undefined, em),
  'a join that names the schema': (table, em) => joined(String(table.split('.').at(-1)), table.split('.').at(-2), em),
  Kysely: (table, em) => (em.getKysely() as unknown as Kysely<Record<string, { text: string }>>).selectFrom(table).select('text').execute(),
};

onDatabasesAndPooler('a table name that tenants have, and shared schemas too', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openNoteOrm(database, Client, {}, { entities: [ClientSchema, Note, SharedNote, ArchivedNote] as never });
    const names = ['acme', 'bob'];
    await orm.em.fork().persistAndFlush(names.map(name => new Client({ schemaName: name, domainUrl: `${name}.example.com` })));

    for (const schema of [...names, 'public', 'archive']) {
      await database.query(`insert into ${schema}.note (id, text) values (1, 'of ${schema}')`);
    }
  });

  for (const [way, read] of Object.entries(WAYS)) {
    const textsIn = async (table: string, em: TenantEntityManager): Promise<string[]> => (await read(table, em)).map(({ text }) => text);

    it(`law 2, S6 by ${way}, unqualified it is the tenant’s in its scope, and the shared one elsewhere`, async () => {
      for (const name of ['acme', 'bob']) {
        expect(await runInTenant(name, em => textsIn('note', em))).to.deep.equal([`of ${name}`]);
      }

      expect(await textsIn('note', orm.em.fork({ schema: 'acme' }))).to.deep.equal(['of acme']);
      expect(await textsIn('note', orm.em.fork())).to.deep.equal(['of public']);
      expect(await runInPublic(em => textsIn('note', em))).to.deep.equal(['of public']);
    });

    it(`S6 by ${way}, with a shared schema it is that one’s, wherever it is asked for`, async () => {
      for (const schema of ['public', 'archive']) {
        expect(await runInTenant('acme', em => textsIn(`${schema}.note`, em)), schema).to.deep.equal([`of ${schema}`]);
        expect(await textsIn(`${schema}.note`, orm.em.fork()), schema).to.deep.equal([`of ${schema}`]);
      }
    });

    it(`law 1, law 2 by ${way}, with another tenant’s schema it is refused`, async () => {
      const error = await refusal(() => runInTenant('acme', em => textsIn('bob.note', em)));

      expect(error.code).to.equal('CROSS_TENANT');
      expect(await runInTenant('acme', em => textsIn('acme.note', em))).to.deep.equal(['of acme']);
      expect(await textsIn('acme.note', orm.em.fork())).to.deep.equal(['of acme']);
    });
  }

  it('law 2 by a query builder, unqualified it is refused where the EntityManager is another tenant’s than the scope', async () => {
    await runInTenant('acme', async () => {
      const query = orm.em.fork({ schema: 'bob' }).qb('note' as never, 'x');
      await refusal(async () => query.toRaw(), 'CROSS_TENANT');
    });
  });
});

async function joined(table: string, schema: string | undefined, em: TenantEntityManager): Promise<{ text: string }[]> {
  return em
    .qb(ArchivedNote, 'a')
    .select(raw('x.text'))
    .innerJoin(sql.ref(table), 'x', { 'x.id': 1 } as never, schema)
    .execute();
}
