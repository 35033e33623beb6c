import { TenantMixin } from '@landlord/mikro-orm';
import { defineEntity, p, type EntitySchema } from '@mikro-orm/core';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';

class Client extends TenantMixin {}

const ClientSchema = defineEntity({ class: Client, extends: TenantMixin, properties: {} });
const id = p.integer().primary();
const Continent = defineEntity({ name: 'Continent', properties: { id } });
const Country: EntitySchema = defineEntity({
  name: 'Country',
  properties: {
    id,
    continent: () => p.manyToOne(Continent).nullable(),
    neighbour: () => p.manyToOne(Country).nullable(),
    flag: () => p.oneToOne(Flag).mappedBy('country').nullable(),
  },
} as never);
const Flag: EntitySchema = defineEntity({ name: 'Flag', properties: { id, country: () => p.oneToOne(Country) } } as never);
const Currency = defineEntity({ name: 'Currency', properties: { id } });
const Visit = defineEntity({ name: 'Visit', properties: { id, country: () => p.manyToOne(Country) } });
const Office = defineEntity({ name: 'Office', schema: '*', properties: { id, country: () => p.manyToOne(Country) } });
const Account = defineEntity({ name: 'Account', schema: '*', properties: { id, currency: () => p.oneToOne(Currency) } });

onDatabases('truncating shared tables', database => {
  let orm: LibraryOrm;

  before(async () => {
    const entities = [ClientSchema, Note, Continent, Country, Flag, Currency, Visit, Office, Account];
    orm = await openNoteOrm(database, Client, {}, { entities: entities as never });
  });

  for (const [title, entity, referring] of [
    ['by way of other shared tables, some of them in a circle', Continent, 'Office'],
    ['at once', Country, 'Office'],
    ['by a 1:1', Currency, 'Account'],
  ] as const) {
    it(`law 2: one that a tenant’s refers to ${title} is refused before any SQL`, async () => {
      database.statements.length = 0;
      const truncating = orm.em
        .fork()
        .qb(entity as never)
        .truncate();
      const error = await refusal(async () => truncating.execute());

      expect(error.code).to.equal('SHARED_TABLE_IN_USE');
      expect(error.message).to.include(referring);
      expect(database.statements).to.deep.equal([]);
    });
  }

  for (const [title, entity] of [
    ['refers to what tenants refer to', Visit],
    ['has the foreign key of a 1:1', Flag],
  ] as const) {
    it(`S6 one that ${title}, and that no tenant’s refers to, is emptied`, async () => {
      await database.query('insert into country (id) values (1)');
      await database.query('insert into visit (id, country_id) values (1, 1)');
      await database.query('insert into flag (id, country_id) values (1, 1)');
      const em = orm.em.fork();
      await em
        .qb(entity as never)
        .truncate()
        .execute();

      expect(await em.count(entity as never)).to.equal(0);
      expect(await em.count(Country)).to.equal(1);
      await database.query('truncate country cascade');
    });
  }
});
