import { runInPublic, runInTenant, TenantMixin, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity, p, type EntitySchema } from '@mikro-orm/core';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';
import { openNoteOrm } from '../support/orm/note-orm.ts';

class Client extends TenantMixin {}

const ClientSchema = defineEntity({ class: Client, extends: TenantMixin, properties: {} });
const Star: EntitySchema<any> = defineEntity({
  name: 'Star',
  schema: '*',
  properties: { id: p.integer().primary(), name: p.string() },
});
// both hold the key alone
const Fan: EntitySchema<any> = defineEntity({
  name: 'Fan',
  schema: '*',
  properties: { id: p.integer().primary(), name: p.string(), star: () => p.manyToOne(Star).mapToPk().nullable() },
});
const Oscar: EntitySchema<any> = defineEntity({
  name: 'Oscar',
  schema: '*',
  properties: { star: () => p.manyToOne(Star).mapToPk().primary(), year: p.integer().primary(), name: p.string() },
});

const ENTITIES = [Star, Fan, Oscar];

onDatabases('an entity that is removed, and has the key that others refer to', database => {
  let orm: SpecOrm;

  before(async () => {
    orm = await openNoteOrm(database, Client, {}, { entities: [ClientSchema, ...ENTITIES] });
    const names = ['acme', 'bob'];
    await orm.em.fork().persistAndFlush(names.map(name => new Client({ schemaName: name, domainUrl: `${name}.example.com` })));

    for (const name of names) {
      await database.query(`create table ${name}.star (id int primary key, name text)`);
      await database.query(`create table ${name}.fan (id int primary key, name text, star_id int)`);
      await database.query(`create table ${name}.oscar (star_id int, year int, name text, primary key (star_id, year))`);
    }
  });

  beforeEach(async () => {
    for (const name of ['acme', 'bob']) {
      await database.query(`truncate ${name}.star, ${name}.fan, ${name}.oscar`);
      await database.query(`insert into ${name}.star values (1, '${name} star'), (2, '${name} star')`);
      await database.query(`insert into ${name}.fan values (1, '${name} fan', 1)`);
      await database.query(`insert into ${name}.oscar values (1, 1999, '${name} oscar')`);
    }
  });

  const rowsOf = async (name: string): Promise<unknown> => ({
    stars: (await database.query(`select id from ${name}.star order by id`)).map(({ id }) => id as number),
    fans: await database.query(`select name, star_id from ${name}.fan`),
    oscars: await database.query(`select name, star_id from ${name}.oscar`),
  });

  const untouched = (name: string): unknown => ({
    stars: [1, 2],
    fans: [{ name: `${name} fan`, star_id: 1 }],
    oscars: [{ name: `${name} oscar`, star_id: 1 }],
  });

  /** What Acme has once its fan and its Oscar are written after Bob's star was removed. */
  const written = {
    stars: [1, 2],
    fans: [{ name: 'of acme still', star_id: 1 }],
    oscars: [{ name: 'of acme still', star_id: 1 }],
  };

  const removeStar = async (em: TenantEntityManager): Promise<void> => em.removeAndFlush(await em.findOneOrFail(Star, 1));

  it('S8 S11 leaves another tenant’s entities what they are, in whose transaction it is removed', async () => {
    await runInTenant('acme', async em => {
      const [fan, oscar] = [await em.findOneOrFail(Fan, 1), await em.findOneOrFail(Oscar, [1, 1999])];
      await em.transactional(() => runInTenant('bob', removeStar));

      expect(fan.star).to.equal(1);
      fan.name = 'of acme still';
      oscar.name = 'of acme still';
      await em.flush();
    });

    expect(await rowsOf('acme')).to.deep.equal(written);
    expect(await rowsOf('bob')).to.deep.equal({ ...(untouched('bob') as object), stars: [2] });
  });

  it('G4 is removed in a transaction of the public scope, and by an EntityManager of no tenant that has both', async () => {
    await runInPublic(em => em.transactional(() => runInTenant('bob', removeStar)));
    expect(await rowsOf('bob')).to.deep.equal({ ...(untouched('bob') as object), stars: [2] });

    const em = orm.em.fork();
    const star = await em.findOneOrFail(Star, 1, { schema: 'acme' });
    const fan = await em.findOneOrFail(Fan, 1, { schema: 'acme' });
    await em.removeAndFlush(star);
    expect(fan.star).to.equal(undefined);
    expect(await rowsOf('acme')).to.deep.equal({ ...(untouched('acme') as object), stars: [2] });
  });

  it('S8 leaves what one EntityManager has of another tenant outside of scopes', async () => {
    const em = orm.em.fork({ schema: 'bob' });
    const fan = await em.findOneOrFail(Fan, 1, { schema: 'acme' });
    const oscar = await em.findOneOrFail(Oscar, [1, 1999], { schema: 'acme' });
    await removeStar(em);

    expect(fan.star).to.equal(1);
    expect(em.getUnitOfWork().getIdentityMap().getByEntity(oscar)).to.equal(oscar);
    expect(await rowsOf('bob')).to.deep.equal({ ...(untouched('bob') as object), stars: [2] });
  });

  it('S8 leaves what one EntityManager of no tenant has of another one', async () => {
    const em = orm.em.fork();
    const star = await em.findOneOrFail(Star, 1, { schema: 'bob' });
    const fan = await em.findOneOrFail(Fan, 1, { schema: 'acme' });
    const oscar = await em.findOneOrFail(Oscar, [1, 1999], { schema: 'acme' });
    await em.removeAndFlush(star);
    fan.name = 'of acme still';
    oscar.name = 'of acme still';
    await em.flush();
    expect(await rowsOf('acme')).to.deep.equal(written);
  });
});
