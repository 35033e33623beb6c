import type { TenantsOptions } from '@landlord/mikro-orm';
import { fileURLToPath } from 'node:url';
import { Author, Book, Genre, Library, Loan, LoanSummary, Member, Tag } from '../../../fixtures/entities/index.ts';
import { shareTables } from '../databases/citus.ts';
import { openOrm, type OpenedOn, type OrmConfig, type SpecOrm } from './open-orm.ts';

export type LibraryOrm = SpecOrm;

/** The lending library of `fixtures/` on a spec's database, its public set migrated. */
export async function openLibrary(...args: Parameters<typeof initLibrary>): Promise<LibraryOrm> {
  const orm = await initLibrary(...args);
  await orm.migrator.up();
  await shareTables(orm);

  return orm;
}

/** The same on a database that has its tables. */
export async function initLibrary(
  database: OpenedOn,
  options: Partial<TenantsOptions<Library>> = {},
  config: OrmConfig = {},
): Promise<LibraryOrm> {
  return openOrm(
    database,
    { tenant: Library, migrations: { path: './migrations/tenant', snapshotName: '.snapshot' }, ...options },
    {
      baseDir: ROOT,
      entities: LIBRARY_ENTITIES,
      migrations: { path: './migrations/public', snapshotName: '.snapshot', silent: true },
      ...config,
    },
  );
}

/** A library that is not stored yet, on the host `<schemaName>.example.com`. */
export function newLibrary(
  schemaName: string,
  { autoCreateSchema, ...data }: { readonly autoCreateSchema?: boolean; readonly [property: string]: unknown } = {},
): Library {
  const library = new Library({ name: schemaName, domainUrl: `${schemaName.replaceAll('_', '-')}.example.com`, schemaName, ...data });

  if (autoCreateSchema !== undefined) {
    library.autoCreateSchema = autoCreateSchema;
  }

  return library;
}

export const LIBRARY_ENTITIES = [Library, Genre, Author, Book, Tag, Member, Loan, LoanSummary];

/** The folder of this repository. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
