import { runInTenant, TenantMixin, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity, p, type EntitySchema } from '@mikro-orm/core';
import { expect } from 'chai';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';

class Client extends TenantMixin {}

const ClientSchema = defineEntity({ class: Client, extends: TenantMixin, properties: {} });
const id = p.integer().primary();
const Town: EntitySchema<any> = defineEntity({
  name: 'Town',
  schema: '*',
  properties: {
    id,
    roads: () => p.manyToMany(Road).mappedBy('towns').cascade(),
    lines: () => p.manyToMany(Line).inversedBy('towns').cascade(),
    houses: () => p.oneToMany(House).mappedBy('town').cascade(),
  },
} as never);
const Road: EntitySchema<any> = defineEntity({
  name: 'Road',
  schema: '*',
  properties: { id, towns: () => p.manyToMany(Town).inversedBy('roads').cascade() },
} as never);
const Line: EntitySchema<any> = defineEntity({
  name: 'Line',
  schema: '*',
  properties: { id, towns: () => p.manyToMany(Town).mappedBy('lines').cascade() },
} as never);
const House: EntitySchema<any> = defineEntity({
  name: 'House',
  schema: '*',
  properties: { id, town: () => p.manyToOne(Town).nullable().cascade() },
} as never);

const NAMES = ['acme', 'bob'];
const COLLECTIONS: Readonly<Record<string, EntitySchema<any>>> = { roads: Road, lines: Line, houses: House };
const TABLES = ['town', 'road', 'line', 'house'];

/** The town of the own tenant, in a flush of which another tenant's entity is found by the collection alone. */
const OWNERS: Readonly<Record<string, (em: TenantEntityManager) => Promise<any>>> = {
  new: async em => em.create(Town, { id: 9 }),
  stored: em => em.findOneOrFail(Town, 1),
  loaded: em => em.findOneOrFail(Town, 1, { populate: Object.keys(COLLECTIONS) as never }),
};

const ITEMS: Readonly<Record<string, (em: TenantEntityManager, Item: EntitySchema<any>) => Promise<any>>> = {
  loaded: (em, Item) => em.findOneOrFail(Item, 1),
  'only a reference': async (em, Item) => em.getReference(Item, 1),
  new: async (em, Item) => em.create(Item, { id: 8 }),
  removed: async (em, Item) => {
    const item = await em.findOneOrFail(Item, 1);
    em.remove(item);

    return item;
  },
};

const ADD: Readonly<Record<string, (collection: any, item: object, own: object) => void>> = {
  alone: (collection, item) => collection.set([item]),
  'after an own one': (collection, item, own) => collection.set([own, item]),
  'before an own one': (collection, item, own) => collection.set([item, own]),
};

onDatabases('a collection that cascades nothing', database => {
  let orm: LibraryOrm;
  let untouched: unknown;

  const everything = (): Promise<unknown> =>
    database.query(
      NAMES.flatMap(name => [
        ...TABLES.map(
          table => `select '${name}.${table}' as at, id, ${table === 'house' ? 'town_id' : 'null::int'} as other from ${name}.${table}`,
        ),
        `select '${name}.road_towns', road_id, town_id from ${name}.road_towns`,
        `select '${name}.town_lines', town_id, line_id from ${name}.town_lines`,
      ]).join(' union all ') + ' order by 1, 2, 3',
    );

  before(async () => {
    orm = await openNoteOrm(database, Client, {}, { entities: [ClientSchema, Note, Town, Road, Line, House] as never });
    await orm.em.fork().persistAndFlush(NAMES.map(name => new Client({ schemaName: name, domainUrl: `${name}.example.com` })));

    for (const name of NAMES) {
      await database.query(`create table ${name}.town (id int primary key)`);
      await database.query(`create table ${name}.road (id int primary key)`);
      await database.query(`create table ${name}.line (id int primary key)`);
      await database.query(`create table ${name}.house (id int primary key, town_id int references ${name}.town)`);
      await database.query(`create table ${name}.road_towns (road_id int, town_id int, primary key (road_id, town_id))`);
      await database.query(`create table ${name}.town_lines (town_id int, line_id int, primary key (town_id, line_id))`);

      for (const table of TABLES) {
        await database.query(`insert into ${name}.${table} (id) values (1), (2)`);
      }
    }

    untouched = await everything();
  });

  for (const [collection, Item] of Object.entries(COLLECTIONS)) {
    for (const [owner, find] of Object.entries(OWNERS)) {
      for (const [kind, make] of Object.entries(ITEMS)) {
        for (const [how, add] of Object.entries(ADD)) {
          it(`law 2: stores nothing of another tenant: ${kind}, ${how}, in ${collection} of a town that is ${owner}`, async () => {
            const item = await runInTenant('bob', em => make(em, Item));

            await runInTenant('acme', async em => {
              const town = await find(em);
              const own = await em.findOneOrFail(Item, 2);
              await refusal(
                (async () => {
                  add(town[collection], item, own);
                  await em.persistAndFlush(town);
                })(),
                'CROSS_TENANT',
              );
            });
            expect(await everything()).to.deep.equal(untouched);
          });
        }
      }
    }
  }

  it('G4 stores what is the tenant’s own', async () => {
    for (const [collection, Item] of Object.entries(COLLECTIONS)) {
      await runInTenant('acme', async em => {
        const town = await em.findOneOrFail(Town, 2);
        town[collection].add(await em.findOneOrFail(Item, 1));
        await em.flush();
      });
    }

    expect(
      await database.query(
        'select count(*)::int as n from acme.road_towns natural join acme.town_lines where town_id = 2 and road_id = 1 and line_id = 1',
      ),
    ).to.deep.equal([{ n: 1 }]);
    expect(await database.query('select town_id from acme.house where id = 1')).to.deep.equal([{ town_id: 2 }]);
  });
});
