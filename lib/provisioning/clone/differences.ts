import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { searchPathOf } from '../../postgres/schema-name.js';
import { OBJECTS_OF_ONE_SCHEMA } from '../../migrations/run/catalog-sql.js';
import { isSerialAsIdentity } from './for-citus.js';
import { escaped, type Names } from './repoint.js';

/** What differs between two schemas, by their catalogs. The name of each is taken out, and so is that of its tenant's role. */
export async function differences(
  database: TenantDatabase,
  { from, to, roles, ctx }: { readonly from: string; readonly to: string; readonly roles: Names | undefined; readonly ctx: Transaction },
): Promise<string[]> {
  const wanted = await readObjects(database, [from, roles?.from], ctx);
  const found = await readObjects(database, [to, roles?.to], ctx);
  const isCitus = (await database.engine.citus(ctx)) !== undefined;

  return [
    ...[...wanted.keys()].filter(object => !found.has(object)).map(object => `${object} is missing`),
    ...[...found.keys()].filter(object => !wanted.has(object)).map(object => `${object} is too many`),
    ...[...wanted]
      .filter(([object, definition]) => found.has(object) && !isEqual(definition, found.get(object)))
      .filter(([object, { text }]) => !(isCitus && isSerialAsIdentity(text, found.get(object)?.text ?? '')))
      .map(([object]) => `${object} differs`),
  ].toSorted();
}

/** A table may have the name of the schema, and keeps it: then the definitions are equal as they are. So does a comment in a function. */
function isEqual(wanted: Definition, found: Definition | undefined): boolean {
  return (
    wanted.text === found?.text ||
    wanted.withoutName === found?.withoutName ||
    (found !== undefined &&
      wanted.text.replaceAll(COMMENTS, '').replaceAll(wanted.own, '*') === found.text.replaceAll(COMMENTS, '').replaceAll(found.own, '*'))
  );
}

async function readObjects(
  database: TenantDatabase,
  [schemaName, role]: readonly [string, string | undefined],
  ctx: Transaction,
): Promise<ReadonlyMap<string, Definition>> {
  await database.execute(`set local search_path to ${searchPathOf(schemaName)}`, [], ctx);
  const rows = await database.execute<{ object: string; definition: string | null }>(
    OBJECTS_OF_ONE_SCHEMA,
    // no table has this name: the key of the history is compared too
    [[schemaName], ''],
    ctx,
  );
  // PostgreSQL quotes a name only where it has to
  const own = new RegExp(
    `(?<![a-z0-9_$])"?(?:${[schemaName, role]
      .filter(name => name !== undefined)
      .map(escaped)
      .join('|')})"?(?![a-z0-9_$"])`,
    'g',
  );

  return new Map(
    rows.map(({ object, definition }) => {
      const text = definition ?? '';

      return [object, { text, own, withoutName: text.replaceAll(own, '*') }];
    }),
  );
}

interface Definition {
  readonly text: string;
  /** What is taken out. */
  readonly own: RegExp;
  readonly withoutName: string;
}

const COMMENTS = /--[^\n]*|\/\*[\s\S]*?\*\//g;
