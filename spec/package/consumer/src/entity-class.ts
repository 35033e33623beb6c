import { TenantMixin } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { UUID, type Style } from './style.js';

class Client extends TenantMixin {
  name!: string;
  paidUntil?: Date;
  onTrial = true;
}

defineEntity({
  class: Client,
  extends: TenantMixin,
  properties: {
    name: p.string(),
    paidUntil: p.datetime().nullable(),
    onTrial: p.boolean().default(true),
  },
});

class UuidClient extends TenantMixin<string> {
  override id!: string;
}

defineEntity({ class: UuidClient, extends: TenantMixin<string>, properties: { id: p.uuid().primary() } });

// the key's type comes from the mixin
class StringClient extends TenantMixin<string> {}

defineEntity({ class: StringClient, extends: TenantMixin<string>, properties: { id: p.string().primary() } });

class NamedClient extends TenantMixin {
  code!: string;
}

defineEntity({ class: NamedClient, extends: TenantMixin, properties: { code: p.string().primary() } });

class Plan {
  id!: number;
  title!: string;
}

defineEntity({ class: Plan, properties: { id: p.integer().primary(), title: p.string() } });

class Book {
  id!: number;
  title!: string;
}

defineEntity({ class: Book, schema: '*', properties: { id: p.integer().primary(), title: p.string() } });

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
