import { runInTenant, TenantMixin, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity, p, ref, type EntitySchema } from '@mikro-orm/core';
import { expect } from 'chai';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';

class Client extends TenantMixin {}

const ClientSchema = defineEntity({ class: Client, extends: TenantMixin, properties: {} });
const named = { id: p.integer().primary(), name: p.string() };
const Country: EntitySchema<any> = defineEntity({
  name: 'Country',
  properties: { ...named, cities: () => p.oneToMany(City).mappedBy('country') },
} as never);
const City: EntitySchema<any> = defineEntity({
  name: 'City',
  schema: '*',
  properties: {
    ...named,
    country: () => p.manyToOne(Country).ref(),
    twin: () => p.manyToOne(City).ref().nullable(),
    suburbs: () => p.oneToMany(City).mappedBy('centre'),
    centre: () => p.manyToOne(City).nullable(),
    visited: () => p.manyToMany(City).pivotTable('city_visited'),
  },
} as never);

/** What is loaded by a dataloader, with options of the caller. */
const LOADS: Readonly<Record<string, (em: TenantEntityManager, options: object) => Promise<unknown>>> = {
  'a collection': async (em, options) => (await city(em)).suburbs.loadItems(options),
  'a collection of a shared entity': async (em, options) => (await em.findOneOrFail(Country, 1)).cities.loadItems(options),
  'a many-to-many collection': async (em, options) => (await city(em)).visited.loadItems(options),
  'a count': async (em, options) => (await city(em)).suburbs.loadCount(options),
  'a count of a shared entity': async (em, options) => (await em.findOneOrFail(Country, 1)).cities.loadCount(options),
  'a many-to-many count': async (em, options) => (await city(em)).visited.loadCount(options),
  'a reference': async (em, options) => (await city(em)).twin.load(options),
};

/** Where the condition has it. */
const CONDITIONS: Readonly<Record<string, (value: unknown) => object>> = {
  'a relation': value => ({ twin: value }),
  'a list': value => ({ twin: { $in: [value] } }),
  'an operator': value => ({ $or: [{ name: 'x' }, { $not: { twin: value } }] }),
  'a relation of a relation': value => ({ centre: { twin: value } }),
};

onDatabases('the condition of a dataloader', database => {
  let orm: SpecOrm;

  before(async () => {
    orm = await openNoteOrm(database, Client, {}, { entities: [ClientSchema, Note, Country, City] as never });
    const names = ['acme', 'bob'];
    await orm.em.fork().persistAndFlush(names.map(name => new Client({ schemaName: name, domainUrl: `${name}.example.com` })));
    await database.query(`insert into country values (1, 'x')`);

    for (const name of names) {
      await database.query(
        `create table ${name}.city (id int primary key, name text, country_id int references country, twin_id int, centre_id int)`,
      );
      await database.query(`create table ${name}.city_visited (city_1_id int, city_2_id int, primary key (city_1_id, city_2_id))`);
      await database.query(`insert into ${name}.city values (1, '${name} 1', 1, 2, null), (2, '${name} 2', 1, 2, 1)`);
      await database.query(`insert into ${name}.city_visited values (1, 2)`);
    }
  });

  for (const [name, load] of Object.entries(LOADS)) {
    it(`law 2: holds no entity of another tenant: ${name}`, async () => {
      const theirs = await runInTenant('bob', em => em.findOneOrFail(City, 2), { orm });

      for (const [place, where] of Object.entries(CONDITIONS)) {
        for (const value of [theirs, ref(theirs)]) {
          await runInTenant(
            'acme',
            async em => {
              database.statements.length = 0;
              await refusal(load(em, { dataloader: true, where: where(value) }), 'CROSS_TENANT', place);
              // of the owner, and nothing by what the other's entity holds
              expect(database.statements.join()).not.to.contain('bob');
            },
            { orm },
          );
        }
      }
    });

    it(`law 2: holds no query of another tenant: ${name}`, async () => {
      const theirs = await runInTenant('bob', em => em.createQueryBuilder(City, 'c').select('c.id').getNativeQuery(), { orm });
      await runInTenant('acme', em => refusal(load(em, { dataloader: true, where: { twin: { $in: theirs } } }), 'CROSS_TENANT'), { orm });
    });
  }

  it('G4 with values, it answers as MikroORM does without a dataloader', async () => {
    await runInTenant(
      'acme',
      async em => {
        for (const dataloader of [true, false]) {
          const options = { dataloader, where: { twin: 2 }, refresh: true };
          expect(await names(LOADS['a collection']!(em, options))).to.deep.equal(['acme 2']);
          expect(await names(LOADS['a collection of a shared entity']!(em, options))).to.deep.equal(['acme 1', 'acme 2']);
          expect(await LOADS['a count']!(em, options)).to.equal(1);
        }
      },
      { orm },
    );
  });

  async function names(loading: Promise<unknown>): Promise<string[]> {
    return ((await loading) as { name: string }[]).map(({ name }) => name).sort();
  }
});

async function city(em: TenantEntityManager): Promise<any> {
  return em.findOneOrFail(City, 1);
}
