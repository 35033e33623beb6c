import { DomainMixin, TenantMixin, type TenantsOptions } from '@landlord/mikro-orm';
import { Collection, defineEntity, p } from '@mikro-orm/core';
import type { OpenedOn, OrmConfig, SpecOrm } from './open-orm.ts';
import { Note, openNoteOrm } from './note-orm.ts';

/** A tenant that knows its domains. */
export class Firm extends TenantMixin {
  name?: string;
  domains = new Collection<FirmDomain>(this);
}

export class FirmDomain extends DomainMixin<Firm> {
  note?: string;
}

export const FirmSchema = defineEntity({
  class: Firm,
  extends: TenantMixin,
  properties: { name: p.string().nullable(), domains: () => p.oneToMany(FirmDomain).mappedBy('tenant') },
});

export const FirmDomainSchema = defineEntity({
  class: FirmDomain,
  tableName: 'domain',
  extends: DomainMixin,
  properties: { note: p.string().nullable() },
});

/** An ORM whose tenants may have several hosts, with its shared tables created. */
export async function openDomainOrm(
  database: OpenedOn,
  options: Partial<TenantsOptions<any>> = {},
  config: OrmConfig = {},
): Promise<SpecOrm> {
  return openNoteOrm(
    database,
    FirmSchema.class,
    { domains: FirmDomainSchema.class, ...options },
    { entities: [FirmSchema, FirmDomainSchema, Note], ...config },
  );
}

/** A firm that is not stored yet, on the host `<name>.example.com`. */
export function newFirm(name: string): Firm {
  return new Firm({ schemaName: name, domainUrl: `${name}.example.com` });
}
