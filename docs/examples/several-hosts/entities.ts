// entities.ts
import { DomainMixin, TenantMixin } from '@landlord/mikro-orm';
import { Collection, defineEntity, p } from '@mikro-orm/core';

export class Client extends TenantMixin {
  name!: string;
  domains = new Collection<Domain>(this);
}

export class Domain extends DomainMixin<Client> {
  verifiedAt?: Date; // your own properties
}

export const ClientSchema = defineEntity({
  class: Client,
  extends: TenantMixin,
  properties: { name: p.string(), domains: () => p.oneToMany(Domain).mappedBy('tenant') },
});

export const DomainSchema = defineEntity({
  class: Domain,
  extends: DomainMixin, // id, domain, isPrimary and tenant
  properties: { verifiedAt: p.datetime().nullable() },
});

const BookSchema = defineEntity({
  name: 'Book',
  schema: '*',
  properties: { id: p.integer().primary(), title: p.string() },
});

export class Book extends BookSchema.class {}
BookSchema.setClass(Book);
