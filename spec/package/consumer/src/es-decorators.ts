import { TenantMixin } from '@landlord/mikro-orm';
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/es';
import { UUID, type Style } from './style.js';

@Entity()
class Client extends TenantMixin {
  @Property({ type: 'string' })
  name!: string;

  @Property({ type: 'datetime', nullable: true })
  paidUntil?: Date;

  @Property({ type: 'boolean' })
  onTrial = true;
}

@Entity()
class UuidClient extends TenantMixin<string> {
  @PrimaryKey({ type: 'uuid' })
  override id!: string;
}

@Entity()
class StringClient extends TenantMixin<string> {
  @PrimaryKey({ type: 'string' })
  override id!: string;
}

@Entity()
class NamedClient extends TenantMixin {
  @PrimaryKey({ type: 'string' })
  code!: string;
}

@Entity()
class Plan {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  title!: string;
}

@Entity({ schema: '*' })
class Book {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  title!: string;
}

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
