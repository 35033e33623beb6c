import { runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { raw } from '@mikro-orm/core';
import { expect } from 'chai';
import { CompiledQuery } from 'kysely';
import { Book } from '../../fixtures/entities/index.ts';
import { failureOf } from '../support/assertions/failure.ts';
import { until } from '../support/assertions/until.ts';
import { onDatabases } from '../support/databases/database.ts';
import { poolOf } from '../support/databases/sound-pool.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

interface Abort {
  readonly signal: AbortSignal;
  readonly inflightQueryAbortStrategy: 'cancel query' | 'kill session';
}

/** Statements that take a minute. */
const SLOW: Readonly<Record<string, (em: TenantEntityManager, abort: Abort) => Promise<unknown>>> = {
  'raw SQL': (em, abort) => em.execute('select title, pg_sleep(60) from book', [], abort),
  'a read of entities': (em, abort) => em.find(Book, { [raw('pg_sleep(?)::text', [60])]: '' }, abort),
  'a query': (em, abort) => {
    const query = em.qb(Book).where({ [raw('pg_sleep(?)::text', [60])]: '' });
    query.setAbortOptions(abort);

    return query.getResultList();
  },
  'raw SQL in a transaction': (em, abort) => em.transactional(tx => tx.execute('select title, pg_sleep(60) from book', [], abort)),
};

/** Statements that get a transaction for themselves. */
const LATE: Readonly<Record<string, (em: TenantEntityManager, signal: AbortSignal) => Promise<unknown>>> = {
  'raw SQL': (em, signal) => em.execute(`select title, 'too late' from book`, [], { signal }),
  'a write by raw SQL': (em, signal) => em.execute(`update book set title = 'too late'`, [], { signal }),
  'a stream of raw SQL': async (em, signal) => {
    const rows = em.getConnection().stream(`select title, 'too late' from book`, [], undefined, { signal } as object);
    await rows.next();
  },
};

onDatabases(
  'a statement that is aborted',
  database => {
    let orm: LibraryOrm;
    let onSent: (sql: string) => void = () => undefined;

    before(async () => {
      // the server is told on a connection of its own
      orm = await openTwins(database, {
        pool: { min: 0, max: 2 },
        driverOptions: { onPoolCreated: (pool: Pool) => pool.on('connect', client => watch(client, sql => onSent(sql))) },
      });
    });

    const sleeping = async (): Promise<number> =>
      (await database.query(`select from pg_stat_activity where state = 'active' and query like '%pg_sleep(%' and pid <> pg_backend_pid()`))
        .length;

    for (const [name, send] of Object.entries(SLOW)) {
      for (const inflightQueryAbortStrategy of ['cancel query', 'kill session'] as const) {
        it(`G4 N3 ends on the server, and leaves the connection to the next tenant: ${name}, ${inflightQueryAbortStrategy}`, async () => {
          const { signal, abort } = controllerOf();
          const failed = failureOf(runInTenant('acme', em => send(em, { signal, inflightQueryAbortStrategy })));
          await until('it is under way', async () => (await sleeping()) === 1);
          abort();
          expect(String(await failed)).to.contain('aborted');
          await until('it has ended', async () => (await sleeping()) === 0);

          for (const tenant of ['bob', 'acme']) {
            const [book] = await runInTenant(tenant, em => em.execute<{ title: string }[]>('select title from book where id = 1'));
            expect(book?.title).to.equal(`${tenant} book 1`);
          }
          expect((await runInTenant('bob', em => em.findOneOrFail(Book, 1))).title).to.equal('bob book 1');
          await orm.em.fork().execute('select 1');
        });
      }
    }

    for (const [name, send] of Object.entries(LATE)) {
      for (const before of ['begin', 'set_config']) {
        it(`G4 is not sent if it is aborted while something of the library's goes before it: ${name}, ${before}`, async () => {
          const { signal, abort } = controllerOf();
          const sent: string[] = [];
          onSent = sql => {
            sent.push(sql);

            if (sql.includes(before)) {
              abort();
            }
          };

          expect(String(await failureOf(runInTenant('acme', em => send(em, signal))))).to.contain('aborted');
          const pool = await poolOf(orm);
          await until('its connection is free', () => pool.totalCount === pool.idleCount);
          onSent = () => undefined;

          expect(sent.join('\n')).to.contain(before).and.not.contain('too late');
          expect(await runInTenant('acme', em => em.execute('select title from book where id = 1'))).to.deep.equal([
            { title: 'acme book 1' },
          ]);
        });
      }
    }

    it('N3 a session that is killed between two messages of the library is nobody else’s', async () => {
      const { signal, abort } = controllerOf();
      const removed: unknown[] = [];
      const pool = (await orm.em.getConnection().getNativeClient()) as Pool;
      pool.on('remove', client => removed.push(client));
      onSent = sql => (sql === 'begin' ? abort() : undefined);
      const abortOptions = { signal, inflightQueryAbortStrategy: 'kill session' } as const;
      const failed = await failureOf(
        runInTenant('acme', em =>
          em.getKysely().executeQuery(CompiledQuery.raw('select title from book where id = $1', [1]), abortOptions),
        ),
      );
      onSent = () => undefined;

      expect(String(failed)).to.contain('aborted');
      await until('it is closed', () => removed.length > 0, 5_000);
      expect(await runInTenant('bob', em => em.execute('select title from book where id = 1'))).to.deep.equal([{ title: 'bob book 1' }]);
    });
  },
  ['postgresql'],
);

function controllerOf(): { readonly signal: AbortSignal; readonly abort: () => void } {
  const controller = new AbortController();

  return { signal: controller.signal, abort: () => controller.abort() };
}

/** Tells of each statement that a client of `pg` sends. */
function watch(client: Client, onSent: (sql: string) => void): void {
  const query = client.query.bind(client);

  client.query = (...args) => {
    const sending = query(...args);
    onSent(textOf(args[0] as string | { readonly text: string }));

    return sending;
  };
}

function textOf(query: string | { readonly text: string }): string {
  return typeof query === 'string' ? query : query.text;
}

interface Client {
  query(...args: unknown[]): unknown;
}

interface Pool {
  on(event: 'connect' | 'remove', listener: (client: Client) => void): unknown;
}
