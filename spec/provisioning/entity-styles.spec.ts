import { TenantMixin, type TenantData } from '@landlord/mikro-orm';
import { Collection, defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { schemaNames, storedTenants } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';

class Client extends TenantMixin {
  name!: string;
  onTrial = true;
  paidUntil?: Date;
  group?: Group;
  readonly labels: string[] = ['new'];
  #calls = 0;

  call(): number {
    return ++this.#calls;
  }
}

class Group {
  id!: number;
  title!: string;
  clients = new Collection<Client>(this);
}

const ClientSchema = defineEntity({
  class: Client,
  extends: TenantMixin,
  properties: {
    name: p.string(),
    onTrial: p.boolean().default(true),
    paidUntil: p.datetime().nullable(),
    group: () => p.manyToOne(Group).nullable(),
    labels: p.array(),
  },
});

const GroupSchema = defineEntity({
  class: Group,
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    clients: () => p.oneToMany(Client).mappedBy('group'),
  },
});

class Named extends Client {
  override name = 'unnamed';

  constructor(data: TenantData) {
    super(data);
    this.onTrial = false;
  }
}

const client = (name: string, data: Record<string, unknown> = {}): Client =>
  new Client({ name, schemaName: name, domainUrl: `${name}.example.com`, ...data });

describe('a tenant whose properties are class fields', () => {
  it('W3 keeps what its constructor was given', () => {
    const paidUntil = new Date(0);
    const tenant = client('acme', { onTrial: false, paidUntil, labels: ['vip'] });

    expect(tenant).to.include({ name: 'acme', schemaName: 'acme', domainUrl: 'acme.example.com', onTrial: false, paidUntil });
    expect(tenant.labels).to.deep.equal(['vip']);
    expect(tenant).to.be.instanceOf(Client);
  });

  it('W3 has the initial values of what was not given', () => {
    const tenant = client('acme');

    expect(tenant).to.include({ name: 'acme', onTrial: true, paidUntil: undefined });
    expect(tenant.labels).to.deep.equal(['new']);
  });

  it('W3 takes a later assignment, also to `undefined` and of a constructor', () => {
    const tenant = client('acme', { onTrial: false, paidUntil: new Date(0) });
    tenant.onTrial = true;
    Object.assign(tenant, { name: 'Acme', paidUntil: undefined });
    const named = new Named({ name: 'Given', schemaName: 'named', domainUrl: 'named.example.com', onTrial: true });

    expect(tenant).to.include({ name: 'Acme', onTrial: true, paidUntil: undefined });
    expect(named.onTrial).to.equal(false);
    expect([tenant.call(), tenant.call()]).to.deep.equal([1, 2]);
  });
});

onDatabases('a tenant of another entity', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openNoteOrm(database, ClientSchema.class, {}, { entities: [ClientSchema, GroupSchema, Note] });
  });

  it('T1 is created with the entity that it is persisted through', async () => {
    const em = orm.em.fork();
    const group = em.create(Group, { title: 'retail' });
    group.clients.add(client('first', { onTrial: false }), client('second'));
    await em.persist(group).flush();

    expect(await schemaNames(database)).to.deep.equal(['first', 'second']);
    const rows = await em.fork().find(Client, { group: { title: 'retail' } }, { orderBy: { schemaName: 'asc' } });
    expect(rows.map(({ name, onTrial }) => ({ name, onTrial }))).to.deep.equal([
      { name: 'first', onTrial: false },
      { name: 'second', onTrial: true },
    ]);
  });

  it('T1 is created with the entity that it refers to', async () => {
    const em = orm.em.fork();
    await em.persistAndFlush(client('third', { group: em.create(Group, { title: 'wholesale' }) }));

    expect(await schemaNames(database)).to.include('third');
    const [group] = await em.fork().find(Group, { title: 'wholesale' }, { populate: ['clients'] });
    expect(group?.clients.getItems().map(({ name }) => name)).to.deep.equal(['third']);
  });

  it('T6 takes the entity along where it is refused', async () => {
    await database.query('create schema taken');
    const em = orm.em.fork();
    const group = em.create(Group, { title: 'refused' });
    group.clients.add(client('fine'), client('taken'));

    expect(await refusal(em.flush())).to.include({ code: 'SCHEMA_ALREADY_EXISTS', schemaName: 'taken' });
    expect(await em.fork().count(Group, { title: 'refused' })).to.equal(0);
    expect(await storedTenants(database, 'client')).not.to.include('fine');
    expect(await schemaNames(database)).not.to.include('fine');
  });

  it('T3 is loaded with what is stored, not with its initial values', async () => {
    await orm.em.fork().persistAndFlush(client('loaded', { onTrial: false, labels: ['vip'] }));
    const tenant = await orm.em.fork().findOneOrFail(Client, { schemaName: 'loaded' });

    expect(tenant).to.include({ name: 'loaded', onTrial: false });
    expect(tenant.labels).to.deep.equal(['vip']);
  });
});
