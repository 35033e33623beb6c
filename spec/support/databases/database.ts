import { deepStrictEqual } from 'node:assert/strict';
import type { Options } from '@mikro-orm/core';
import { PgliteDriver } from '@mikro-orm/pglite';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import pg from 'pg';
import { borrowPglite, returnPglite } from './empty-pglite.ts';
import { citusRemedy, createCitusDatabase, giveToOrdinaryUser } from './citus.ts';
import { requiresAllPrograms } from './debian.ts';
import { openPooler, poolerRemedy } from './pooler.ts';
import { asObserver } from '../assertions/statement-watch.ts';
import { until } from '../assertions/until.ts';

/**
 * `pgbouncer` is PostgreSQL behind PgBouncer, in transaction mode and with one server connection for all that the specs of a `describe` do. `citus` is
 * a cluster, where there is one. With `SPEC_DATABASES=citus`, all that is described for PostgreSQL is run on it, as an ordinary user that owns the database.
 */
export type DatabaseKind = 'postgresql' | 'pglite' | 'pgbouncer' | 'citus';

/** What has no need of PGlite, and has to hold through a transaction pooler too. */
export const SERVER_AND_POOLER: readonly DatabaseKind[] = ['postgresql', 'pgbouncer'];

/** A database of its own for one `describe`: dropped when all its specs have passed, kept and named when one has failed. */
export interface SpecDatabase {
  /** A cluster of Citus is a PostgreSQL to those that it serves. */
  readonly kind: Exclude<DatabaseKind, 'citus'>;
  /** Whether it is one. */
  readonly isCitus: boolean;
  /** The URL of the database, through the pooler where there is one; undefined for PGlite. */
  readonly url: string | undefined;
  /** Every statement that ORMs made from `options()` have sent, as MikroORM logs it. To be emptied with `.length = 0`. */
  readonly statements: string[];
  /** The part of a MikroORM config that says which database; several ORMs may share it. */
  options(): Pick<Partial<Options<any, any, any>>, 'driver'> & Partial<Options<any, any, any>>;
  /** Runs SQL past every ORM and pooler, as somebody else would. */
  query<Row = Record<string, any>>(sql: string, params?: unknown[]): Promise<Row[]>;
  /** Closes what was opened on the database when the specs of the `describe` have ended, the latest first. What is closed by then is closed again. */
  atEnd(close: () => unknown): void;
}

/**
 * Describes what has to hold on every kind of database: what keeps tenants apart, and what must leave nothing on a connection. No spec of it
 * may hold a connection while it waits for another one, other than the observer's: the pooler has but one.
 */
export function onDatabasesAndPooler(title: string, body: (database: SpecDatabase) => void, options: OnDatabasesOptions = {}): void {
  onDatabases(title, body, ['postgresql', 'pglite', 'pgbouncer'], options);
}

/** Describes what has to hold on each kind of database. What needs more than one connection names `['postgresql']` alone. */
export function onDatabases(
  title: string,
  body: (database: SpecDatabase) => void,
  kinds: readonly DatabaseKind[] = ['postgresql', 'pglite'],
  { needsSuperuser = false }: OnDatabasesOptions = {},
): void {
  const only = process.env['SPEC_DATABASES']?.split(',');

  const all = only?.includes('citus') === true && kinds.includes('postgresql') ? new Set([...kinds, 'citus' as const]) : kinds;

  for (const kind of [...all].filter(each => only?.includes(each) ?? true)) {
    const remedy = kind === 'pgbouncer' ? poolerRemedy() : kind === 'citus' ? citusRemedy() : undefined;

    if (remedy !== undefined) {
      describeMissing(`${title} (${kind})`, remedy, { isOptional: kind === 'citus' });
      continue;
    }

    describe(`${title} (${kind})`, function () {
      const statements: string[] = [];
      const logging = {
        debug: ['query', 'query-params'] as ('query' | 'query-params')[],
        colors: false,
        // the library says it once for an ORM behind a pooler, at no certain moment
        logger: (message: string) => void (message.includes('receives no notifications') || statements.push(message)),
      };
      const opened: (() => unknown)[] = [];
      let close: (failed: boolean) => Promise<void> = async () => undefined;
      let url: string | undefined;
      let options: () => Partial<Options<any, any, any>>;
      let query: SpecDatabase['query'];

      before(async () => {
        if (kind === 'pglite') {
          const pglite = await borrowPglite();
          options = () => ({ driver: PgliteDriver, dbName: 'memory://', driverOptions: { pglite }, ...logging });
          query = (sql, params = []) => asObserver(async () => (await pglite.query(sql, params)).rows as any);
          close = async failed => (failed ? pglite.close() : returnPglite(pglite));
          return;
        }

        const created = await createDatabase(title, {
          isPooled: kind === 'pgbouncer',
          isCitus: kind === 'citus',
          isOrdinary: !needsSuperuser && !kinds.includes('citus'),
        });
        const pooled = kind === 'pgbouncer' ? await behindPooler(created.name) : undefined;
        const clientUrl = pooled?.url ?? created.url;
        url = clientUrl;
        options = () => ({ driver: PostgreSqlDriver, clientUrl, ...logging });
        query = created.query;
        close = async failed => {
          try {
            await (failed ? undefined : pooled?.close());
          } finally {
            await created.close(failed);
          }
        };
      });

      body({
        kind: kind === 'citus' ? 'postgresql' : kind,
        isCitus: kind === 'citus',
        statements,
        get url() {
          return url;
        },
        options: () => options(),
        query: (sql, params) => query(sql, params),
        atEnd: each => opened.push(each),
      });

      after(async function () {
        const failed = this.test?.parent?.tests.some(test => test.isFailed()) ?? false;

        try {
          await closeAll(opened.splice(0).toReversed());
        } finally {
          await close(failed);
          statements.length = 0;
        }
      });
    });
  }
}

/** Closes the others too where one fails, and passes on what failed first. */
async function closeAll(opened: readonly (() => unknown)[]): Promise<void> {
  const errors: unknown[] = [];

  for (const close of opened) {
    try {
      await close();
    } catch (error) {
      errors.push(error);
    }
  }

  if (errors.length > 0) {
    throw errors[0];
  }
}

/** Without the program the specs fail where they have to run, and say elsewhere that they did not. */
export function describeMissing(title: string, remedy: string, { isOptional }: { readonly isOptional: boolean }): void {
  describe(title, () => {
    if (!isOptional && requiresAllPrograms()) {
      it('has what it needs', () => {
        throw new Error(remedy);
      });
    } else {
      // those of Citus alone are not told apart
      it(`${isOptional ? 'X1 X2 X3 ' : ''}is pending: ${remedy}`);
    }
  });
}

/** The database through the pooler. Closing looks at the one server connection, which has to be as PostgreSQL gave it. */
async function behindPooler(name: string): Promise<{ readonly url: string; close(): Promise<void> }> {
  const pooler = await openPooler();
  const url = pooler.urlOf(name);
  let fresh: unknown;
  await withClient(url, async client => {
    fresh = await sessionState(client);
  });

  return {
    url,
    close: async () => {
      await until('every client of the pooler has said goodbye: close every ORM that a spec opens', async () => {
        return (await pooler.clientsOf(name)) === 0;
      });
      await withClient(url, async client => {
        deepStrictEqual(await sessionState(client), fresh, 'The specs left something on the connection of the pooler.');
      });
    },
  };
}

/** All that a session can keep between two transactions. Unless something ended the connection, it is the same one every time. */
async function sessionState(client: pg.Client): Promise<unknown> {
  const { rows } = await client.query(
    `select current_setting('search_path') as path, current_user as role, session_user as session,
      (select json_object_agg(name, setting order by name) from pg_settings where source = 'session' and setting is distinct from reset_val) as settings,
      (select count(*)::int from pg_prepared_statements) as prepared,
      (select count(*)::int from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks,
      (select count(*)::int from pg_class where relnamespace = pg_my_temp_schema()) as temporary,
      (select count(*)::int from pg_listening_channels()) as listening`,
  );

  return rows[0];
}

/** Creates an empty database on the server of the run. */
export async function createDatabase(
  title: string,
  // a pooler keeps its connection open
  { isPooled = false, isCitus = false, isOrdinary = false, server = process.env['DATABASE_URL'] }: CreateDatabaseOptions = {},
): Promise<{
  readonly name: string;
  readonly url: string;
  query: SpecDatabase['query'];
  close(keep?: boolean): Promise<void>;
}> {
  if (server === undefined) {
    throw new Error('DATABASE_URL is not set. Run the specs with `npm test`, which starts a server.');
  }

  const name = `landlord_spec_${title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .slice(0, 30)}_${process.pid}_${++counter}`;
  const cluster = isCitus ? await createCitusDatabase(name) : undefined;
  const owned = cluster !== undefined && isOrdinary ? await giveToOrdinaryUser(cluster, `${name}_user`) : undefined;

  if (cluster === undefined) {
    await withClient(server, client => client.query(`create database "${name}"`));
  }

  const url = new URL(owned?.url ?? cluster?.url ?? server);
  url.pathname = `/${name}`;
  // one connection that is not the ORM's pool, to look at what is there
  const observer = new pg.Client({ connectionString: url.href, application_name: 'spec observer' });
  await observer.connect();

  return {
    name,
    url: url.href,
    query: async (sql, params = []) => {
      try {
        return (await observer.query(sql, params)).rows;
      } catch (error) {
        // what specs do as a superuser is not what they are about
        if (owned === undefined || cluster === undefined || (error as { code?: string }).code !== INSUFFICIENT_PRIVILEGE) {
          throw error;
        }

        return withClient(cluster.url, async client => (await client.query(sql, params)).rows);
      }
    },
    close: async (keep = false) => {
      const leftOpen = isPooled ? 0 : await connectionsLeftOpen(observer);
      await observer.end();

      if (keep) {
        console.log(`    kept for a look: ${url.href}`);
        return;
      }

      await (cluster === undefined
        ? withClient(server, client => client.query(`drop database "${name}" with (force)`))
        : (owned ?? cluster).drop());

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
      `select count(*)::int as left_open from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend' ` +
        // those of Citus itself, from node to node
        `and application_name not like 'citus%'`,
    );

    if (rows[0].left_open === 0 || Date.now() > end) {
      return rows[0].left_open;
    }
  }
}

async function withClient<Result>(url: string, fn: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();

  try {
    return await fn(client);
  } finally {
    await client.end();
  }
}

interface OnDatabasesOptions {
  /** Whether the specs do what only a superuser may. Otherwise they run as an ordinary user on Citus. */
  readonly needsSuperuser?: boolean;
}

interface CreateDatabaseOptions {
  readonly isPooled?: boolean;
  readonly isCitus?: boolean;
  /** On Citus, whether it is used as an ordinary user, who owns it. */
  readonly isOrdinary?: boolean;
  /** Where it is created, unless on Citus. */
  readonly server?: string | undefined;
}

const INSUFFICIENT_PRIVILEGE = '42501';

let counter = 0;
