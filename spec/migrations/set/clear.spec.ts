import { tenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { refusal } from '../../support/assertions/refusal.ts';
import { onDatabases, type SpecDatabase } from '../../support/databases/database.ts';
import { ownDatabase } from '../../support/databases/own-database.ts';
import { migrationsFolder, newClient, openEvolving, type Entities } from '../../support/orm/evolving-orm.ts';
import { openPlainOrm, type SpecOrm } from '../../support/orm/open-orm.ts';

onDatabases('clearing the shared tables', database => {
  let orm: SpecOrm;
  const twins: { readonly of: Twin; readonly on: Queried }[] = [];

  before(async () => {
    const folder = await migrationsFolder();
    const wrapped = entities();
    database.atEnd(() => folder.remove());
    const plain = await ownDatabase(database, 'clear without tenants');
    orm = await openEvolving(database, folder.path, [...wrapped.shared, ...wrapped.ofTenants]);
    const stock = await openPlainOrm({ ...plain, atEnd: close => database.atEnd(close) }, { entities: entities().shared });
    await orm.migrator.create();
    await orm.migrator.up();
    await tenants(orm).createMigration();
    await stock.schema.create();
    twins.push({ of: orm, on: database }, { of: stock, on: plain });
  });

  it('M23 empties tables in a circle of foreign keys and restarts identities, as MikroORM does without tenants', async () => {
    const seen: unknown[] = [];

    for (const { of, on } of twins) {
      await fill(on);
      await of.schema.clear();
      const emptied = await rowsOf(on);
      // those of a schema of their own are left by a call without a schema
      await fill(on, { archive: false });
      const again = await rowsOf(on);
      await of.schema.clear({ schema: 'archive' });
      const archiveEmptied = await rowsOf(on);
      await of.schema.clear();
      seen.push({ emptied, again, archiveEmptied });
    }

    expect(seen[0]).to.deep.equal(seen[1]);
    expect(seen[0]).to.have.nested.property('emptied.town').that.deep.equals([]);
    expect(seen[0])
      .to.have.nested.property('again.town')
      .that.deep.equals([{ id: 1, mayor_id: 1 }]);
    expect(seen[0])
      .to.have.nested.property('again.old')
      .that.deep.equals([{ id: 1 }]);
    expect(seen[0]).to.have.nested.property('archiveEmptied.old').that.deep.equals([]);
  });

  it('M23 leaves tenants’ rows and identities, is refused where they refer to a shared row, and then leaves all as it was', async () => {
    await orm.em.fork().persistAndFlush([newClient('acme'), newClient('bob')]);
    await fill(database);

    for (const name of ['acme', 'bob']) {
      await database.query(`insert into ${name}.note (town_id) values (null)`);
    }

    await database.query(`insert into bob.note (town_id) values (1)`);
    const before = await rowsOf(database);
    const refused = await refusal(() => orm.schema.clear(), 'SHARED_ROW_IN_USE');
    expect(refused).to.include({ schemaName: 'bob', table: 'note' });
    expect(refused.message).to.contain('shared entity Town');
    expect(await rowsOf(database)).to.deep.equal(before);

    await database.query('delete from bob.note where town_id is not null');
    await orm.schema.clear();
    await database.query(`insert into acme.note (town_id) values (null)`);
    expect(await database.query('select id from acme.note order by id')).to.deep.equal([{ id: 1 }, { id: 2 }]);
    expect(await database.query('select id from bob.note')).to.deep.equal([{ id: 1 }]);
    expect((await rowsOf(database)).town).to.deep.equal([]);
  });

  it('M23 is part of the transaction that it is called in', async () => {
    await fill(database);
    const before = await rowsOf(database);
    const stop = new Error('stop');

    try {
      await orm.em.transactional(async em => {
        await orm.schema.clear();
        expect(await em.execute('select id from town')).to.deep.equal([]);
        throw stop;
      });
    } catch (error) {
      expect(error).to.equal(stop);
    }

    expect(await rowsOf(database)).to.deep.equal(before);
  });
});

type Queried = Pick<SpecDatabase, 'query'>;

/** Of both kinds of ORM, as it is used here. */
interface Twin {
  readonly schema: { clear(options?: { schema?: string }): Promise<void> };
}

async function fill(on: Queried, { archive = true } = {}): Promise<void> {
  await on.query('insert into person (town_id) values (null)');
  await on.query('insert into town (mayor_id) select max(id) from person');
  await on.query('update person set town_id = (select max(id) from town)');
  await on.query('insert into person_friends (person_1_id, person_2_id) select id, id from person on conflict do nothing');

  if (archive) {
    await on.query('insert into archive.old default values');
  }
}

async function rowsOf(on: Queried): Promise<Record<string, unknown[]>> {
  return {
    town: await on.query('select id, mayor_id from town order by id'),
    person: await on.query('select id, town_id from person order by id'),
    friends: await on.query('select * from person_friends order by 1'),
    old: await on.query('select id from archive.old order by id'),
  };
}

/** A circle, a pivot table, and a schema of its own. */
function entities(): { readonly shared: Entities; readonly ofTenants: Entities } {
  const id = p.integer().primary();
  const Person = defineEntity({
    name: 'Person',
    properties: { id, town: () => p.manyToOne(Town).nullable(), friends: () => p.manyToMany(Person) },
  });
  const Town = defineEntity({ name: 'Town', properties: { id, mayor: () => p.manyToOne(Person) } });
  const Old = defineEntity({ name: 'Old', schema: 'archive', properties: { id } });
  const Note = defineEntity({
    name: 'Note',
    schema: '*',
    properties: { id, town: () => p.manyToOne(Town).nullable().deleteRule('no action') },
  });

  return { shared: [Person, Town, Old], ofTenants: [Note] };
}
