import { TenantMixin, tenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openNoteOrm } from '../support/orm/note-orm.ts';

class Town extends TenantMixin {
  declare kind: string;
}
const TownSchema = defineEntity({
  class: Town,
  extends: TenantMixin,
  discriminatorColumn: 'kind',
  discriminatorValue: 'town',
  properties: { id: p.integer().primary(), kind: p.string().$type<string>() },
});

class City extends Town {}
const CitySchema = defineEntity({ class: City, extends: Town, discriminatorValue: 'city', properties: {} });

onDatabases('a class of tenants that is discovered late', database => {
  let orm: LibraryOrm;

  const schemas = async (): Promise<string[]> =>
    (await database.query<{ name: string }>(`select nspname as name from pg_namespace where nspname like 'late%' order by 1`)).map(
      ({ name }) => name,
    );

  before(async () => {
    orm = await openNoteOrm(database, Town);
    // MikroORM takes a class of an inheritance tree together with its root alone
    orm.discoverEntity([TownSchema, CitySchema], Town);
  });

  it('T1 has schemas for its tenants, and one for each, by every event manager', async () => {
    await orm.em.fork().persistAndFlush(new City({ schemaName: 'late_a', domainUrl: 'a.example.com' }));
    await orm.em.fork({ cloneEventManager: true }).persistAndFlush(new City({ schemaName: 'late_b', domainUrl: 'b.example.com' }));
    await orm.em.fork({ freshEventManager: true }).persistAndFlush(new City({ schemaName: 'late_c', domainUrl: 'c.example.com' }));
    await orm.em.fork().persistAndFlush(new Town({ schemaName: 'late_d', domainUrl: 'd.example.com' }));
    expect(await schemas()).to.deep.equal(['late_a', 'late_b', 'late_c', 'late_d']);
  });

  it('T17 has its schemas renamed with the tenants', async () => {
    const em = orm.em.fork();
    const city = await em.findOneOrFail(City, { schemaName: 'late_a' });
    city.schemaName = 'late_z';
    await em.flush();
    expect(await schemas())
      .to.include('late_z')
      .and.not.include('late_a');
    await tenants(orm).drop('late_z');
    expect(await schemas()).to.not.include('late_z');
  });
});
