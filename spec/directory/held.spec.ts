import { currentTenant, runInTenant, TenantMixin, tenants } from '@landlord/mikro-orm';
import { defineEntity, p, Type, type Collection } from '@mikro-orm/core';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';
import { visitorOf } from '../support/web/visitor.ts';

class Money {
  readonly cents: number;

  constructor(cents: number) {
    this.cents = cents;
  }
}

class MoneyType extends Type<Money, string> {
  override convertToDatabaseValue(value: Money): string {
    return value instanceof Money ? `${value.cents} cents` : value;
  }

  override convertToJSValue(value: string): Money {
    return new Money(Number.parseInt(value, 10));
  }

  override getColumnType(): string {
    return 'varchar(255)';
  }
}

const AddressSchema = defineEntity({
  name: 'Address',
  embeddable: true,
  properties: { city: p.string(), since: p.datetime() },
});

class Address extends AddressSchema.class {
  label(): string {
    return `in ${this.city}`;
  }
}
AddressSchema.setClass(Address);

const PlanSchema = defineEntity({ name: 'Plan', properties: { id: p.integer().primary(), name: p.string() } });
class Plan extends PlanSchema.class {}
PlanSchema.setClass(Plan);

const SeatSchema = defineEntity({
  name: 'Seat',
  properties: { id: p.integer().primary(), row: p.string(), client: () => p.manyToOne(Client) },
});
class Seat extends SeatSchema.class {}
SeatSchema.setClass(Seat);

class Client extends TenantMixin<string> {
  declare name: string;
  declare secret: string;
  declare paidUntil: Date;
  declare settings: { colours: string[]; nested: { on: boolean } };
  declare address: Address;
  declare branches: Address[];
  declare word: string;
  declare tags: string[];
  declare founded: string;
  declare kinds: string[];
  declare initials?: string;
  declare shouted: string;
  declare balance: Money;
  declare logo: Buffer;
  declare visits: bigint;
  declare plan: Plan;
  declare notLoaded: string;
  declare seats: Collection<Seat>;
  greeted?: number;

  greet(): string {
    this.greeted = (this.greeted ?? 0) + 1;

    return `${this.name}, ${this.address.label()}, ${this.paidUntil.getUTCFullYear()}, ${this.balance.cents}`;
  }
}

const ClientSchema = defineEntity({
  class: Client,
  extends: TenantMixin,
  properties: {
    id: p.uuid().primary(),
    name: p.string(),
    secret: p.string().hidden(),
    paidUntil: p.datetime(),
    settings: p.json(),
    address: () => p.embedded(Address),
    branches: () => p.embedded(Address).object().array(),
    word: p.json(),
    tags: p.array(),
    founded: p.date(),
    kinds: p.enum(() => ({ a: 'a', b: 'b' })).array(),
    initials: p.string().persist(false).nullable(),
    shouted: p.string().formula(columns => `upper(${columns.name})`),
    balance: p.type(MoneyType),
    logo: p.blob(),
    visits: p.bigint(),
    plan: () => p.manyToOne(Plan),
    notLoaded: p.string().lazy(),
    seats: () => p.oneToMany(Seat).mappedBy('client').eager().hidden(),
  },
} as never);
void ClientSchema;

onDatabases('a tenant of the directory', database => {
  let orm: LibraryOrm;
  let visit: ReturnType<typeof visitorOf>;

  before(async () => {
    orm = await openNoteOrm(database, Client, { directory: { ttlMs: 600_000 } }, { entities: [Client, Note, Plan, Address, Seat] });
    await orm.em.fork().persistAndFlush(
      orm.em.fork().create(Client, {
        id: ID,
        name: 'Acme',
        secret: 'hidden',
        paidUntil: new Date('2030-01-02T03:04:05.678Z'),
        settings: { colours: ['red'], nested: { on: true } },
        address: { city: 'Graz', since: new Date('2020-01-01T00:00:00.000Z') },
        branches: [{ city: 'Wien', since: new Date('2021-01-01T00:00:00.000Z') }],
        word: 'just a word',
        tags: ['a,b', 'c'],
        founded: '1999-12-31',
        kinds: ['a', 'b'],
        balance: new Money(250),
        logo: Buffer.from([1, 2, 3]),
        visits: 12345678901234567890n / 10n,
        plan: { name: 'gold' },
        notLoaded: 'long',
        seats: [{ row: 'A' }, { row: 'B' }],
        domainUrl: 'acme.example.com',
        schemaName: 'acme',
      } as never),
    );
    visit = visitorOf(orm);
    await visit('acme.example.com');
  });

  it('H10 is an entity of the user’s class with all that a loaded one has, and its methods work', async () => {
    for (const request of ['the first', 'the next']) {
      const tenant = (await visit('acme.example.com')).tenant as unknown as Client;
      const loaded = await orm.em.fork().findOneOrFail(Client, { id: ID });

      expect(tenant, request).to.be.instanceOf(Client);
      expect(tenant.greet(), request).to.equal(loaded.greet());
      expect(JSON.stringify(tenant), request).to.equal(JSON.stringify(loaded));
      for (const name of ['branches', 'word', 'tags', 'founded', 'kinds', 'shouted', 'balance', 'visits', 'settings'] as const) {
        expect(tenant[name], name).to.deep.equal(loaded[name]);
      }
      expect(tenant.shouted).to.equal('ACME');
      expect(tenant.branches[0]).to.be.instanceOf(Address);
      expect(tenant.secret).to.equal('hidden');
      expect(tenant.paidUntil).to.deep.equal(loaded.paidUntil);
      expect(tenant.balance).to.be.instanceOf(Money);
      expect(tenant.address).to.be.instanceOf(Address);
      expect(tenant.address.since).to.deep.equal(loaded.address.since);
      expect([...tenant.logo]).to.deep.equal([1, 2, 3]);
      expect(tenant.plan.id).to.equal(loaded.plan.id);
      expect(tenant.notLoaded).to.equal(undefined);
      expect(tenant.seats.getItems().map(({ row }) => row)).to.deep.equal(['A', 'B']);
      expect(tenant.greeted).to.equal(1);
    }
  });

  it('H10 is each request’s own: nothing that one does to it is seen by another, nor by itself in the database', async () => {
    const untouched = JSON.stringify((await visit('acme.example.com')).tenant);

    await visit('acme.example.com', async ctx => {
      const tenant = ctx.state.tenant as unknown as Client;
      expect(tenant).to.equal(currentTenant());
      tenant.name = 'Changed';
      tenant.schemaName = 'bob';
      tenant.paidUntil.setFullYear(1999);
      tenant.settings.colours.push('blue');
      tenant.settings.nested.on = false;
      tenant.address.city = 'Linz';
      tenant.address.since.setTime(0);
      (tenant.balance as { cents: number }).cents = 0;
      tenant.logo[0] = 9;
      tenant.branches.pop();
      tenant.tags.push('d');
      tenant.kinds.pop();
      await orm.em.flush();
    });

    expect(JSON.stringify((await visit('acme.example.com')).tenant)).to.equal(untouched);
    expect(JSON.stringify(await orm.em.fork().findOneOrFail(Client, { id: ID }))).to.equal(untouched);
  });

  it('H10 can be entered, found, referred to, loaded and looked after by the service', async () => {
    await visit('acme.example.com', async ctx => {
      const tenant = ctx.state.tenant as unknown as Client;

      await runInTenant(tenant, async em => expect(await em.count(Note)).to.equal(0), { orm });
      const managed = await orm.em.findOneOrFail(Client, tenant.id);
      expect(managed).to.not.equal(tenant);
      expect(managed.name).to.equal('Acme');
      expect(await orm.em.count(Client, { id: tenant.id })).to.equal(1);
      expect(orm.em.getReference(Client, tenant.id).id).to.equal(ID);
      expect((await orm.em.fork().findOneOrFail(Plan, { id: tenant.plan.id })).name).to.equal('gold');
    });
    const tenant = (await visit('acme.example.com')).tenant;
    await tenants(orm).rename(tenant as never, 'acme_two');
    expect((await visit('acme.example.com')).served).to.equal('acme_two');
  });

  it('H1 is among what a template is given of the state', async () => {
    let schemaName: unknown;
    await visit('acme.example.com', ctx => {
      schemaName = Object.assign({}, ctx.state).tenant?.schemaName;
    });

    expect(schemaName).to.equal('acme_two');
  });

  it('H10 can be put into the state by the user in its place', async () => {
    const { tenant } = await visit('acme.example.com', ctx => {
      ctx.state.tenant = undefined as never;
    });

    expect(tenant).to.equal(undefined);
    expect((await visit('acme.example.com')).tenant?.schemaName).to.equal('acme_two');
  });
});

const ID = '00000000-0000-4000-8000-000000000007';
