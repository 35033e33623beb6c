import { tenants, type TenantsOptions } from '@landlord/mikro-orm';
import { join } from 'node:path';
import { Book, Client, Genre, User } from '../../../docs/examples/bookshop/entities.ts';
import { ROOT } from './library-orm.ts';
import { shareTables } from '../databases/citus.ts';
import { openOrm, type OpenedOn, type OrmConfig, type SpecOrm } from './open-orm.ts';

/** The bookshop of the documentation's examples on a spec's database, its public set migrated. */
export async function openBookshop(...args: Parameters<typeof openEmptyBookshop>): Promise<SpecOrm> {
  const orm = await openEmptyBookshop(...args);
  await orm.migrator.up();
  await shareTables(orm);

  return orm;
}

/** The same on an empty database. */
export async function openEmptyBookshop(
  database: OpenedOn,
  options: Partial<TenantsOptions<Client>> = {},
  config: OrmConfig = {},
): Promise<SpecOrm> {
  return openOrm(
    database,
    { tenant: Client, migrations: { path: 'migrations/tenant' }, ...options },
    {
      baseDir: join(ROOT, 'docs/examples/bookshop'),
      entities: [Client, Genre, Book, User],
      migrations: { path: 'migrations/public', silent: true },
      ...config,
    },
  );
}

/** A bookshop on the host `<name>.example.com`. */
export async function createShop(name: string): Promise<Client> {
  return tenants<Client>().create({ name, domainUrl: `${name}.example.com`, schemaName: name });
}
