import { PGlite } from '@electric-sql/pglite';
import type { Options } from '@mikro-orm/core';
import { PgliteDriver } from '@mikro-orm/pglite';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import pg from 'pg';
import { asObserver } from './statement-watch.ts';

export type DatabaseKind = 'postgresql' | 'pglite';

/** A database of its own for one `describe`: dropped when all its specs have passed, kept and named when one has failed. */
export interface SpecDatabase {
  readonly kind: DatabaseKind;
  /** The URL of the database; undefined for PGlite. */
  readonly url: string | undefined;
  /** Every statement that ORMs made from `options()` have sent, as MikroORM logs it. To be emptied with `.length = 0`. */
  readonly statements: string[];
  /** The part of a MikroORM config that says which database; several ORMs may share it. */
  options(): Pick<Partial<Options<any, any, any>>, 'driver'> & Partial<Options<any, any, any>>;
  /** Runs SQL past every ORM, as somebody else would. */
  query<Row = Record<string, any>>(sql: string, params?: unknown[]): Promise<Row[]>;
}

/** Describes what has to hold on each kind of database. What needs more than one connection names `['postgresql']` alone. */
export function onDatabases(
  title: string,
  body: (database: SpecDatabase) => void,
  kinds: readonly DatabaseKind[] = ['postgresql', 'pglite'],
): void {
  const only = process.env['SPEC_DATABASES']?.split(',');

  for (const kind of kinds.filter(each => only?.includes(each) ?? true)) {
    describe(`${title} (${kind})`, function () {
      const statements: string[] = [];
      const logging = {
        debug: ['query', 'query-params'] as ('query' | 'query-params')[],
        colors: false,
        logger: (message: string) => statements.push(message),
      };
      let close: (failed: boolean) => Promise<void> = async () => undefined;
      let url: string | undefined;
      let options: () => Partial<Options<any, any, any>>;
      let query: SpecDatabase['query'];

      before(async () => {
        if (kind === 'pglite') {
          const pglite = await PGlite.create('memory://');
          options = () => ({ driver: PgliteDriver, dbName: 'memory://', driverOptions: { pglite }, ...logging });
          query = (sql, params = []) => asObserver(async () => (await pglite.query(sql, params)).rows as any);
          close = async () => pglite.close();
          return;
        }

        const created = await createDatabase(title);
        url = created.url;
        options = () => ({ driver: PostgreSqlDriver, clientUrl: created.url, ...logging });
        query = created.query;
        close = failed => created.close(failed);
      });

      body({
        kind,
        statements,
        get url() {
          return url;
        },
        options: () => options(),
        query: (sql, params) => query(sql, params),
      });

      after(async function () {
        const failed = this.test?.parent?.tests.some(test => test.isFailed()) ?? false;
        await close(failed);
      });
    });
  }
}

/** Creates an empty database on the server of the run. */
export async function createDatabase(title: string): Promise<{
  readonly name: string;
  readonly url: string;
  query: SpecDatabase['query'];
  close(keep?: boolean): Promise<void>;
}> {
  const server = process.env['DATABASE_URL'];

  if (server === undefined) {
    throw new Error('DATABASE_URL is not set. Run the specs with `npm test`, which starts a server.');
  }

  const name = `landlord_spec_${title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .slice(0, 30)}_${process.pid}_${++counter}`;
  await withClient(server, client => client.query(`create database "${name}"`));
  const url = new URL(server);
  url.pathname = `/${name}`;
  // one connection that is not the ORM's pool, to look at what is there
  const observer = new pg.Client({ connectionString: url.href, application_name: 'spec observer' });
  await observer.connect();

  return {
    name,
    url: url.href,
    query: async (sql, params = []) => (await observer.query(sql, params)).rows,
    close: async (keep = false) => {
      const leftOpen = await connectionsLeftOpen(observer);
      await observer.end();

      if (keep) {
        console.log(`    kept for a look: ${url.href}`);
        return;
      }

      await withClient(server, client => client.query(`drop database "${name}" with (force)`));

      if (leftOpen > 0) {
        throw new Error(`${leftOpen} connections were left open in "${title}": close every ORM that a spec opens.`);
      }
    },
  };
}

// a pool says it has ended when it has said goodbye; the server takes a moment more to see its connections go
async function connectionsLeftOpen(observer: pg.Client): Promise<number> {
  const end = Date.now() + 2_000;

  for (;;) {
    const { rows } = await observer.query(
      `select count(*)::int as left_open from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`,
    );

    if (rows[0].left_open === 0 || Date.now() > end) {
      return rows[0].left_open;
    }
  }
}

async function withClient(url: string, fn: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();

  try {
    await fn(client);
  } finally {
    await client.end();
  }
}

let counter = 0;
