import { expect } from 'chai';
import { runInTenant, TenantMixin, type TenantData } from '@landlord/mikro-orm';
import { defineEntity, p, type EntityClass } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { randomUUID } from 'node:crypto';
import { onDatabases } from '../support/databases/database.ts';
import { openOrm, type SpecOrm } from '../support/orm/open-orm.ts';
import { tablesOf } from '../support/databases/catalog.ts';

const BookSchema = defineEntity({ name: 'Book', schema: '*', properties: { id: p.integer().primary(), title: p.string() } });

class Book extends BookSchema.class {}
BookSchema.setClass(Book);

class Books extends Migration {
  override up(): void {
    this.addSql('create table "book" ("id" serial primary key, "title" varchar(255) not null)');
  }
}

class Client extends TenantMixin {
  name!: string;
  paidUntil?: Date;
  onTrial = true;
}

defineEntity({
  class: Client,
  extends: TenantMixin,
  properties: { name: p.string(), paidUntil: p.datetime().nullable(), onTrial: p.boolean() },
});

class UuidClient extends TenantMixin<string> {
  override id = randomUUID();
}

defineEntity({ class: UuidClient, extends: TenantMixin<string>, properties: { id: p.uuid().primary() } });

class DatabaseUuidClient extends TenantMixin<string> {}

defineEntity({
  class: DatabaseUuidClient,
  extends: TenantMixin<string>,
  properties: { id: p.uuid().primary().defaultRaw('gen_random_uuid()') },
});

class StringClient extends TenantMixin<string> {}

defineEntity({ class: StringClient, extends: TenantMixin<string>, properties: { id: p.string().primary() } });

class NamedClient extends TenantMixin {
  code!: string;
}

defineEntity({ class: NamedClient, extends: TenantMixin, properties: { code: p.string().primary() } });

class BigClient extends TenantMixin<bigint> {}

defineEntity({ class: BigClient, extends: TenantMixin<bigint>, properties: { id: p.bigint('bigint').primary() } });

const KEYS: readonly KeyCase[] = [
  { title: 'an integer from the database', tenant: Client, key: 'id', data: { name: 'Acme' }, expected: 1, isAssigned: false },
  { title: 'an integer of its own', tenant: Client, key: 'id', data: { name: 'Acme', id: 77 }, expected: 77, isAssigned: true },
  { title: 'a bigint from the database', tenant: BigClient, key: 'id', data: {}, expected: 1n, isAssigned: false },
  { title: 'a uuid from its field', tenant: UuidClient, key: 'id', data: {}, expected: /^[0-9a-f-]{36}$/, isAssigned: true },
  { title: 'a uuid that was passed', tenant: UuidClient, key: 'id', data: { id: UUID() }, expected: UUID(), isAssigned: true },
  { title: 'a uuid from the database', tenant: DatabaseUuidClient, key: 'id', data: {}, expected: /^[0-9a-f-]{36}$/, isAssigned: false },
  { title: 'a string', tenant: StringClient, key: 'id', data: { id: 'acme' }, expected: 'acme', isAssigned: true },
  { title: 'a key of another name', tenant: NamedClient, key: 'code', data: { code: 'acme' }, expected: 'acme', isAssigned: true },
];

onDatabases('the entity of the tenants', database => {
  let counter = 0;
  let orm: SpecOrm;

  // each has a public schema of its own, because all share one database
  async function open(tenant: EntityClass<TenantMixin<any>>): Promise<string> {
    const publicSchema = `front_${++counter}`;
    orm = await openOrm(
      database,
      { tenant, publicSchema, migrations: { migrationsList: [{ name: 'books', class: Books }] } },
      { entities: [tenant, Book] },
    );
    await orm.schema.create();

    return publicSchema;
  }

  afterEach(() => orm.close());

  for (const { title, tenant, key, data, expected, isAssigned } of KEYS) {
    for (const way of ['new', 'em.create'] as const) {
      it(`T4 provisions a tenant with ${title}, made by ${way}`, async () => {
        const publicSchema = await open(tenant);
        const schemaName = `${publicSchema}_acme`;
        const em = orm.em.fork();
        const all = { domainUrl: 'acme.example.com', schemaName, ...data };
        const client = way === 'new' ? new (tenant as ClientClass)(all) : em.create(tenant, all as never);
        const assigned = client[key] as unknown;
        await em.persistAndFlush(client);

        expect(orm.getMetadata(tenant).primaryKeys).to.deep.equal([key]);
        expect(assigned !== undefined).to.equal(isAssigned);
        expect(expected instanceof RegExp ? String(client[key]) : client[key]).to.satisfy((value: unknown) =>
          expected instanceof RegExp ? expected.test(value as string) : value === expected,
        );
        expect(await tablesOf(database, schemaName)).to.deep.equal(['book', 'mikro_orm_migrations']);
        expect(await tablesOf(database, publicSchema)).not.to.include('book');
        const stored = await orm.em.fork().findOneOrFail(tenant, { schemaName });
        expect(stored[key]).to.equal(client[key]);
        expect(await database.query(`select * from "${publicSchema}"."${orm.getMetadata(tenant).tableName}"`)).to.have.length(1);
      });
    }
  }

  it('T4 takes the key of another name for the only one, and no column of the default name', async () => {
    const publicSchema = await open(NamedClient);

    const columns = await database.query<{ column_name: string }>(
      `select column_name from information_schema.columns where table_schema = '${publicSchema}' and table_name = 'named_client'`,
    );

    expect(columns.map(row => row.column_name)).to.have.members(['code', 'domain_url', 'schema_name']);
  });

  it('T3 T4 saves a tenant again whatever its key, its schema and rows kept', async () => {
    for (const { tenant, data } of KEYS) {
      const publicSchema = await open(tenant);
      const schemaName = `${publicSchema}_acme`;
      await orm.em.fork().persistAndFlush(new (tenant as ClientClass)({ domainUrl: 'acme.example.com', schemaName, ...data }));
      await runInTenant(schemaName, async em => em.persistAndFlush(em.create(Book, { title: 'Emma' })), { orm });
      const em = orm.em.fork();
      const client = await em.findOneOrFail(tenant, { schemaName });
      client.domainUrl = 'other.example.com';
      await em.flush();

      expect(await database.query(`select title from "${schemaName}"."book"`)).to.deep.equal([{ title: 'Emma' }]);
      const rows = await database.query<{ domain_url: string }>(`select * from "${publicSchema}"."${orm.getMetadata(tenant).tableName}"`);
      expect(rows.map(row => row.domain_url)).to.deep.equal(['other.example.com']);
      await orm.close();
    }
  });

  it('W3 stores what was passed, and where nothing was, the initial values of its fields', async () => {
    const publicSchema = await open(Client);
    const paidUntil = new Date('2030-01-01T00:00:00Z');
    await orm.em
      .fork()
      .persistAndFlush([
        new Client({ name: 'Acme', domainUrl: 'acme.example.com', schemaName: `${publicSchema}_acme` }),
        new Client({ name: 'Bob', domainUrl: 'bob.example.com', schemaName: `${publicSchema}_bob`, onTrial: false, paidUntil }),
      ]);

    const clients = await orm.em.fork().find(Client, {}, { orderBy: { name: 'asc' } });

    expect(clients.map(({ name, onTrial, paidUntil: until }) => ({ name, onTrial, until: until ?? undefined }))).to.deep.equal([
      { name: 'Acme', onTrial: true, until: undefined },
      { name: 'Bob', onTrial: false, until: paidUntil },
    ]);
  });

  it('W3 stores what is changed after it was made, and stores changes to what it has stored', async () => {
    const publicSchema = await open(Client);
    const em = orm.em.fork();
    const client = new Client({ name: 'Acme', domainUrl: 'acme.example.com', schemaName: `${publicSchema}_acme`, onTrial: false });
    client.name = 'Acme Ltd';
    client.onTrial = true;
    await em.persistAndFlush(client);
    client.onTrial = false;
    await em.flush();

    const [row] = await database.query(`select name, on_trial from "${publicSchema}"."client"`);
    expect(row).to.deep.equal({ name: 'Acme Ltd', on_trial: false });
    expect(await em.findOne(Client, { name: 'Acme Ltd' })).to.equal(client);
  });
});

describe('the data that a new tenant is given', () => {
  const place = { domainUrl: 'acme.example.com', schemaName: 'acme' };

  it('W3 wins over the initial values of fields, of subclasses too', () => {
    class Special extends Client {
      rank = 1;
      note?: string;
    }

    const special = new Special({ ...place, name: 'Acme', onTrial: false, rank: 7, note: 'x' });

    expect(Object.fromEntries(Object.entries(special))).to.deep.equal({
      ...place,
      name: 'Acme',
      onTrial: false,
      rank: 7,
      note: 'x',
      paidUntil: undefined,
    });
  });

  it('W3 does not win over what a constructor or the user assigns', () => {
    class Trimmed extends TenantMixin {
      name: string;

      constructor(data: { name: string; domainUrl: string; schemaName: string }) {
        super(data);
        this.name = data.name.trim();
      }
    }

    const trimmed = new Trimmed({ ...place, name: ' Acme ' });
    const client = new Client({ ...place, name: 'Acme', onTrial: false });
    client.onTrial = true;
    client.domainUrl = 'other.example.com';

    expect(trimmed.name).to.equal('Acme');
    expect(client.onTrial).to.equal(true);
    expect(client.domainUrl).to.equal('other.example.com');
  });

  it('W3 is kept where a value is undefined, null or false', () => {
    const client = new Client({ ...place, name: 'Acme', onTrial: undefined, paidUntil: null });

    expect(client.onTrial).to.equal(undefined);
    expect(client.paidUntil).to.equal(null);
  });

  it('W3 leaves a tenant of its class, with what the class keeps private', () => {
    class Secretive extends TenantMixin {
      #uses = 0;

      use(): number {
        return ++this.#uses;
      }
    }

    const tenant = new Secretive(place);

    expect(tenant).to.be.instanceOf(Secretive).and.instanceOf(TenantMixin);
    expect(tenant.use()).to.equal(1);
    expect(tenant.use()).to.equal(2);
  });

  it('W3 is told to nobody but the tenant: a constructor that is written by hand uses it once', () => {
    const names: string[] = [];

    class Listed extends TenantMixin {
      name!: string;

      constructor(data: { name: string; domainUrl: string; schemaName: string }) {
        super(data);
        names.push(data.name);
      }
    }

    const listed = [new Listed({ ...place, name: 'Acme' }), new Listed({ ...place, name: 'Bob' })];

    expect(listed.map(({ name }: { name?: string }) => name))
      .to.deep.equal(names)
      .and.to.deep.equal(['Acme', 'Bob']);
  });

  it('W3 is kept where a constructor works only with data, and where it loops over what the data links', () => {
    class Strict extends Client {
      override onTrial = true;

      constructor(data: TenantData) {
        super(data);

        if (typeof this.name !== 'string') {
          throw new Error('A tenant needs a name.');
        }
      }
    }

    class Nested extends TenantMixin {
      parent?: Nested;
      depth = depthOf(this);
      onTrial = true;
    }

    function depthOf(tenant: Nested): number {
      let depth = 0;

      for (let each = tenant.parent; each !== undefined; each = each.parent) {
        depth += 1;
      }

      return depth;
    }

    const parent = new Nested({ ...place, onTrial: false });

    expect(new Strict({ ...place, name: 'Acme', onTrial: false })).to.include({ name: 'Acme', onTrial: false });
    expect(() => new Strict(place)).to.throw('A tenant needs a name.');
    expect(new Nested({ ...place, parent, onTrial: false })).to.include({ depth: 1, onTrial: false, parent });
    expect(parent).to.include({ depth: 0, onTrial: false });
  });

  it('W3 throws what a setter throws', () => {
    class Checked extends TenantMixin {
      #seats = 1;

      get seats(): number {
        return this.#seats;
      }

      set seats(seats: number) {
        if (seats < 1) {
          throw new RangeError('A tenant needs a seat.');
        }

        this.#seats = seats;
      }
    }

    expect(() => new Checked({ ...place, seats: 0 }).seats).to.throw(RangeError, 'A tenant needs a seat.');
    expect(new Checked({ ...place, seats: 2 }).seats).to.equal(2);
  });

  it('W3 is not needed', () => {
    expect(Object.fromEntries(Object.entries(new Client()))).to.deep.equal({ name: undefined, paidUntil: undefined, onTrial: true });
  });
});

function UUID(): string {
  return '0d9e1f5e-4f6c-4a53-9d5b-2f8b4f3f4c11';
}

type ClientClass = new (data: Record<string, unknown>) => TenantMixin<unknown> & Record<string, unknown>;

interface KeyCase {
  readonly title: string;
  readonly tenant: EntityClass<TenantMixin<any> & Record<string, any>>;
  readonly key: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly expected: unknown;
  readonly isAssigned: boolean;
}
