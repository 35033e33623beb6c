import { citext } from '@electric-sql/pglite/contrib/citext';
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm';
import type { SpecDatabase } from './database.ts';
import { asObserver } from '../assertions/statement-watch.ts';
import { emptyPglite } from './empty-pglite.ts';
import { ownDatabase, type OwnDatabase } from './own-database.ts';

/** The database with `citext`, `pg_trgm` and the text-search configuration `mycfg` in the schema `ext`, which is on nobody's path. */
export async function withExtensions(database: SpecDatabase): Promise<SpecDatabase> {
  const extended = database.kind === 'pglite' ? { ...database, ...(await extendedPglite(database)) } : database;
  await addExtensions(extended);

  return extended;
}

/** A second database with the same. It has them on the path of every connection, as an application without tenants would. */
export async function withExtensionsOnPath(database: SpecDatabase, title: string): Promise<OwnDatabase> {
  const isPglite = database.kind === 'pglite';
  const own = isPglite ? await extendedPglite(database) : await ownDatabase(database, title);
  await addExtensions(own);
  await own.query(isPglite ? `set search_path to ${PATH}` : PATH_OF_DATABASE);

  return own;
}

/** Extensions of a PGlite are given to it when it is made. */
async function extendedPglite(database: SpecDatabase): Promise<OwnDatabase> {
  const pglite = await emptyPglite({ citext, pg_trgm });
  database.atEnd(() => pglite.close());

  return {
    query: (sql, params = []) => asObserver(async () => (await pglite.query(sql, params)).rows as any),
    options: () => ({ ...database.options(), driverOptions: { pglite } }),
  };
}

async function addExtensions(database: OwnDatabase): Promise<void> {
  for (const sql of EXTENSIONS) {
    await database.query(sql);
  }
}

const EXTENSIONS = [
  'create schema ext',
  'create extension citext schema ext',
  'create extension pg_trgm schema ext',
  'create text search configuration ext.mycfg (copy = pg_catalog.english)',
];

const PATH = `"$user", public, ext`;

const PATH_OF_DATABASE = `do $$ begin execute format('alter database %I set search_path to ${PATH}', current_database()); end $$`;
