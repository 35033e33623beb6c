import type { TenantsOptions } from '@landlord/mikro-orm';
import type { Library } from '../../../fixtures/entities/index.ts';
import type { SpecDatabase } from '../databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from './library-orm.ts';
import type { OrmConfig } from './open-orm.ts';

/**
 * The lending library with two tenants whose rows have the same keys and tell by their names whose they are, and with tables of
 * the same names in the public schema: whatever reads or writes the wrong schema finds something there.
 */
export async function openTwins(
  database: SpecDatabase,
  config: OrmConfig = {},
  options: Partial<TenantsOptions<Library>> = {},
): Promise<LibraryOrm> {
  const orm = await openLibrary(database, options, config);
  await orm.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob')]);
  await database.query(`insert into public.genre (id, name) values (1, 'crime')`);

  for (const name of ['acme', 'bob']) {
    await database.query(`insert into ${name}.author (id, name) values (1, '${name} author 1'), (2, '${name} author 2')`);
    await database.query(
      `insert into ${name}.book (id, title, author_id, genre_id, sequel_of_id) values (1, '${name} book 1', 1, 1, null), (2, '${name} book 2', 1, 1, 1)`,
    );
    await database.query(`insert into ${name}.tag (id, name) values (1, '${name} tag 1'), (2, '${name} tag 2')`);
    await database.query(`insert into ${name}.book_tags (book_id, tag_id) values (1, 1), (2, 1), (2, 2)`);
    await database.query(`insert into ${name}.member (id, name) values ('${MEMBER}', '${name} member')`);
    await database.query(`insert into ${name}.loan (id, book_id, member_id) values (1, 1, '${MEMBER}')`);
  }

  for (const table of TABLES) {
    await database.query(`create table public.${table} as select * from acme.${table}`);
  }

  await database.query(`update public.book set title = 'decoy'`);

  for (const table of ['author', 'tag', 'member']) {
    await database.query(`update public.${table} set name = 'decoy'`);
  }

  database.statements.length = 0;

  return orm;
}

/** All that a schema holds, to be compared. */
export async function contentsOf(database: SpecDatabase, schemaName: string): Promise<unknown> {
  const contents: Record<string, unknown> = {};

  for (const table of TABLES) {
    contents[table] = await database.query(`select * from ${schemaName}.${table} order by 1, 2`);
  }

  return contents;
}

/** All that the tenants and the public schema hold, to be compared. */
export async function everyRowOfTwins(database: SpecDatabase): Promise<unknown> {
  return {
    acme: await contentsOf(database, 'acme'),
    bob: await contentsOf(database, 'bob'),
    public: await contentsOf(database, 'public'),
    genres: await database.query('select * from public.genre order by id'),
  };
}

/**
 * Every table in the SQL after the words that a table follows: its schema where it has one, else the table itself with a question mark. Without
 * the catalog's, which say which tenant has which schema.
 */
export function schemasIn(statements: readonly string[]): string[] {
  const found = statements.flatMap(statement =>
    [...statement.matchAll(/\b(?:from|join|into|update|truncate table) "([^"]+)"(\.")?/g)].map(([, name, isSchema]) =>
      isSchema === undefined ? `${name}?` : String(name),
    ),
  );

  return [...new Set(found)].filter(schema => schema !== 'pg_catalog').sort();
}

const MEMBER = '00000000-0000-4000-8000-000000000001';

export const TABLES = ['author', 'book', 'tag', 'book_tags', 'member', 'loan'] as const;

/** Removes the tenants that an operation has made, which are called `t1` or `r1`. */
export async function removeMade(database: SpecDatabase): Promise<void> {
  const names = await database.query<{ name: string }>(
    `select nspname::text as name from pg_namespace where nspname ~ '^[tr][0-9]+$' or nspname ~ '^landlord_'`,
  );

  for (const { name } of names) {
    await database.query(`drop schema "${name}" cascade`);
  }

  await database.query(`delete from public.library where name ~ '^[tr][0-9]+$'`);
}
