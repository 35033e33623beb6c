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

const ALL_FORMS = [['an object literal', (data: object) => data], ...Object.entries(FORMS)] as const;

/** Where there may be an entity below the data for a row: in an embedded property, in a list of such, and in JSON. */
function placesOf(editor: Writer): (readonly [place: string, data: object])[] {
  return [['an instance of the embeddable', (data: object) => Object.assign(new Imprint(), data)] as const, ...ALL_FORMS].flatMap(
    ([form, make]) =>
      [
        [`${form}, embedded`, { imprint: make({ city: 'x', editor }) }],
        [`${form}, with a reference, embedded`, { imprint: make({ city: 'x', editor: ref(editor) }) }],
        [`${form} in a list`, { notes: [make({ city: 'x', editor })] }],
        [`${form} in JSON`, { extra: make({ editor }) }],
        [`${form} deep in JSON`, { extra: { of: [make({ of: make({ editor }) })] } }],
      ] as const,
  );
}

const READS: Readonly<Record<string, (em: TenantEntityManager, imprint: any) => unknown>> = {
  'em.find()': (em, imprint) => em.find(Volume, { imprint }),
  'em.find() by a relation': (em, imprint) => em.find(Writer, { volumes: { imprint } }),
  'em.find() with an operator': (em, imprint) => em.find(Volume, { $and: [{ title: 'x' }, { $not: { imprint } }] }),
  '`populateWhere`': (em, imprint) => em.find(Writer, {}, { populate: ['volumes'], populateWhere: { volumes: { imprint } } }),
  'em.count()': (em, imprint) => em.count(Volume, { imprint }),
  'em.nativeDelete()': (em, imprint) => em.nativeDelete(Volume, { imprint }),
  'em.qb().where()': (em, imprint) =>
    em
      .qb(Volume as EntityClass<any>, 'v')
      .where({ imprint })
      .getCount(),
  'em.qb().where() with an alias': (em, imprint) =>
    em
      .qb(Volume as EntityClass<any>, 'v')
      .where({ 'v.imprint': imprint })
      .getCount(),
  'a condition of a collection': async (em, imprint) => (await em.findOneOrFail(Writer, 1)).volumes.matching({ where: { imprint } }),
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

    it(`law 2: another tenant’s entity below another object is not written by ${name}`, async () => {
      const untouched = await everyRow(database);

      for (const [outer, make] of ALL_FORMS) {
        for (const [place, below] of placesOf(theirs)) {
          const data = make({ id: 9, title: 'new', writer: 1, ...below });
          await runInTenant('acme', em => refusal(async () => write(em, data), 'CROSS_TENANT', `${place} of ${outer}`), { orm });
        }
      }

      expect(await everyRow(database)).to.deep.equal(untouched);
    });
  }

  for (const [name, read] of Object.entries(READS)) {
    it(`law 2: no row is looked for by another tenant’s entity below it by ${name}`, async () => {
      const untouched = await everyRow(database);

      for (const [form, make] of ALL_FORMS) {
        await runInTenant('acme', em => refusal(async () => read(em, make({ editor: theirs })), 'CROSS_TENANT', form), { orm });
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

  it('law 2: what an object leads to that is no data is not looked into', async () => {
    const service = Object.assign(new (class Service {})(), { latest: theirs });
    await runInTenant(
      'acme',
      async em => {
        em.addFilter({ name: 'served', entity: Volume, cond: (args: any) => ({ id: args.service === service ? 1 : 2 }), args: true });
        em.setFilterParams('served', { service });
        expect(await em.count(Volume)).to.equal(1);
      },
      { orm },
    );
  });

  it('law 2: the own entity in an instance of a class is written', async () => {
    await runInTenant(
      'acme',
      async em => {
        const writer = await em.findOneOrFail(Writer, 1);
        const dto = (data: object): object => Object.assign(new (class Dto {})(), data);
        await em.nativeUpdate(Volume, { id: 2 }, dto({ writer, imprint: dto({ city: 'x', editor: writer }) }));
        const volume = await em.fork().findOneOrFail(Volume, 2);
        expect([volume.writer.id, volume.imprint?.editor?.id]).to.deep.equal([1, 1]);
      },
      { orm },
    );
  });
});
