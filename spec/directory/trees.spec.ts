import { TenantMixin, type TenantsOptions } from '@landlord/mikro-orm';
import { defineEntity, p, type EntityClass } from '@mikro-orm/core';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';
import { until } from '../support/assertions/until.ts';
import { visitorOf } from '../support/web/visitor.ts';

class Customer extends TenantMixin {
  kind!: string;
}

const CustomerSchema = defineEntity({
  class: Customer,
  extends: TenantMixin,
  discriminatorColumn: 'kind',
  discriminatorValue: 'plain',
  properties: { kind: p.string().hidden() },
});

class Company extends Customer {
  vat?: string;
}

defineEntity({
  class: Company,
  extends: CustomerSchema,
  discriminatorValue: 'company',
  properties: { vat: p.string().nullable() },
} as never);

class Account extends TenantMixin {}

const AccountSchema = defineEntity({ class: Account, extends: TenantMixin, inheritance: 'tpt', properties: {} } as never);

class BusinessAccount extends Account {
  vat?: string;
}

defineEntity({ class: BusinessAccount, extends: AccountSchema, properties: { vat: p.string().nullable() } } as never);

onDatabases('tenants of several classes', database => {
  let orm: LibraryOrm;

  afterEach(() => orm.close());

  it('H10 in one table are of their own class, and a change of theirs by plain SQL is told', async () => {
    await open(Customer, Company);
    const company = Object.assign(new Company(), { domainUrl: 'acme.example.com', schemaName: 'acme', vat: 'AT1' });
    await orm.em.fork().persistAndFlush(company);
    const visit = visitorOf(orm);
    expect((await visit('acme.example.com')).tenant)
      .to.be.instanceOf(Company)
      .and.to.include({ vat: 'AT1' });

    await database.query(`update customer set vat = 'AT2'`);
    await until('it is seen', async () => (await visit('acme.example.com')).tenant?.['vat' as never] === 'AT2');
  });

  it('H10 in several tables have the trigger on each, and the schema has not changed then', async () => {
    await open(Account, BusinessAccount);
    const rows = await database.query<{ name: string }>(
      `select tgrelid::regclass::text as name from pg_trigger where tgname = 'landlord_directory' and tgrelid::regclass::text like '%account' order by 1`,
    );

    expect(rows.map(({ name }) => name)).to.deep.equal(['account', 'business_account']);
    expect(await orm.schema.getUpdateSchemaSQL({ dropTables: false })).to.equal('');
    await database.query(`insert into account (domain_url, schema_name) values ('bob.example.com', 'bob')`);
    await database.query(`insert into business_account (id, vat) select id, 'AT1' from account`);
    expect((await visitorOf(orm)('bob.example.com')).tenant).to.be.instanceOf(BusinessAccount);
    await database.query(`delete from business_account`);
  });

  async function open(root: EntityClass<TenantMixin>, child: EntityClass<TenantMixin>): Promise<void> {
    const directory: TenantsOptions['directory'] = { trigger: true, ttlMs: 600_000 };
    orm = await openNoteOrm(database, root, { directory }, { entities: [root, child, Note] as never });
  }
});
