import { runInTenant } from '@landlord/mikro-orm';
import { Author } from '../../../fixtures/entities/index.ts';
import { newLibrary, type LibraryOrm } from '../orm/library-orm.ts';

/** Stores a library of each name, with one author in it: `Ann of <name>`. */
export async function createLibraries(orm: LibraryOrm, ...schemaNames: string[]): Promise<void> {
  await orm.em.fork().persistAndFlush(schemaNames.map(schemaName => newLibrary(schemaName)));

  for (const schemaName of schemaNames) {
    await addAuthors(orm, schemaName, [`Ann of ${schemaName}`]);
  }
}

export async function addAuthors(orm: LibraryOrm, schemaName: string, names: readonly string[]): Promise<void> {
  await runInTenant(schemaName, em => em.persistAndFlush(names.map(name => em.create(Author, { name }))), { orm });
}

/** The authors that the global `orm.em` finds here. */
export async function authorsHere(orm: LibraryOrm): Promise<string[]> {
  const authors = await orm.em.find(Author, {}, { orderBy: { id: 'asc' } });

  return authors.map(({ name }) => name);
}

/** The host of the library of that name. */
export const hostOf = (schemaName: string): string => `${schemaName}.example.com`;
