import { withTenants, type TenantEntityManager, type TenantMixin, type TenantsOptions } from '@landlord/mikro-orm';
import { defineEntity, MikroORM, p, type EntityClass, type IDatabaseDriver, type Options } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import type { SpecDatabase } from '../databases/database.ts';
import type { LibraryOrm } from './library-orm.ts';

const NoteSchema = defineEntity({
  name: 'Note',
  schema: '*',
  properties: {
    id: p.integer().primary(),
    text: p.string(),
  },
});

/** The one entity that each tenant of `openTenants` has of its own. */
export class Note extends NoteSchema.class {}
NoteSchema.setClass(Note);

export class CreateNote extends Migration {
  override up(): void {
    this.addSql('create table "note" ("id" serial primary key, "text" varchar(255) not null);');
  }
}

/** An ORM whose tenants are of another class than `Library`; the shared tables are created. Whoever opens it closes it. */
export async function openTenants(
  database: SpecDatabase,
  tenant: EntityClass<TenantMixin<any>>,
  options: Partial<TenantsOptions<TenantMixin<any>>> = {},
  config: Partial<Options<IDatabaseDriver, any, any>> = {},
): Promise<LibraryOrm> {
  const orm = (await MikroORM.init(
    withTenants({ ...database.options(), entities: [tenant, Note], ...config } as Partial<Options<any, any, any>>, {
      tenant,
      migrations: { migrationsList: [CreateNote] },
      ...options,
    }),
  )) as unknown as MikroORM<any, TenantEntityManager>;
  await orm.schema.create();

  return orm;
}
