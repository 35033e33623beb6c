import { currentTenant, requireTenant, runInTenant, TenantMixin, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity, p, type Opt } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';

// #region columns
export class Shop extends TenantMixin {
  name!: string;
  timeZone: Opt<string> = 'UTC';
  features: Opt<readonly string[]> = [];
}

export const ShopSchema = defineEntity({
  class: Shop,
  extends: TenantMixin,
  properties: {
    name: p.string(),
    timeZone: p.string().default('UTC'),
    features: p.json().$type<readonly string[]>().default([]),
  },
});
// #endregion columns

// #region read
/** Costs no query: the process holds the row of each tenant that it serves. */
export function formatTime(time: Date): string {
  return time.toLocaleString('en-GB', { timeZone: requireTenant<Shop>().timeZone });
}

export function hasFeature(name: string): boolean {
  return currentTenant<Shop>()?.features.includes(name) ?? false;
}
// #endregion read

// #region write
/** In the scope of the tenant, which may change its own row. */
export async function setTimeZone(em: TenantEntityManager, timeZone: string): Promise<void> {
  const shop = await em.findOneOrFail(Shop, { id: requireTenant<Shop>().id });
  shop.timeZone = timeZone;
  await em.flush();
}
// #endregion write

// #region table
const SettingSchema = defineEntity({
  name: 'Setting',
  schema: '*',
  properties: { key: p.string().primary(), value: p.json().$type<unknown>() },
});

export class Setting extends SettingSchema.class {}
SettingSchema.setClass(Setting);

const DEFAULTS = { 'invoice.footer': '', 'invoice.days': 14 };

export async function getSetting<Key extends keyof typeof DEFAULTS>(em: TenantEntityManager, key: Key): Promise<(typeof DEFAULTS)[Key]> {
  const row = await em.findOne(Setting, { key }, { cache: 1_000 });

  return (row?.value ?? DEFAULTS[key]) as (typeof DEFAULTS)[Key];
}

export async function setSetting<Key extends keyof typeof DEFAULTS>(
  schemaName: string,
  key: Key,
  value: (typeof DEFAULTS)[Key],
): Promise<void> {
  await runInTenant(schemaName, em => em.upsert(Setting, { key, value }));
}
// #endregion table

// #region migration
export class CreateSettings extends Migration {
  override up(): void {
    this.addSql('create table "setting" ("key" varchar(255) primary key, "value" jsonb not null);');
    this.addSql(`insert into "setting" ("key", "value") values ('invoice.days', '30');`); // for every tenant, new ones too
  }
}
// #endregion migration
