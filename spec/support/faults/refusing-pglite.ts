import type { PGlite, Transaction } from '@electric-sql/pglite';
import { openRefusingProxy, type ClientRequest, type Refusal, type RefusingProxy } from './refusing-proxy.ts';
import { asObserver } from '../assertions/statement-watch.ts';
import type { SpecDatabase } from '../databases/database.ts';
import type { OrmConfig } from '../orm/open-orm.ts';
import { splitStatements } from '../../../dist/postgres/transaction-statements.js';

/** What has messages refused, of whichever kind the database is, and what an ORM has to be told for that. Closed with the database. */
export async function openRefusing(database: SpecDatabase): Promise<{ readonly proxy: RefusingProxy; readonly config: OrmConfig }> {
  if (database.kind !== 'pglite') {
    const proxy = await openRefusingProxy(database.url ?? '');
    database.atEnd(() => proxy.close());

    return { proxy, config: { clientUrl: proxy.url, driverOptions: { connectionTimeoutMillis: 5_000 } } };
  }

  const { pglite } = database.options().driverOptions as unknown as { readonly pglite: PGlite };
  const proxy: RefusingProxy = { url: '', decide: undefined, close: async () => undefined };

  return { proxy, config: { driverOptions: { pglite: refusing(pglite, proxy) } } };
}

/** A PGlite with the methods that are used, each of which may be refused. A transaction may be at its end, where its commit fails. */
function refusing(pglite: PGlite, proxy: RefusingProxy): object {
  const decide = async (request: ClientRequest): Promise<Refusal | undefined> => (await proxy.decide?.(request)) as Refusal | undefined;
  const query: PGlite['query'] = async (sql, params, options) => {
    const refusal = await decide({ statements: [sql], places: 2 });

    if (refusal?.place === 1) {
      return pglite.transaction(async tx => {
        await tx.query(sql, params, options);

        return raise(tx, refusal) as never;
      });
    }

    return refusal === undefined ? pglite.query(sql, params, options) : (raise(pglite, refusal) as never);
  };

  return {
    query,
    exec: async (sql: string) => {
      const statements = splitStatements(sql);
      const refusal = await decide({ statements, places: statements.length + 1 });

      return pglite.exec(refusal === undefined ? sql : [...statements.slice(0, refusal.place), raising(refusal)].join('\n; '));
    },
    transaction: (fn: (tx: object) => Promise<unknown>) =>
      pglite.transaction(async tx => {
        const result = await fn(refusingIn(tx, decide));
        const refusal = await decide({ statements: ['commit'], places: 1 });

        return refusal === undefined ? result : raise(tx, refusal);
      }),
    listen: pglite.listen.bind(pglite),
    dumpDataDir: pglite.dumpDataDir.bind(pglite),
    close: async () => undefined,
    get closed() {
      return pglite.closed;
    },
    get ready() {
      return pglite.ready;
    },
    waitReady: pglite.waitReady,
  };
}

function refusingIn(tx: Transaction, decide: (request: ClientRequest) => Promise<Refusal | undefined>): object {
  return {
    query: async (...[sql, params, options]: Parameters<Transaction['query']>) => {
      const refusal = await decide({ statements: [sql], places: 1 });

      return refusal === undefined ? tx.query(sql, params, options) : raise(tx, refusal);
    },
    exec: tx.exec.bind(tx),
    rollback: tx.rollback.bind(tx),
    get closed() {
      return tx.closed;
    },
  };
}

async function raise(on: Pick<PGlite, 'query'>, refusal: Refusal): Promise<unknown> {
  return asObserver(() => on.query(raising(refusal)));
}

function raising({ sqlState }: Refusal): string {
  return `do $refused$ begin raise exception 'refused by the spec' using errcode = '${sqlState}'; end $refused$`;
}
