import type { TenantMixin, TenantsOptions } from '@landlord/mikro-orm';
import { defineEntity, p, type EntityClass } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { openOrm, type OpenedOn, type OrmConfig, type SpecOrm } from './open-orm.ts';

const NoteSchema = defineEntity({
  name: 'Note',
  schema: '*',
  properties: {
    id: p.integer().primary(),
    text: p.string(),
  },
});

/** The only tenant entity of `openNoteOrm`. */
export class Note extends NoteSchema.class {}
NoteSchema.setClass(Note);

export class CreateNote extends Migration {
  override up(): void {
    this.addSql('create table "note" ("id" serial primary key, "text" varchar(255) not null);');
  }
}

/** An ORM whose tenants are of another class than `Library`, with its shared tables created. */
export async function openNoteOrm(
  database: OpenedOn,
  tenant: EntityClass<TenantMixin<any>>,
  options: Partial<TenantsOptions<TenantMixin<any>>> = {},
  config: OrmConfig = {},
): Promise<SpecOrm> {
  const orm = await openOrm(
    database,
    { tenant, migrations: { migrationsList: [CreateNote] }, ...options },
    { entities: [tenant, Note], ...config },
  );
  await orm.schema.create();

  return orm;
}
