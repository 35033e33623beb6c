import { TenantMixin, type TenantsOptions } from '@landlord/mikro-orm';
import { defineEntity } from '@mikro-orm/core';
import { HARD_SCHEMA } from '../databases/hard-schema.ts';
import { Note } from './note-orm.ts';
import { openOrm, type OpenedOn, type OrmConfig, type SpecOrm } from './open-orm.ts';
import { sqlMigration } from './tenant-set.ts';

class Customer extends TenantMixin {}

defineEntity({ class: Customer, extends: TenantMixin, properties: {} });

/** Tenants whose set makes what `HARD_SCHEMA` has, or what is given. The table of tenants is there. */
export async function openHardOrm(
  database: OpenedOn,
  {
    options = {},
    config = {},
    statements = HARD_SCHEMA,
  }: { options?: Partial<TenantsOptions<any>>; config?: OrmConfig; statements?: readonly string[] } = {},
): Promise<SpecOrm> {
  const orm = await openOrm(
    database,
    { tenant: Customer, migrations: { migrationsList: [sqlMigration('Hard', statements)] }, ...options },
    { entities: [Customer, Note], ...config },
  );
  await orm.schema.update();

  return orm;
}

/** The names of a tenant: its schema, and a host of the same name. */
export function host(name: string): { readonly schemaName: string; readonly domainUrl: string } {
  return { schemaName: name, domainUrl: `${name}.example.com` };
}
