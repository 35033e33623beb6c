import { runInTenant, TenantMixin, type TenantEntityManager } from '@landlord/mikro-orm';
import { Cascade, defineEntity, p, type EntitySchema } from '@mikro-orm/core';
import { expect } from 'chai';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';

class Client extends TenantMixin {}

const ClientSchema = defineEntity({ class: Client, extends: TenantMixin, properties: {} });
const id = p.integer().primary();
// MikroORM stores what is in the second collection without a cascade too, and then takes the schema of the collection's owner
const Country: EntitySchema<any> = defineEntity({
  name: 'Country',
  properties: {
    id,
    cities: () => p.oneToMany(City).mappedBy('country'),
    roads: () => p.manyToMany(Road).mappedBy('countries').cascade(),
    rivers: () => p.manyToMany(River).mappedBy('countries').cascade(Cascade.PERSIST),
  },
} as never);
const City: EntitySchema<any> = defineEntity({
  name: 'City',
  schema: '*',
  properties: { id, country: () => p.manyToOne(Country) },
} as never);
const Road: EntitySchema<any> = defineEntity({
  name: 'Road',
  schema: '*',
  properties: { id, countries: () => p.manyToMany(Country).inversedBy('roads') },
} as never);
const River: EntitySchema<any> = defineEntity({
  name: 'River',
  schema: '*',
  properties: { id, countries: () => p.manyToMany(Country).inversedBy('rivers') },
} as never);

const NAMES = ['acme', 'bob'];
const COLLECTIONS: Readonly<Record<string, { readonly Item: EntitySchema<any>; readonly table: string }>> = {
  cities: { Item: City, table: 'city' },
  roads: { Item: Road, table: 'road' },
  rivers: { Item: River, table: 'river' },
};

onDatabases('a new entity in a collection of a shared one', database => {
  let orm: LibraryOrm;
  let key = 0;

  before(async () => {
    orm = await openNoteOrm(database, Client, {}, { entities: [ClientSchema, Note, Country, City, Road, River] as never });
    await orm.em.fork().persistAndFlush(NAMES.map(name => new Client({ schemaName: name, domainUrl: `${name}.example.com` })));

    for (const name of NAMES) {
      await database.query(`create table ${name}.city (id int primary key, country_id int references country)`);

      for (const table of ['road', 'river']) {
        await database.query(`create table ${name}.${table} (id int primary key)`);
        await database.query(
          `create table ${name}.${table}_countries (${table}_id int, country_id int, primary key (${table}_id, country_id))`,
        );
      }
    }
  });

  beforeEach(() => void (key += 1));

  // one that no EntityManager has made has no schema yet
  const newItem = (collection: string, data: object): object =>
    Object.assign(new (orm.getMetadata().get(COLLECTIONS[collection]?.Item as never).class as unknown as new () => object)(), data);

  const OWNERS: Readonly<Record<string, (em: TenantEntityManager) => Promise<any>>> = {
    new: async em => em.create(Country, { id: key }),
    stored: async em => {
      await database.query('insert into country (id) values ($1)', [key]);

      return em.findOneOrFail(Country, key);
    },
  };

  const rows = async (): Promise<unknown[]> =>
    database.query(
      NAMES.flatMap(name => ['city', 'road', 'river'].map(table => `select '${name}.${table}' as at, id from ${name}.${table}`)).join(
        ' union all ',
      ),
    );

  for (const [collection, { table }] of Object.entries(COLLECTIONS)) {
    for (const [owner, find] of Object.entries(OWNERS)) {
      it(`S6 is stored in the tenant: ${collection} of a ${owner} one`, async () => {
        await runInTenant('bob', async em => {
          const country = await find(em);
          country[collection].add(newItem(collection, { id: key }));
          await em.persistAndFlush(country);
        });

        expect((await rows()).filter(row => (row as { id: number }).id === key)).to.deep.equal([{ at: `bob.${table}`, id: key }]);
      });

      it(`law 2: is refused if it is another tenant’s: ${collection} of a ${owner} one`, async () => {
        const item = newItem(collection, { id: key });
        await runInTenant('acme', async em => void em.persist(item));
        const before = await rows();

        await refusal(
          runInTenant('bob', async em => {
            const country = await find(em);
            country[collection].add(item);
            await em.persistAndFlush(country);
          }),
          'CROSS_TENANT',
        );
        expect(await rows()).to.deep.equal(before);
      });
    }
  }
});
