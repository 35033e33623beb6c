import { runInTenant, TenantMixin, tenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity } from '@mikro-orm/core';
import { expect } from 'chai';
import type pg from 'pg';
import { failureOf } from '../support/assertions/failure.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import { readSession } from '../support/databases/session-state.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { CreateNote, Note, openNoteOrm } from '../support/orm/note-orm.ts';
import { openOrm } from '../support/orm/open-orm.ts';
import { SCHEMA_NOW } from '../../dist/connection/check/schema-check-sql.js';

class Town extends TenantMixin {}
defineEntity({ class: Town, extends: TenantMixin, properties: {} });

/** The SQL of what a client of `pg` is given. */
function textOf(query: unknown): unknown {
  return typeof query === 'object' && query !== null && 'text' in query ? query.text : query;
}

/** What MikroORM answers of what has no rows. */
const NONE = { insertId: undefined, row: undefined, rows: [] };

onDatabases(
  'raw SQL in one message',
  database => {
    let orm: LibraryOrm;
    /** Of another process, as far as the library can tell. */
    let other: LibraryOrm;
    let hosts = 0;

    const create = (name: string): Promise<unknown> =>
      tenants(orm).create({ schemaName: name, domainUrl: `${name}-${++hosts}.example.com` });
    const inAcme = <Result>(fn: (em: TenantEntityManager) => Promise<Result>): Promise<Result> => runInTenant('acme', fn, { orm });
    let messages = 0;
    /** How many messages the connection of the pool is given meanwhile, except for whether the tenant is still who it was: that is asked as time goes by. */
    const sent = async (fn: () => Promise<unknown>): Promise<number> => {
      const before = messages;
      await fn();

      return messages - before;
    };
    const countMessages = async (): Promise<void> => {
      const pool = (await orm.em.fork().getConnection().getNativeClient()) as pg.Pool;
      const client = await pool.connect();
      const query = client.query.bind(client) as (...args: unknown[]) => unknown;
      client.release();
      client.query = ((...args: unknown[]) => {
        messages += textOf(args[0]) === SCHEMA_NOW ? 0 : 1;

        return query(...args);
      }) as never;
    };
    const notesOf = (name: string): Promise<unknown[]> => database.query(`select id, text from ${name}.note order by id`);

    before(async () => {
      const one = { pool: { min: 1, max: 1 } };
      const listen = { directory: { listen: false } } as const;
      orm = await openNoteOrm(database, Town, listen, one);
      other = await openOrm(
        database,
        { tenant: Town, migrations: { migrationsList: [CreateNote] }, ...listen },
        { entities: [Town, Note] },
      );
      await create('bob');
      await countMessages();
    });

    beforeEach(() => create('acme'));

    afterEach(() => tenants(orm).drop('acme'));

    it('C7, law 2: is one message with its path outside of a transaction, whatever it does with rows, and answers as ever', async () => {
      await inAcme(async em => {
        await em.count(Note);
        const counts: number[] = [];
        const answers: unknown[] = [];

        for (const [sql, method] of [
          [`insert into note (text) values ('one'), ('two')`, 'run'],
          [`insert into note (text) values ('three') returning id`, 'all'],
          [`update note set text = text || '!' where id < 3`, 'run'],
          [`with gone as (delete from note where id = 2 returning text) select text from gone`, 'all'],
          ['/* a comment */ (select count(*)::int as count from note) -- and another', 'get'],
          [`table note`, 'all'],
          [`update note set text = v.text from (values (3, 'more')) as v (id, text) where note.id = v.id`, 'run'],
          [`values ((select max(text) from note))`, 'all'],
          [`delete from note where text = 'none'`, 'run'],
          [`select current_schema() as path`, 'get'],
        ] as const) {
          counts.push(await sent(async () => answers.push(await em.execute(sql, [], method))));
        }

        expect(counts).to.deep.equal(Array.from(counts, () => 1));
        expect(answers.slice(1)).to.deep.equal([
          [{ id: 3 }],
          { ...NONE, affectedRows: 2 },
          [{ text: 'two!' }],
          { count: 2 },
          [
            { id: 3, text: 'three' },
            { id: 1, text: 'one!' },
          ],
          { ...NONE, affectedRows: 1 },
          [{ column1: 'one!' }],
          { ...NONE, affectedRows: 0 },
          { path: 'acme' },
        ]);
      });
      expect(await notesOf('bob')).to.deep.equal([]);
    });

    it('C7, law 2: is one message in a transaction too, which goes on with what it has set itself', async () => {
      const sql = `select text, current_setting('search_path') as path from note order by id`;
      const path = '"acme", "public", "pg_temp"';
      await inAcme(async em => {
        await em.insert(Note, { text: 'one' });
        await em.transactional(async tx => {
          const pathNow = async (): Promise<unknown> => {
            const [row] = await tx.execute<{ path: string }[]>(`select pg_catalog.current_setting('search_path') as "path"`);

            return row?.path;
          };
          const before = await pathNow();
          expect(await sent(async () => expect(await tx.execute(sql)).to.deep.equal([{ text: 'one', path }]))).to.equal(1);
          expect(await pathNow()).to.equal(before);

          await failureOf(() =>
            tx.transactional(async inner => {
              expect(await sent(() => inner.execute(`update note set text = 'two'`))).to.equal(1);
              await inner.execute('select 1 / 0 from note');
            }),
          );
          expect(await sent(async () => expect(await tx.execute(sql)).to.deep.equal([{ text: 'one', path }]))).to.equal(1);
          await tx.execute(`select set_config('search_path', 'bob', false), set_config('role', 'pg_read_all_data', false) from note`);
          expect(await pathNow()).to.equal(before);
          expect(await tx.execute(`select current_setting('role') as role`)).to.deep.equal([{ role: 'pg_read_all_data' }]);
          await tx.execute(`select set_config('role', 'none', false)`);
          await tx.execute(`update note set text = 'three'`);
        });
      });
      expect(await notesOf('acme')).to.deep.equal([{ id: 1, text: 'three' }]);
      expect(await notesOf('bob')).to.deep.equal([]);
      expect(await readSession(orm)).to.include({ path: '"$user", public', role: 'none' });
    });

    it('N3, C7: leaves the path that a transaction has been given outside of scopes', async () => {
      await orm.em.fork().transactional(async tx => {
        await tx.execute('set local search_path to pg_catalog, bob');

        for (const sql of ['select text from note', 'select id from note']) {
          await inAcme(em => em.execute(sql));
          expect(await tx.execute(`select pg_catalog.current_setting('search_path') as "path"`)).to.deep.equal([
            { path: 'pg_catalog, bob' },
          ]);
        }
      });
      expect((await readSession(orm)).path).to.equal('"$user", public');
    });

    it('N3: leaves nothing of what it sets, also if it fails', async () => {
      const fresh = await readSession(orm);

      for (const sql of [
        `select set_config('search_path', 'bob', false), set_config('role', 'pg_monitor', false)`,
        `select set_config('search_path', 'bob', true), set_config('role', 'pg_monitor', true)`,
        `select set_config('session_authorization', 'pg_monitor', false)`,
        `select set_config('search_path', 'bob', false), 1 / (random() * 0)::int`,
        `select set_config('landlord.path_before', 'bob', false), text from note`,
      ]) {
        await inAcme(em => em.execute(sql)).catch(() => undefined);
        expect(await readSession(orm), sql).to.deep.equal(fresh);
      }
    });

    it('C7: fails of what it fails of by itself, at its own place', async () => {
      const placeOf = async (sql: string): Promise<unknown> => {
        const error = await failureOf(() => inAcme(em => em.execute(sql)));

        return (error as { readonly position?: unknown }).position;
      };

      expect(await placeOf('select missing from note')).to.equal('8');
      expect(await placeOf('select 1 from "ä" where text = 1')).to.equal('15');
      expect(await placeOf(`select 'unfinished`)).to.equal('8');
      expect(await placeOf('select 1 / 0, text from note')).to.equal(undefined);
    });

    it('S12: is not stored for the next tenant of the name, nor what a function writes that it calls', async () => {
      await inAcme(async em => {
        await em.insert(Note, { text: 'one' });
        await tenants(other).drop('acme');
        await tenants(other).create({ schemaName: 'acme', domainUrl: `acme-${++hosts}.example.com` });
        await database.query(
          `create function public.note_it() returns int language sql as $$ insert into acme.note (text) values ('crossed') returning 1 $$`,
        );
        // trusted for a moment, so that only the check can find out
        await refusal(() => em.execute(`insert into note (text) values ('crossed') -- x`), 'TENANT_CHANGED');
        await refusal(() => em.execute('select note_it()'), 'TENANT_CHANGED');
        await refusal(() => em.execute('select text from note'), 'TENANT_CHANGED');
      });
      expect(await notesOf('acme')).to.deep.equal([]);
    });
  },
  ['postgresql', 'pgbouncer'],
);
