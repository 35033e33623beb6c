import { runInTenant, tenants, TenantMixin, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity } from '@mikro-orm/core';
import { expect } from 'chai';
import { failureOf, sqlStateOf } from '../support/assertions/failure.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import { whileHeard } from '../support/orm/heard-changes.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { CreateNote, Note, openNoteOrm } from '../support/orm/note-orm.ts';
import { openOrm } from '../support/orm/open-orm.ts';

class Town extends TenantMixin {}
defineEntity({ class: Town, extends: TenantMixin, properties: {} });

onDatabasesAndPooler('a statement that writes outside of a transaction', database => {
  let orm: LibraryOrm;
  /** Of another process, as far as the library can tell. */
  let other: LibraryOrm;
  let hosts = 0;

  const create = (name: string): Promise<unknown> => tenants(orm).create({ schemaName: name, domainUrl: `${name}-${++hosts}.example.com` });
  const inAcme = (fn: (em: TenantEntityManager) => Promise<void>): Promise<void> => runInTenant('acme', fn, { orm });
  const notesOf = async (name: string): Promise<string[]> =>
    (await database.query<{ text: string }>(`select text from ${name}.note order by id`)).map(({ text }) => text);

  before(async () => {
    const listen = { directory: { listen: false } } as const;
    orm = await openNoteOrm(database, Town, listen);
    other = await openOrm(database, { tenant: Town, migrations: { migrationsList: [CreateNote] }, ...listen }, { entities: [Town, Note] });
    await create('bob');
  });

  beforeEach(() => create('acme'));

  afterEach(() => tenants(orm).drop('acme'));

  it('S12 answers as it does without tenants, with its rows and their number', async () => {
    await inAcme(async em => {
      expect(await em.insert(Note, { text: 'one' })).to.equal(1);
      expect(await em.insertMany(Note, [{ text: 'two' }, { text: 'three' }])).to.deep.equal([2]);
      expect(await em.nativeUpdate(Note, { id: { $gt: 1 } }, { text: 'more; and more' })).to.equal(2);
      expect(await em.nativeUpdate(Note, { id: 9 }, { text: 'none' })).to.equal(0);
      expect(await em.execute('update "acme"."note" set "text" = ? where "id" = 1 returning "text"', ['-- 1'], 'all')).to.deep.equal([
        { text: '-- 1' },
      ]);
      expect(await em.nativeDelete(Note, { id: 3 })).to.equal(1);
      const [plan] = await em.execute<{ 'QUERY PLAN': string }[]>(`explain analyze update "acme"."note" set "text" = "text"`, [], 'all');
      expect(plan?.['QUERY PLAN']).to.match(/^Update on note/);
      expect(await em.fork().find(Note, {}, { orderBy: { id: 'asc' } })).to.have.length(2);
    });
    expect(await notesOf('acme')).to.deep.equal(['-- 1', 'more; and more']);
    expect(await notesOf('bob')).to.deep.equal([]);
  });

  if (database.kind !== 'pglite') {
    it('S12 is one message together with the check of its tenant', async () => {
      await inAcme(async em => {
        await em.insert(Note, { text: 'one' });
        database.statements.length = 0;
        await em.nativeUpdate(Note, { id: 1 }, { text: 'two' });
        expect(database.statements).to.have.length(1);
        expect(database.statements[0]).to.match(/update "acme"\."note"/);
      });
    });
  }

  it('S12 what writes and is read bit by bit is stored, also if its reader stops early, and not if it fails', async function () {
    if (database.kind === 'pglite') {
      // it does not stream
      return;
    }

    await inAcme(async em => {
      const read = async (sql: string): Promise<unknown> => {
        for await (const row of em.getConnection().stream(sql, [], undefined, undefined, 1)) {
          return row;
        }
      };

      expect(await read(`insert into "acme"."note" ("text") values ('one'), ('two') returning "text"`)).to.deep.equal({ text: 'one' });
      expect(String(await failureOf(read(`insert into "acme"."note" ("text") values ('three') returning 1 / 0`)))).to.match(/division/);
      expect(await em.fork().count(Note, {})).to.equal(2);
    });
    expect(await notesOf('acme')).to.deep.equal(['one', 'two']);
    expect(await orm.em.fork().execute('select txid_current_if_assigned() is null as is_free')).to.deep.equal([{ is_free: true }]);
  });

  for (const sql of [
    `insert into "acme"."note" ("text") values ('crossed')`,
    `insert into "acme"."note" ("text") values ('crossed') -- a comment`,
    `insert into "acme"."note" ("text") values ('crossed') /* another */`,
    `explain (analyze) insert into "acme"."note" ("text") values ('crossed')`,
    `explain analyze delete from "acme"."note"`,
  ]) {
    it(`S12 is not stored for the next tenant of the name, nor for nobody: ${sql}`, async () => {
      await inAcme(async em => {
        await em.insert(Note, { text: 'one' });
        await tenants(other).drop('acme');
        await tenants(other).create({ schemaName: 'acme', domainUrl: `acme-${++hosts}.example.com` });
        await other.em.fork().execute(`insert into "acme"."note" ("text") values ('theirs')`);
        // trusted for a moment, so that only the check can find out
        await refusal(() => em.execute(sql), 'TENANT_CHANGED');
        await refusal(() => em.insert(Note, { text: 'crossed' }), 'TENANT_CHANGED');
      });
      expect(await notesOf('acme')).to.deep.equal(['theirs']);
    });
  }

  it('S12 has what PostgreSQL has said as its cause, where that is how the change was found', async () => {
    await inAcme(async em => {
      await em.insert(Note, { text: 'one' });
      await tenants(other).drop('acme');
      const writing = (): Promise<unknown> => em.execute(`insert into "acme"."note" ("text") values ('crossed')`);
      const error = await whileHeard(orm, () => refusal(writing, 'TENANT_CHANGED'));
      expect(sqlStateOf(error.cause)).to.equal('42P01');
    });
    await create('acme');
  });

  it('S12 tells what it fails of by itself, and stores nothing', async () => {
    await inAcme(async em => {
      await em.insert(Note, { text: 'one' });
      expect(String(await failureOf(() => em.execute(`update "acme"."note" set "id" = 1 / 0`)))).to.match(/division by zero/);
      expect(String(await failureOf(() => em.execute(`insert into "acme"."note" ("id", "text") values (1, 'two')`)))).to.match(/unique/);
      expect(await em.fork().count(Note, {})).to.equal(1);
    });
  });

  it('S12 is stored whole or not at all where several are sent at once', async () => {
    await inAcme(async em => {
      await failureOf(() => em.execute(`insert into "acme"."note" ("text") values ('one'); insert into "acme"."nothing" values (1)`));
    });
    expect(await notesOf('acme')).to.deep.equal([]);
  });
});
