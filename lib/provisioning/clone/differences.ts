import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { searchPathOf } from '../../postgres/schema-name.js';
import { OBJECTS_OF_SCHEMAS } from '../../migrations/run/catalog-sql.js';

/** What differs between two schemas, by their catalogs. The name of each is taken out. */
export async function differences(
  database: TenantDatabase,
  { from, to, ctx }: { readonly from: string; readonly to: string; readonly ctx: Transaction },
): Promise<string[]> {
  const wanted = await readObjects(database, from, ctx);
  const found = await readObjects(database, to, ctx);

  return [
    ...[...wanted.keys()].filter(object => !found.has(object)).map(object => `${object} is missing`),
    ...[...found.keys()].filter(object => !wanted.has(object)).map(object => `${object} is too many`),
    ...[...wanted]
      .filter(([object, definition]) => found.has(object) && found.get(object) !== definition)
      .map(([object]) => `${object} differs`),
  ].toSorted();
}

async function readObjects(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<ReadonlyMap<string, string>> {
  await database.execute(`set local search_path to ${searchPathOf(schemaName)}`, [], ctx);
  const rows = await database.execute<{ object: string; definition: string | null }>(OBJECTS_OF_SCHEMAS, [[schemaName]], ctx);
  // PostgreSQL quotes a name only where it has to
  const own = new RegExp(`(?<![a-z0-9_$])"?${schemaName}"?(?![a-z0-9_$"])`, 'g');

  return new Map(
    // what PostgreSQL names itself, for a key that refers to a table with parts, gets other names
    rows.map(({ object, definition }) => [object, (definition ?? '').replaceAll(own, '*')]),
  );
}
