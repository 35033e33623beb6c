import { withTenants } from '@landlord/mikro-orm';
import { MikroORM } from '@mikro-orm/core';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';

/**
 * What `spec/support/orm/open-orm.ts` is to a spec, for a process of its own: it runs without a compiler, works on the database of
 * DATABASE_URL, and closes what it opens.
 */
export async function openOrm(tenants, config) {
  return MikroORM.init(withTenants({ driver: PostgreSqlDriver, clientUrl: process.env.DATABASE_URL, ...config }, tenants));
}
