import { withTenants, type TenantEntityManager, type TenantsOptions } from '@landlord/mikro-orm';
import { MikroORM, type IDatabaseDriver, type Options } from '@mikro-orm/core';
import { fileURLToPath } from 'node:url';
import { Author, Book, Genre, Library, Loan, LoanSummary, Member, Tag } from '../../../fixtures/entities/index.ts';
import type { SpecDatabase } from '../databases/database.ts';

export type LibraryOrm = MikroORM<any, TenantEntityManager>;

/** The lending library of `fixtures/` on a spec's database, its public set migrated. Whoever opens it closes it. */
export async function openLibrary(...args: Parameters<typeof initLibrary>): Promise<LibraryOrm> {
  const orm = await initLibrary(...args);
  await orm.migrator.up();

  return orm;
}

/** The same on a database that has its tables. */
export async function initLibrary(
  database: SpecDatabase,
  options: Partial<TenantsOptions<Library>> = {},
  config: Partial<Options<IDatabaseDriver, any, any>> = {},
): Promise<LibraryOrm> {
  const orm: unknown = await MikroORM.init(
    withTenants(
      {
        ...database.options(),
        baseDir: ROOT,
        entities: [Library, Genre, Author, Book, Tag, Member, Loan, LoanSummary],
        migrations: { path: './migrations/public', snapshotName: '.snapshot', silent: true },
        ...config,
      } as Partial<Options<any, any, any>>,
      { tenant: Library, migrations: { path: './migrations/tenant', snapshotName: '.snapshot' }, ...options },
    ),
  );

  return orm as LibraryOrm;
}

/** A library that is not stored yet, on the host `<schemaName>.example.com`. */
export function newLibrary(schemaName: string, data: Record<string, unknown> = {}): Library {
  return new Library({ name: schemaName, domainUrl: `${schemaName.replaceAll('_', '-')}.example.com`, schemaName, ...data });
}

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
