import { withTenants, type TenantEntityManager, type TenantsOptions } from '@landlord/mikro-orm';
import { MikroORM, type IDatabaseDriver, type Options } from '@mikro-orm/core';
import type { SpecDatabase } from '../databases/database.ts';

export type SpecOrm = MikroORM<any, TenantEntityManager>;

/** Overrides for the options of the spec's database. */
export type OrmConfig = Partial<Options<IDatabaseDriver, any, any>>;

/** The database of an ORM, which also closes it. */
export type OpenedOn = Pick<SpecDatabase, 'options' | 'atEnd'>;

/** An ORM with tenants on a spec's database, which closes it at the end. The public schema is still empty. */
export async function openOrm(database: OpenedOn, tenants: TenantsOptions<any>, config: OrmConfig = {}): Promise<SpecOrm> {
  return init(database, withTenants({ ...database.options(), ...config } as Partial<Options<any, any, any>>, tenants));
}

/** A second ORM with the configuration of the first. */
export async function openBeside(database: OpenedOn, first: SpecOrm, config: OrmConfig): Promise<SpecOrm> {
  return init(database, { ...first.config.getAll(), ...config });
}

/** An ORM of a config that is wrapped and names its database, such as one of an example; what it sends is logged as by the others. */
export async function openConfig(database: OpenedOn, wrapped: object): Promise<SpecOrm> {
  const { driver: _, clientUrl: __, ...logging } = database.options();

  return init(database, { ...wrapped, ...logging });
}

/** MikroORM alone, without tenants. */
export async function openPlainOrm(database: OpenedOn, config: OrmConfig): Promise<MikroORM> {
  return init<MikroORM>(database, { ...database.options(), ...config });
}

async function init<Orm extends MikroORM<any, any> = SpecOrm>(database: OpenedOn, options: object): Promise<Orm> {
  const orm = (await MikroORM.init(options as Options)) as unknown as Orm;
  database.atEnd(() => orm.close());

  return orm;
}
