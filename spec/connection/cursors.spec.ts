import { createRequire } from 'node:module';
import { expect } from 'chai';
import type pg from 'pg';
import { onDatabases } from '../support/databases/database.ts';
import { POOL_OF_ONE } from '../support/databases/idle-connections.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

interface Cursor {
  submit(connection: unknown): void;
  read(count: number): Promise<unknown[]>;
  read(count: number, callback: (error: unknown, rows?: unknown[], result?: { readonly fields: unknown[] }) => void): void;
  close(): Promise<void>;
  close(callback: (error?: unknown) => void): void;
}

// MikroORM brings it
const Cursor = createRequire(createRequire(import.meta.url).resolve('@mikro-orm/postgresql/package.json'))('pg-cursor') as new (
  text: string,
  values?: unknown[],
) => Cursor;

const NUMBERS = 'select n from generate_series(1, 3) n';

onDatabases(
  'a cursor on a client of the pool',
  database => {
    let orm: LibraryOrm;
    let client: pg.PoolClient;

    const read = (cursor: Cursor, count: number): Promise<{ readonly rows: unknown; readonly fields: unknown }> =>
      new Promise((resolve, reject) => {
        cursor.read(count, (error, rows, result) =>
          error instanceof Error ? reject(error) : resolve({ rows, fields: result?.fields.length }),
        );
      });
    const close = (cursor: Cursor): Promise<unknown> => new Promise(resolve => cursor.close(resolve));
    const end = async (): Promise<void> => {
      const ended = new Promise<void>(resolve => client.once('end', () => resolve()));
      client.once('error', () => undefined);
      await database.query(`select pg_terminate_backend($1::int, 5000)`, [(client as unknown as { processID: number }).processID]);
      await ended;
    };

    before(async () => {
      orm = await openTwins(database, POOL_OF_ONE);
    });

    beforeEach(async () => {
      const pool = (await orm.em.getConnection().getNativeClient()) as pg.Pool;
      client = await pool.connect();
    });

    afterEach(() => client.release(true));

    it('G4 is read and closed with callbacks, as without tenants', async () => {
      for (const counts of [[2], [2, 2], [5]]) {
        const cursor = client.query(new Cursor(NUMBERS));
        const rows: unknown[] = [];

        for (const count of counts) {
          const answer = await read(cursor, count);
          rows.push(...(answer.rows as unknown[]));
          expect(answer.fields).to.equal(1);
        }

        expect(rows).to.deep.equal([{ n: 1 }, { n: 2 }, { n: 3 }].slice(0, counts.length === 1 ? counts[0] : 3));
        expect(await close(cursor)).to.equal(undefined);
        expect((await client.query('select 1 as one')).rows).to.deep.equal([{ one: 1 }]);
      }
    });

    it('G4 calls back with the error of what it reads', async () => {
      const cursor = client.query(new Cursor('select 1/0'));
      expect(await read(cursor, 1).catch(String)).to.contain('division by zero');
      await close(cursor);
    });

    it('G4 is read and closed with promises', async () => {
      const cursor = client.query(new Cursor(NUMBERS));
      expect(await cursor.read(2)).to.deep.equal([{ n: 1 }, { n: 2 }]);
      await cursor.close();
    });

    it('N3 calls back once where its connection is lost before, or meanwhile', async () => {
      const cursor = client.query(new Cursor('select pg_sleep(60)'));
      let calls = 0;
      const reading = new Promise<unknown>(resolve => {
        cursor.read(1, error => {
          calls += 1;
          resolve(error);
        });
      });
      await end();
      expect(await reading).to.be.an('error');
      expect(await read(cursor, 1).catch((error: unknown) => error)).to.be.an('error');
      expect(await close(cursor)).to.equal(undefined);
      expect(calls).to.equal(1);
    });
  },
  ['postgresql'],
);
