import { runInPublic, runInTenant, TenantMixin, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';

import { onDatabasesAndPooler } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';

class Client extends TenantMixin {}

const ClientSchema = defineEntity({ class: Client, extends: TenantMixin, properties: {} });
const properties = { id: p.integer().primary(), text: p.string() };
const SharedNote = defineEntity({ name: 'SharedNote', tableName: 'note', properties });
const ArchivedNote = defineEntity({ name: 'ArchivedNote', tableName: 'note', schema: 'archive', properties });

onDatabasesAndPooler('a table name that tenants have, and shared schemas too, that a query builder names by its text', database => {
  let orm: LibraryOrm;
  const textsIn = async (table: string, em: TenantEntityManager): Promise<string[]> => {
    const found: { text: string }[] = await em
      .qb(table as never, 'x')
      .select('text' as never)
      .execute();

    return found.map(({ text }) => text);
  };

  before(async () => {
    orm = await openNoteOrm(database, Client, {}, { entities: [ClientSchema, Note, SharedNote, ArchivedNote] as never });
    const names = ['acme', 'bob'];
    await orm.em.fork().persistAndFlush(names.map(name => new Client({ schemaName: name, domainUrl: `${name}.example.com` })));

    for (const schema of [...names, 'public', 'archive']) {
      await database.query(`insert into ${schema}.note (id, text) values (1, 'of ${schema}')`);
    }
  });

  it('law 2, S6 unqualified it is the tenant’s in its scope, and the shared one elsewhere', async () => {
    for (const name of ['acme', 'bob']) {
      expect(await runInTenant(name, em => textsIn('note', em))).to.deep.equal([`of ${name}`]);
    }

    expect(await textsIn('note', orm.em.fork({ schema: 'acme' }))).to.deep.equal(['of acme']);
    expect(await textsIn('note', orm.em.fork())).to.deep.equal(['of public']);
    expect(await runInPublic(em => textsIn('note', em))).to.deep.equal(['of public']);
  });

  it('S6 with a shared schema it is that one’s, wherever it is asked for', async () => {
    for (const schema of ['public', 'archive']) {
      expect(await runInTenant('acme', em => textsIn(`${schema}.note`, em)), schema).to.deep.equal([`of ${schema}`]);
      expect(await textsIn(`${schema}.note`, orm.em.fork()), schema).to.deep.equal([`of ${schema}`]);
    }
  });

  it('law 2 with another tenant’s schema it is refused', async () => {
    const error = await refusal(() => runInTenant('acme', em => textsIn('bob.note', em)));

    expect(error.code).to.equal('CROSS_TENANT');
    expect(await runInTenant('acme', em => textsIn('acme.note', em))).to.deep.equal(['of acme']);
    expect(await textsIn('acme.note', orm.em.fork())).to.deep.equal(['of acme']);
  });

  it('law 2 unqualified it is refused where the EntityManager is another tenant’s than the scope', async () => {
    await runInTenant('acme', async () => {
      const query = orm.em.fork({ schema: 'bob' }).qb('note' as never, 'x');
      await refusal(async () => query.toRaw(), 'CROSS_TENANT');
    });
  });
});
