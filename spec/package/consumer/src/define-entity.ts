import { TenantMixin } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { UUID, type Style } from './style.js';

const ClientSchema = defineEntity({
  name: 'Client',
  extends: TenantMixin,
  properties: {
    name: p.string(),
    paidUntil: p.datetime().nullable(),
    onTrial: p.boolean().default(true),
  },
});

class Client extends ClientSchema.class {}
ClientSchema.setClass(Client);

const UuidClientSchema = defineEntity({
  name: 'UuidClient',
  extends: TenantMixin<string>,
  properties: { id: p.uuid().primary() },
});

class UuidClient extends UuidClientSchema.class {}
UuidClientSchema.setClass(UuidClient);

const StringClientSchema = defineEntity({
  name: 'StringClient',
  extends: TenantMixin<string>,
  properties: { id: p.string().primary() },
});

class StringClient extends StringClientSchema.class {}
StringClientSchema.setClass(StringClient);

const NamedClientSchema = defineEntity({
  name: 'NamedClient',
  extends: TenantMixin,
  properties: { code: p.string().primary() },
});

class NamedClient extends NamedClientSchema.class {}
NamedClientSchema.setClass(NamedClient);

const PlanSchema = defineEntity({ name: 'Plan', properties: { id: p.integer().primary(), title: p.string() } });

class Plan extends PlanSchema.class {}
PlanSchema.setClass(Plan);

const BookSchema = defineEntity({ name: 'Book', schema: '*', properties: { id: p.integer().primary(), title: p.string() } });

class Book extends BookSchema.class {}
BookSchema.setClass(Book);

export const style: Style = {
  Plan,
  Book,
  tenants: {
    integer: { entity: Client, make: ({ domainUrl, schemaName }) => new Client({ name: 'Acme', domainUrl, schemaName }) },
    changed: {
      entity: Client,
      make: place => {
        const client = new Client({ name: 'Acme', onTrial: false, ...place });
        client.name = 'Acme Ltd';

        return client;
      },
    },
    uuid: { entity: UuidClient, make: place => new UuidClient({ id: UUID, ...place }) },
    string: { entity: StringClient, make: place => new StringClient({ id: 'acme', ...place }) },
    named: { entity: NamedClient, make: place => new NamedClient({ code: 'acme', ...place }) },
  },
};
