import { runInPublic, runInTenant, TenantMixin, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity, p, raw, Routine } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { expect } from 'chai';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { onDatabases, SERVER_AND_POOLER, type SpecDatabase } from '../support/databases/database.ts';
import { openOrm, type OrmConfig, type SpecOrm } from '../support/orm/open-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';

class Shop extends TenantMixin {}

const ShopSchema = defineEntity({ class: Shop, extends: TenantMixin, properties: {} });

const Price = defineEntity({
  name: 'Price',
  schema: '*',
  properties: {
    id: p.integer().primary(),
    amount: p.integer(),
    highest: p.integer().formula(() => '(select max(amount) from price)'),
  },
});

const Currency = defineEntity({
  name: 'Currency',
  properties: { id: p.integer().primary(), highest: p.integer().formula(() => '(select max(amount) from price)') },
});

const PriceList = defineEntity({
  name: 'PriceList',
  expression: () => raw('select max(amount) as amount from price'),
  properties: { amount: p.integer() },
});

const Highest = new Routine({
  name: 'highest',
  type: 'function',
  params: {},
  returns: { runtimeType: 'number', columnType: 'int' },
  body: 'select max(amount) from price',
});

class CreatePrice extends Migration {
  override up(): void {
    this.addSql('create table price (id int primary key, amount int not null)');
    this.addSql(`create function raised(int) returns int language sql as 'select $1 + (select max(amount) from price)'`);
  }
}

async function openShops(database: SpecDatabase, publicSchema: string, config: OrmConfig = {}): Promise<SpecOrm> {
  await database.query(`create schema if not exists ${publicSchema}`);
  const orm = await openOrm(
    database,
    { tenant: Shop, publicSchema, migrations: { migrationsList: [CreatePrice] } },
    { pool: { min: 1, max: 1 }, entities: [ShopSchema, Price, Currency, PriceList], routines: [Highest], ...config },
  );
  await orm.schema.execute(
    `create table ${publicSchema}.shop (id serial primary key, domain_url varchar(255) unique, schema_name varchar(63) unique)`,
  );
  await orm.schema.execute(
    `create table ${publicSchema}.currency (id int primary key); insert into ${publicSchema}.currency values (1)`.split(';')[0],
  );
  await database.query(`insert into ${publicSchema}.currency values (1)`);
  await orm.em.fork().persistAndFlush(['acme', 'bob'].map(name => new Shop({ domainUrl: `${name}.example.com`, schemaName: name })));
  await database.query(`insert into acme.price values (1, 10)`);
  await database.query(`insert into bob.price values (1, 20)`);

  // decoys
  for (const schema of new Set([publicSchema, 'public'])) {
    await database.query(`create table ${schema}.price as select 1 as id, 99 as amount`);
    await database.query(`create function ${schema}.raised(int) returns int language sql as 'select 99'`);
  }

  await database.query(
    `create function ${database.kind === 'pglite' ? publicSchema : 'public'}.highest() returns int language plpgsql as 'begin return (select max(amount) from price); end'`,
  );

  return orm;
}

async function closeShops(database: SpecDatabase, orm: SpecOrm, publicSchema: string): Promise<void> {
  await orm.close();
  await database.query(`drop schema if exists acme, bob, public, ${publicSchema} cascade`);
  await database.query('create schema public');
}

onDatabases('raw SQL that an entity or a routine holds', database => {
  // MikroORM has no routines on PGlite
  const highest = async (em: TenantEntityManager): Promise<unknown> =>
    database.kind === 'pglite' ? (await em.execute<{ highest: number }[]>('select highest()'))[0]?.highest : em.callRoutine(Highest, {});

  for (const publicSchema of ['public', 'main']) {
    it(`R3, law 2: formulas, virtual entities, routines and functions read the scope's tenant, with the public schema ${publicSchema}`, async () => {
      const orm = await openShops(database, publicSchema);

      try {
        for (const [tenant, amount] of [
          ['acme', 10],
          ['bob', 20],
        ] as const) {
          await runInTenant(tenant, async em => {
            expect(await em.find(Price, {})).to.have.nested.property('[0].highest', amount);
            expect(await em.find(Currency, {})).to.have.nested.property('[0].highest', amount);
            expect(await em.find(PriceList, {})).to.have.nested.property('[0].amount', amount);
            expect(await highest(em)).to.equal(amount);
            expect(await em.qb(Price, 'p').select(raw('raised(1) as raised')).execute()).to.deep.equal([{ raised: amount + 1 }]);
          });
          const named = orm.em.fork({ schema: tenant });
          expect(await named.find(Currency, {})).to.have.nested.property('[0].highest', amount);
          expect(await named.find(PriceList, {})).to.have.nested.property('[0].amount', amount);
          expect(await highest(named)).to.equal(amount);
        }

        for (const read of [
          () => runInPublic(em => em.find(Currency, {})),
          () => runInPublic(em => em.find(PriceList, {})),
          () => runInPublic(em => em.execute('select amount from price')),
          () => orm.em.fork().find(Currency, {}),
        ]) {
          expect(JSON.stringify(await read())).to.contain('99');
        }

        await refusal(() => runInPublic(em => em.find(Price, {})), 'TENANT_CONTEXT_REQUIRED');
      } finally {
        await closeShops(database, orm, publicSchema);
      }
    });
  }
});

onDatabases(
  'a Kysely dialect of the user’s own',
  database => {
    it('law 2: raw SQL reads the scope’s tenant, after a reconnect too', async () => {
      const driverOptions = (): PostgresDialect =>
        new PostgresDialect({ pool: new pg.Pool({ connectionString: database.url as string, max: 1 }) });
      const orm = await openShops(database, 'public', { driverOptions } as never);

      try {
        expect(await runInTenant('bob', em => em.execute('select amount from price'))).to.deep.equal([{ amount: 20 }]);
        await orm.reconnect();
        expect(await runInTenant('acme', em => em.execute('select amount from price'))).to.deep.equal([{ amount: 10 }]);
      } finally {
        await closeShops(database, orm, 'public');
      }
    });

    it('law 2: a Kysely instance, which nothing is known of, is refused', async () => {
      const dialect = new PostgresDialect({ pool: new pg.Pool({ connectionString: database.url as string, max: 1 }) });
      const kysely = new Kysely<any>({ dialect });

      try {
        for (const driverOptions of [kysely, () => kysely]) {
          const error = await refusal(() => openShops(database, 'public', { driverOptions } as never), 'TENANT_CONFIG');
          expect(error.message).to.contain('Pass its dialect');
        }
      } finally {
        await kysely.destroy();
      }
    });
  },
  SERVER_AND_POOLER,
);
