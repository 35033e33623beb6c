import { runInTenant, TenantMixin } from '@landlord/mikro-orm';
import { defineEntity, helper, p, wrap } from '@mikro-orm/core';
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/es';
import { expect } from 'chai';
import { failureOf } from '../support/assertions/failure.ts';
import { onDatabases } from '../support/databases/database.ts';
import { openOrm, type SpecOrm } from '../support/orm/open-orm.ts';

const [OF_PUBLIC, OF_ARCHIVE] = ['public', 'archive'] as const;

// each way is tried on every entity, whose types differ
type Em = any;
type Options = { readonly schema: string };

/** Every way to name a schema for an entity. None of them may read or write another schema than the named one. */
const WAYS: Readonly<Record<string, (em: Em, entity: any, options: Options) => unknown>> = {
  find: (em, entity, options) => em.find(entity, {}, options),
  findAll: (em, entity, options) => em.findAll(entity, options),
  findOne: (em, entity, options) => em.findOne(entity, 1, options),
  findOneOrFail: (em, entity, options) => em.findOneOrFail(entity, { id: 1 }, options),
  'findOne of what is loaded': async (em, entity, options) => {
    await em.find(entity, {});
    await em.findOne(entity, 1, options);
  },
  findAndCount: (em, entity, options) => em.findAndCount(entity, {}, options),
  findByCursor: (em, entity, options) => em.findByCursor(entity, { first: 1, orderBy: { id: 'asc' }, ...options }),
  count: (em, entity, options) => em.count(entity, {}, options),
  countBy: (em, entity, options) => em.countBy(entity, 'name', options),
  stream: async (em, entity, options) => {
    for await (const each of em.stream(entity, options)) {
      expect(each).to.equal(undefined);
    }
  },
  repository: (em, entity, options) => em.getRepository(entity).findAll(options),
  create: async (em, entity, options) => {
    em.create(entity, { name: 'written' }, { ...options, persist: true });
    await em.flush();
  },
  'create and setSchema': async (em, entity, { schema }) => {
    wrap(em.create(entity, { name: 'written' })).setSchema(schema);
    await em.flush();
  },
  'setSchema of what is loaded': async (em, entity, { schema }) => {
    const found: any = await em.findOneOrFail(entity, 1);
    helper(found).setSchema(schema);
    found.name = 'written';
    await em.flush();
  },
  'setSchema and remove': async (em, entity, { schema }) => {
    const found: any = await em.findOneOrFail(entity, 1);
    helper(found).setSchema(schema);
    await em.remove(found).flush();
  },
  insert: (em, entity, options) => em.insert(entity, { name: 'written' }, options),
  insertMany: (em, entity, options) => em.insertMany(entity, [{ name: 'written' }], options),
  upsert: (em, entity, options) => em.upsert(entity, { id: 1, name: 'written' }, options),
  upsertMany: (em, entity, options) => em.upsertMany(entity, [{ id: 1, name: 'written' }], options),
  nativeUpdate: (em, entity, options) => em.nativeUpdate(entity, { id: 1 }, { name: 'written' }, options),
  nativeDelete: (em, entity, options) => em.nativeDelete(entity, { id: 1 }, options),
  merge: async (em, entity, options) => {
    const merged: any = em.merge(entity, { id: 1, name: 'former' }, options);
    merged.name = 'written';
    await em.flush();
  },
  map: async (em, entity, options) => {
    const mapped: any = em.map(entity, { id: 1, name: 'former' }, options);
    mapped.name = 'written';
    await em.flush();
  },
  refresh: async (em, entity, options) => em.refresh((await em.findOneOrFail(entity, 1)) as object, options),
  clone: async (em, entity, options) => em.clone((await em.findOneOrFail(entity, 1)) as object, { id: 2 }, options),
  'query builder, select': (em, entity, { schema }) => em.qb(entity).withSchema(schema).execute(),
  'query builder, getResultList': (em, entity, { schema }) => em.qb(entity).withSchema(schema).getResultList(),
  'query builder, count': (em, entity, { schema }) => em.qb(entity).withSchema(schema).getCount(),
  'query builder, stream': async (em, entity, { schema }) => {
    for await (const each of em.qb(entity).withSchema(schema).stream()) {
      expect(each).to.equal(undefined);
    }
  },
  'query builder, insert': (em, entity, { schema }) => em.qb(entity).withSchema(schema).insert({ name: 'written' }).execute(),
  'query builder, update': (em, entity, { schema }) => em.qb(entity).withSchema(schema).update({ name: 'written' }).execute(),
  'query builder, delete': (em, entity, { schema }) => em.qb(entity).withSchema(schema).delete().execute(),
  'query builder, truncate': (em, entity, { schema }) => em.qb(entity).withSchema(schema).truncate().execute(),
  'query builder, clone': (em, entity, { schema }) => em.qb(entity).withSchema(schema).clone().update({ name: 'written' }).execute(),
  'getReference, changed': async (em, entity, options) => {
    const reference: any = em.getReference(entity, 1, options);
    reference.name = 'written';
    await em.flush();
  },
  'getReference, loaded': async (em, entity, options) => wrap(em.getReference(entity, 1, options) as object).init(),
  'getReference, removed': async (em, entity, options) => em.remove(em.getReference(entity, 1, options)).flush(),
  fork: async (em, entity, { schema }) => {
    const fork = em.fork({ schema });
    fork.create(entity, { name: 'written' });
    await fork.flush();
  },
};

onDatabases('a schema that is named for a shared entity', database => {
  let orm: SpecOrm;
  const { Client, Plan, Old, Older, Note } = entities();

  before(async () => {
    orm = await openOrm(
      database,
      { tenant: Client.class, migrations: { migrationsList: [] } },
      { entities: [Client.schema, Plan, Old, Older, Note] },
    );
    await orm.schema.create();
    await orm.em.fork().persistAndFlush(Object.assign(new Client.class(), { schemaName: 'acme', domainUrl: 'acme.example.com' }));
  });

  beforeEach(async () => {
    await database.query('truncate public.plan, archive.old, archive.older restart identity');
    await database.query(`insert into public.plan (name) values ('former')`);
    await database.query(`insert into archive.old (name) values ('former')`);
  });

  // what may be a tenant's name says to whom relations lead
  const MAY_NAME_TENANT: Readonly<Record<string, readonly string[]>> = {
    'outside of scopes': [
      'fork',
      ...Object.keys(WAYS).slice(0, Object.keys(WAYS).indexOf('create')),
      'refresh',
      ...Object.keys(WAYS).filter(way => way.startsWith('getReference')),
    ],
    "in a tenant's scope": ['fork'],
  };

  const scopes: Readonly<Record<string, (fn: (em: Em) => Promise<void>) => Promise<void>>> = {
    'outside of scopes': fn => fn(orm.em.fork()),
    "in a tenant's scope": fn => runInTenant('acme', em => fn(em)),
  };

  for (const [where, run] of Object.entries(scopes)) {
    it(`S19 ${where}: another schema is refused in every way to name one, and nothing is written`, async () => {
      for (const [way, act] of Object.entries(WAYS)) {
        for (const schema of [OF_ARCHIVE, 'nowhere', 'other']) {
          if (schema !== OF_ARCHIVE && MAY_NAME_TENANT[where]?.includes(way) === true) {
            continue;
          }

          await run(async em => {
            const error: any = await failureOf((async () => act(em, Plan, { schema }))());
            expect(error.code, `${way} ${schema}: ${error}`).to.be.oneOf(['SHARED_SCHEMA', 'CROSS_TENANT', 'SCHEMA_NAME_RESERVED']);
          });
        }

        expect(await database.query('select id, name from public.plan order by id'), way).to.deep.equal([{ id: 1, name: 'former' }]);
      }
    });

    it(`S19 ${where}: the schema of the entity may be named, and is the one that is used`, async () => {
      await run(async em => {
        await em.insert(Plan, { name: 'second' }, { schema: OF_PUBLIC });
        await em.insert(Old, { name: 'second' }, { schema: OF_ARCHIVE });
        expect(await em.count(Plan, {}, { schema: OF_PUBLIC })).to.equal(2);
        expect(await em.qb(Old).withSchema(OF_ARCHIVE).getCount()).to.equal(2);
      });
    });

    it(`S19 ${where}: the entity option \`schema\` says where its table is, in each way of declaring entities`, async () => {
      await run(async em => {
        for (const [entity, table] of [
          [Old, 'old'],
          [Older, 'older'],
        ] as const) {
          const made: any = em.create(entity, { name: 'made' });
          await em.flush();
          await em.nativeUpdate(entity, { id: made.id }, { name: 'changed' });
          expect(await database.query(`select name from archive.${table} where id = ${made.id}`)).to.deep.equal([{ name: 'changed' }]);
          expect(await em.fork().count(entity, { name: 'changed' })).to.equal(1);
          expect(await database.query(`select to_regclass('public.${table}') as found`)).to.deep.equal([{ found: null }]);
        }
      });
    });
  }
});

function entities() {
  const properties = { id: p.integer().primary(), name: p.string() };
  const Plan = defineEntity({ name: 'Plan', properties });
  const Old = defineEntity({ name: 'Old', schema: 'archive', properties });
  const Note = defineEntity({ name: 'Note', schema: '*', properties });

  class ClientClass extends TenantMixin {}

  @Entity({ schema: 'archive', tableName: 'older' })
  class Older {
    @PrimaryKey({ type: 'integer' })
    id!: number;

    @Property({ type: 'string' })
    name!: string;
  }

  return {
    Client: { class: ClientClass, schema: defineEntity({ class: ClientClass, extends: TenantMixin, tableName: 'client', properties: {} }) },
    Plan,
    Old,
    Older,
    Note,
  };
}
