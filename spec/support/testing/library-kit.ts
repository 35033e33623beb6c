import { withTenants, type TenantsOptions } from '@landlord/mikro-orm';
import { openTestKit, type TestKit, type TestKitOptions } from '@landlord/mikro-orm/testing';
import { MikroORM, type Options } from '@mikro-orm/core';
import { PgliteDriver } from '@mikro-orm/pglite';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { Library } from '../../../fixtures/entities/index.ts';
import type { OrmConfig } from '../orm/open-orm.ts';
import { LIBRARY_ENTITIES, ROOT, type LibraryOrm } from '../orm/library-orm.ts';

export type LibraryKit = TestKit<LibraryOrm>;

/** The kit with the lending library, as an application has it: its config names a database that nobody may connect to. */
export async function openLibraryKit(
  kind: 'postgresql' | 'pglite',
  { config = {}, tenants = {}, ...options }: LibraryKitOptions = {},
): Promise<LibraryKit> {
  const orm = await initApplication(kind, config, tenants);

  return openTestKit({ orm, tenant: number => ({ name: `Library ${number}` }), ...options });
}

async function initApplication(
  kind: 'postgresql' | 'pglite',
  config: OrmConfig,
  tenants: Partial<TenantsOptions<Library>>,
): Promise<LibraryOrm> {
  const database =
    kind === 'pglite'
      ? { driver: PgliteDriver, dbName: 'memory://' }
      : { driver: PostgreSqlDriver, clientUrl: 'postgres://nobody:nothing@127.0.0.1:1/production' };
  const options = withTenants(
    {
      ...database,
      baseDir: ROOT,
      entities: LIBRARY_ENTITIES,
      migrations: { path: './migrations/public', snapshotName: '.snapshot', silent: true },
      logger: () => undefined,
      ...config,
    } as Partial<Options<any, any, any>>,
    { tenant: Library, migrations: { path: './migrations/tenant', snapshotName: '.snapshot' }, ...tenants },
  );

  return (await MikroORM.init(options as Options)) as unknown as LibraryOrm;
}

interface LibraryKitOptions extends Partial<TestKitOptions<LibraryOrm>> {
  readonly config?: OrmConfig;
  readonly tenants?: Partial<TenantsOptions<Library>>;
}
