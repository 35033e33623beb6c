import { runInPublic, runInTenant, TenantMixin } from '@landlord/mikro-orm';
import { defineEntity, helper, p, type EntitySchema } from '@mikro-orm/core';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';

class Client extends TenantMixin {}

const ClientSchema = defineEntity({ class: Client, extends: TenantMixin, properties: {} });
const id = p.integer().primary();
// the inverse side is not `lazy()`, so MikroORM alone would read the other table with each country
const Country: EntitySchema<any> = defineEntity({
  name: 'Country',
  properties: { id, anthem: () => p.oneToOne(Anthem).mappedBy('country').nullable() },
} as never);
const Anthem: EntitySchema<any> = defineEntity({
  name: 'Anthem',
  schema: '*',
  properties: { id, country: () => p.oneToOne(Country), title: p.string() },
} as never);

onDatabases('the inverse side of a 1:1 on a shared entity', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openNoteOrm(database, Client, {}, { entities: [ClientSchema, Note, Country, Anthem] as never });
    const names = ['acme', 'bob'];
    await orm.em.fork().persistAndFlush(names.map(name => new Client({ schemaName: name, domainUrl: `${name}.example.com` })));
    await database.query('insert into country (id) values (1)');

    for (const name of names) {
      await database.query(`create table ${name}.anthem (id int primary key, country_id int references country, title text)`);
      await database.query(`insert into ${name}.anthem values (1, 1, 'of ${name}')`);
    }
  });

  it('S6, R1 is not read with the entity, which is found without a tenant', async () => {
    for (const find of [() => orm.em.fork().find(Country, {}), () => runInPublic(em => em.find(Country, {}))]) {
      database.statements.length = 0;

      expect(await find()).to.have.length(1);
      expect(database.statements.join()).not.to.include('anthem');
    }
  });

  it('S6, R1 is each tenant’s own where it is populated', async () => {
    for (const name of ['acme', 'bob']) {
      const [country] = await runInTenant(name, em => em.find(Country, {}, { populate: ['anthem'] as never }));

      expect(country.anthem.title).to.equal(`of ${name}`);
    }
  });

  it('S6, R1 is each tenant’s own where the entity is filled again', async () => {
    for (const name of ['acme', 'bob']) {
      await runInTenant(name, async em => {
        const country = await em.findOneOrFail(Country, 1);
        await em.refresh(country, { populate: ['anthem'] as never });
        expect(helper(country.anthem).__schema, 'read anew').to.equal(name);
        em.clear();

        const assigned = await em.findOneOrFail(Country, 1);
        em.assign(assigned, { anthem: 1 } as never);
        expect(helper(assigned.anthem).__schema, 'assigned').to.equal(name);
        em.clear();

        const merged = em.merge(Country, { id: 1, anthem: 1 } as never, { refresh: true });
        expect(helper(merged.anthem).__schema, 'merged').to.equal(name);
        await em.populate(merged, ['anthem'] as never);
        expect(merged.anthem.title).to.equal(`of ${name}`);
      });
    }
  });
});
