import { runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { ref, type EntityClass } from '@mikro-orm/core';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { everyRow, Imprint, openWriters, Volume, Writer } from '../support/orm/writers.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';

/** What MikroORM takes as data beside an object literal. */
const FORMS: Readonly<Record<string, (data: object) => object>> = {
  'an instance of a class': data => Object.assign(new (class Dto {})(), data),
  'an object of a base without a prototype': data => Object.setPrototypeOf({ ...data }, Object.create(null) as object) as object,
  'an object with an own constructor': data => ({ constructor: Array, ...data }),
  'an object that inherits it': data => Object.create(data) as object,
};

const WRITES: Readonly<Record<string, (em: TenantEntityManager, data: any) => unknown>> = {
  'em.insert()': (em, data) => em.insert(Volume, data),
  'em.insertMany()': (em, data) => em.insertMany(Volume, [data]),
  'em.upsert()': (em, data) => em.upsert(Volume, data),
  'em.upsertMany()': (em, data) => em.upsertMany(Volume, [data]),
  'em.nativeUpdate()': (em, data) => em.nativeUpdate(Volume, { id: 2 }, data),
  'em.qb().insert()': (em, data) =>
    em
      .qb(Volume as EntityClass<any>)
      .insert(data)
      .execute(),
  'em.qb().insert() of several': (em, data) =>
    em
      .qb(Volume as EntityClass<any>)
      .insert([data])
      .execute(),
  'em.qb().update()': (em, data) =>
    em
      .qb(Volume as EntityClass<any>)
      .update(data)
      .where({ id: 2 })
      .execute(),
};

onDatabases('data that is no object literal', database => {
  let orm: SpecOrm;
  let theirs: Writer;

  before(async () => {
    orm = await openWriters(database);
    theirs = await runInTenant('bob', em => em.findOneOrFail(Writer, 2), { orm });
  });

  for (const [name, write] of Object.entries(WRITES)) {
    it(`law 2: another tenant’s entity in it is not written by ${name}`, async () => {
      const untouched = await everyRow(database);

      for (const [form, make] of Object.entries(FORMS)) {
        for (const writer of [theirs, ref(theirs)]) {
          const data = make({ id: 9, title: 'new', writer });
          await runInTenant('acme', em => refusal(async () => write(em, data), 'CROSS_TENANT', form), { orm });
        }
      }

      expect(await everyRow(database)).to.deep.equal(untouched);
    });

    it(`law 2: another tenant’s entity in an embeddable is not written by ${name}`, async () => {
      const untouched = await everyRow(database);
      const imprint = Object.assign(new Imprint(), { city: 'x', editor: theirs });

      for (const make of [(data: object) => data, ...Object.values(FORMS)]) {
        const data = make({ id: 9, title: 'new', writer: 1, imprint });
        await runInTenant('acme', em => refusal(async () => write(em, data), 'CROSS_TENANT'), { orm });
      }

      expect(await everyRow(database)).to.deep.equal(untouched);
    });
  }

  it('law 2: another tenant’s entity in it is not written where the same object is a value before', async () => {
    const untouched = await everyRow(database);
    const data = Object.assign(new (class Dto {})(), { id: 9, title: 'new', writer: theirs });
    const rows = [{ id: 8, title: data, writer: 1 }, data];
    await runInTenant('acme', em => refusal(em.insertMany(Volume, rows as never), 'CROSS_TENANT'), { orm });
    expect(await everyRow(database)).to.deep.equal(untouched);
  });

  it('law 2: the own entity in an instance of a class is written', async () => {
    await runInTenant(
      'acme',
      async em => {
        const writer = await em.findOneOrFail(Writer, 1);
        await em.nativeUpdate(Volume, { id: 2 }, Object.assign(new (class Dto {})(), { writer }));
        expect((await em.fork().findOneOrFail(Volume, 2)).writer.id).to.equal(1);
      },
      { orm },
    );
  });
});
