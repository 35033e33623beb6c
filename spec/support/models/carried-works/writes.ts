import { Utils, wrap, type EntityManager } from '@mikro-orm/core';
import { Factory } from '@mikro-orm/seeder';
import { Comment, Country, Dog, Passport, Person, Pet, pockets, Stamp } from './domain.ts';
import { dataOf, FIELDS, given, plain, set, valueOf, type Use } from './using.ts';

/** Where data is given. */
export const WRITES: Readonly<Record<string, Use>> = {
  'create and flush': async u => {
    const em = u.em.fork();
    em.create(
      Person,
      dataOf(u),
      u.pick([undefined, { partial: true }, { managed: true }, { convertCustomTypes: true }, { processOnCreateHooksEarly: true }]),
    );
    await em.flush();
  },
  'create of a pet': async u => {
    const em = u.em.fork();
    em.create(u.pick([Pet, Dog]), {
      id: u.key + u.next(),
      name: 'x',
      kind: 'dog',
      owner: 1,
      [u.pick(['owner', 'trainer', 'name', 'kind'])]: u.thing,
    });
    await em.flush();
  },
  'create of a passport': async u => {
    const em = u.em.fork();
    em.create(Passport, { person: u.thing, name: 'x', stamps: [{ number: 9, name: 'x', by: u.thing }] });
    await em.flush();
  },
  'create of a stamp': async u => {
    const em = u.em.fork();
    em.create(Stamp, { passport: u.pick([1, u.thing]), number: 5, name: 'x', by: u.thing });
    await em.flush();
  },
  'create of a comment': async u => {
    const em = u.em.fork();
    em.create(Comment, { id: u.key + u.next(), name: 'x', on: u.thing });
    await em.flush();
  },
  'create of a shared one': async u => {
    const em = u.em.fork();
    em.create(Country, {
      id: u.key + u.next(),
      name: 'x',
      [u.pick(['data', 'people', 'visitors'])]: u.pick([u.thing, [u.thing]]),
    });
    await em.flush();
  },
  'the constructor of an entity': async u => {
    const em = u.em.fork();
    const one = Object.assign(new (Person.class as any)(), { id: u.key + u.next(), name: 'x', email: `x${u.next()}` });
    set(one, u.pick(FIELDS), u.thing);
    await em.persist(one).flush();
  },
  'assign and flush': async u => {
    const em = u.em.fork();
    const one = await em.findOneOrFail(Person, 1, { populate: u.pick([[], ['friends', 'pupils', 'mentor', 'pets']]) });
    em.assign(
      one,
      { ...given(u) },
      u.pick([
        undefined,
        { updateByPrimaryKey: false },
        { mergeObjectProperties: true },
        { mergeEmbeddedProperties: false },
        { updateNestedEntities: false },
        { convertCustomTypes: true },
        { onlyOwnProperties: true },
        { merge: true },
      ]),
    );
    await em.flush();
  },
  'assign nested and flush': async u => {
    const em = u.em.fork();
    const one = await em.findOneOrFail(Person, 1, { populate: ['friends', 'pupils', 'mentor', 'pets', 'passport'] });
    em.assign(
      one,
      u.pick([
        { mentor: { mentor: u.thing } },
        { pupils: [{ id: u.key + u.next(), name: 'x', email: 'x', mentor: u.thing }] },
        { pets: [{ id: 1, owner: u.thing }] },
        { passport: { name: 'x', person: u.thing } },
        { friends: [u.thing, { id: u.thing }] },
        { home: { neighbour: u.thing } },
        { homes: [{ neighbour: u.thing }] },
        { data: { deep: { deep: [u.thing] } } },
      ]),
      u.pick([undefined, { updateByPrimaryKey: false }, { merge: true }]),
    );
    await em.flush();
  },
  'wrap().assign and flush': async u => {
    const em = u.em.fork();
    const one = await em.findOneOrFail(Person, 1);
    wrap(one).assign({ ...given(u) } as never);
    await em.flush();
  },
  'a property and flush': async u => {
    const em = u.em.fork();
    const one = await em.findOneOrFail(Person, 1, { populate: u.pick([[], ['friends', 'secret']]) as never });
    set(one, u.pick(FIELDS), u.thing);
    await em.flush();
  },
  'a property and flush twice': async u => {
    const em = u.em.fork();
    const one = await em.findOneOrFail(Person, 1);
    set(one, u.pick(FIELDS), u.thing);
    await em.flush().catch(() => undefined);
    await em.flush();
  },
  'a property, refused, and another flush': async u => {
    const em = u.em.fork();
    const one = await em.findOneOrFail(Person, 1);
    set(one, u.pick(FIELDS), u.thing);
    await em.flush().catch(() => undefined);
    await em.find(Person, {}, { flushMode: 'always' }).catch(() => undefined);
    em.create(Comment, { id: u.key + u.next(), name: 'x' });
    await em.flush();
  },
  'a property in a transaction': async u =>
    u.em.transactional(
      async (em: any) => {
        const one = await em.findOneOrFail(Person, 1);
        set(one, u.pick(FIELDS), u.thing);
      },
      u.pick([
        undefined,
        { propagation: 'requires_new' },
        { propagation: 'nested' },
        { propagation: 'not_supported' },
        { clear: true },
        { flushMode: 'commit' },
      ]),
    ),
  'a property read by a query': async u => {
    const em = u.em.fork();
    const one = await em.findOneOrFail(Person, 1);
    set(one, u.pick(['mentor', 'data', 'home', 'friends']), u.thing);
    await em.qb(Person).select('*').getResult();
    await em.flush();
  },
  'a reference’s set': async u => {
    const em = u.em.fork();
    const one = await em.findOneOrFail(Person, 1, { populate: ['mentor'] });
    one.mentor.set(u.thing);
    await em.flush();
  },
  'a collection’s method': async u => {
    const em = u.em.fork();
    const one = await em.findOneOrFail(Person, 1, { populate: u.pick([[], ['friends', 'pupils', 'pets']]) as never });
    const collection = one[u.pick(['friends', 'pupils', 'friendOf', 'pets', 'comments', 'visited'])];
    collection[u.pick(['add', 'remove', 'hydrate', 'addWithoutPropagation', 'removeWithoutPropagation', 'set', 'contains'])](
      u.pick([u.thing, [u.thing]]),
    );
    await em.flush();
  },
  'a collection of a shared one': async u => {
    const em = u.em.fork();
    const one = await em.findOneOrFail(Country, 1, { populate: u.pick([[], ['people', 'visitors']]) as never });
    one[u.pick(['people', 'visitors'])][u.pick(['add', 'set', 'remove'])](u.pick([u.thing, [u.thing]]));
    await em.flush();
  },
  'a scalar reference’s set': async u => {
    const em = u.em.fork();
    const one = await em.findOneOrFail(Person, 1, { populate: ['secret'] });
    one.secret.set(u.thing);
    await em.flush();
  },
  insert: u => u.em.insert(Person, dataOf(u)),
  'insert of an entity': u => u.em.insert(u.thing),
  insertMany: u => u.em.insertMany(Person, [dataOf(u), dataOf(u)]),
  'insertMany of entities': u => u.em.insertMany(u.pick([u.thing, [u.thing]])),
  upsert: u =>
    u.em.upsert(
      Person,
      u.pick([dataOf(u), { ...dataOf(u), id: 1, email: `${u.em.schema}1@x` }]),
      u.pick([
        undefined,
        { onConflictAction: 'ignore' },
        { onConflictFields: ['email'] },
        { onConflictMergeFields: ['data', 'mentor'] },
        { disableIdentityMap: true },
        { onConflictWhere: { mentor: u.thing } },
        { onConflictFields: [u.thing] },
      ]),
    ),
  'upsert of an entity': async u => {
    await u.em.upsert(u.thing);
  },
  'upsert of a new entity': async u => {
    await u.em.upsert(Object.assign(new (Person.class as any)(), dataOf(u)));
  },
  'upsert of a stamp': u => u.em.upsert(Stamp, { passport: u.thing, number: 1, name: 'x' }),
  upsertMany: u => u.em.upsertMany(Person, [dataOf(u), dataOf(u)]),
  'upsertMany of entities': u => u.em.upsertMany([u.thing]),
  'nativeUpdate, data': u => u.em.nativeUpdate(Person, { id: 1 }, { ...given(u) }),
  'nativeUpdate, where': u => u.em.nativeUpdate(Person, { ...given(u) }, { name: 'x' }),
  'nativeUpdate, options': u =>
    u.em.nativeUpdate(Person, { id: 1 }, { name: 'x' }, { [u.pick(['filters', 'unionWhere', 'ctx', 'em'])]: u.pick([u.thing, [u.thing]]) }),
  nativeDelete: u => u.em.nativeDelete(Comment, { [u.pick(['on', 'id', 'name'])]: u.thing }),
  'nativeDelete of persons': u => u.em.nativeDelete(Pet, { owner: { ...given(u) } }),
  // MikroORM copies none that has an inverse side of a 1:1, such as a person
  'em.clone': u =>
    u.em.clone(u.pick([Comment, u.thing]), u.pick([{ id: 1 }, u.thing, { id: u.thing }, { on: u.thing }]), {
      id: u.key + u.next(),
      [u.pick(['on', 'name'])]: u.thing,
    }),
  'em.clone of one': async u =>
    u.em.clone(await u.em.findOneOrFail(Comment, 1), { id: u.key + u.next(), [u.pick(['on', 'name'])]: u.thing }),
  persist: async u => {
    const em = u.em.fork();
    em.persist(u.thing);
    await em.flush();
  },
  'persist and change': async u => {
    const em = u.em.fork();
    em.persist(u.thing);
    if (Utils.isEntity(u.thing)) {
      (u.thing as any).tags = ['x'];
    }
    await em.flush();
  },
  remove: async u => {
    const em = u.em.fork();
    em.remove(u.thing);
    await em.flush();
  },
  'em.lock': u => u.em.transactional((em: any) => em.lock(u.thing, u.pick([1, 2, 3, 4]))),
  'qb insert': u =>
    u.em
      .qb(Person)
      .insert(u.pick([dataOf(u), [dataOf(u), dataOf(u)]]))
      .execute(),
  'qb insert on conflict': u =>
    u.em
      .qb(Person)
      .insert({ id: 1, name: 'x', email: 'y', version: 1 })
      .onConflict(u.pick(['id', u.thing]))
      .merge(u.pick([{ ...given(u) }, ['name'], u.thing]))
      .execute(),
  'qb insert returning': u =>
    u.em
      .qb(Comment)
      .insert({ id: u.key + u.next(), name: 'x' })
      .returning(u.thing)
      .execute(),
  'qb update': u =>
    u.em
      .qb(Person, u.pick([undefined, 'p']))
      .update({ ...given(u) })
      .where({ id: 1 })
      .execute(),
  'qb update where': u =>
    u.em
      .qb(Person)
      .update({ name: 'x' })
      .where({ ...given(u) })
      .execute(),
  'qb delete': u =>
    u.em
      .qb(Comment)
      .delete({ [u.pick(['on', 'id'])]: u.thing })
      .execute(),
  'qb insertFrom': u =>
    u.em
      .qb(Comment)
      .insertFrom(u.thing, { columns: ['id'], [u.pick(['fields', 'columns', 'defaults'])]: u.thing })
      .execute(),
  'em.merge of data': async u => {
    const em = u.em.fork();
    const one = em.merge(Person, { ...dataOf(u), id: 1 }, u.pick([undefined, { refresh: true }, { convertCustomTypes: true }]));
    one.tags = ['x'];
    await em.flush();
    return plain(one.mentor);
  },
  'em.merge of an entity': async u => {
    const em = u.em.fork();
    const one = em.merge(u.thing);
    one.tags = ['x'];
    await em.flush();
  },
  'em.map': async u => {
    const em = u.em.fork();
    const one = em.map(Person, { ...dataOf(u), id: 1 }, u.pick([undefined, { mapped: true }, { disableIdentityMap: true }]));
    one.tags = ['x'];
    await em.flush();
    return plain(one.mentor);
  },
  'a factory’s create': async u => {
    const em = u.em.fork();
    const one = em
      .getEntityFactory()
      .create(Person.class, dataOf(u), u.pick([{ newEntity: true }, { newEntity: false }, { merge: true }, {}]));
    await em.persist(one).flush();
  },
  'a factory’s mergeData': async u => {
    const em = u.em.fork();
    const one = await em.findOneOrFail(Person, 1);
    em.getEntityFactory().mergeData(Person.meta as any, one, { ...given(u) });
    await em.flush();
  },
  'a factory’s embeddable': async u => {
    const em = u.em.fork();
    const one = await em.findOneOrFail(Person, 1);
    one.home = em
      .getEntityFactory()
      .createEmbeddable(one.home.constructor, { street: 'x', neighbour: u.thing, more: u.thing }, { newEntity: u.pick([true, false]) });
    await em.flush();
  },
  'a unit of work': async u => {
    const em = u.em.fork();
    const uow = em.getUnitOfWork();
    const one = await em.findOneOrFail(Person, 1);
    uow[
      u.pick(
        [
          'persist',
          'remove',
          'merge',
          'register',
          'registerManaged',
          'recomputeSingleChangeSet',
          'computeChangeSet',
          'scheduleOrphanRemoval',
          'unsetIdentity',
          'clearCollectionUpdates',
          'scheduleCollectionUpdate',
        ].filter(name => typeof uow[name] === 'function'),
      )
    ](u.thing);
    one.tags = ['x'];
    await em.flush();
  },
  'an extra update': async u => {
    const em = u.em.fork();
    const one = await em.findOneOrFail(Person, 1);
    em.getUnitOfWork().scheduleExtraUpdate({ entity: one, meta: Person.meta, payload: { name: 'x' } }, [
      Person.meta.properties[u.pick(['mentor', 'data']) as never],
    ] as never);
    one.mentor = u.thing;
    await em.flush();
  },
  'seeder’s factory': async u => {
    const em = u.em.fork();
    await new (factory(() => dataOf(u)))(em).create(u.pick([1, 2]), u.pick([undefined, { ...given(u) }]) as never);
  },
  'seeder’s factory, each': async u => {
    const em = u.em.fork();
    const made = new (factory(() => ({ id: u.key + u.next(), name: 'x', email: `x${u.next()}` })))(em);
    await made.each((one: any) => set(one, u.pick(FIELDS), u.thing)).createOne();
  },
  'seeder’s factory, made': async u => {
    const em = u.em.fork();
    const one: any = new (factory(() => ({ id: u.key + u.next(), name: 'x', email: `x${u.next()}` })))(em).makeEntity({
      ...given(u),
    } as never);
    await em.persist(one).flush();
  },
  onCreate: async u => {
    pockets.getStore()!.onCreate = u.thing;
    try {
      await u.pick<(em: any) => Promise<unknown>>([
        em => {
          em.create(Person, { id: u.key + u.next(), name: 'x', email: `x${u.next()}` });
          return em.flush();
        },
        em => em.upsert(Person, { id: u.key + u.next(), name: 'x', email: `x${u.next()}` }),
        em => em.upsertMany(Person, [{ id: u.key + u.next(), name: 'x', email: `x${u.next()}` }]),
        em => em.insert(Person, { id: u.key + u.next(), name: 'x', email: `x${u.next()}` }),
        em => em.insertMany(Person, [{ id: u.key + u.next(), name: 'x', email: `x${u.next()}` }]),
        em =>
          em
            .qb(Person)
            .insert({ id: u.key + u.next(), name: 'x', email: `x${u.next()}` })
            .execute(),
        em => em.clone(Person, { id: 1 }, { id: u.key + u.next(), email: `x${u.next()}` }),
        em => em.upsert(Object.assign(new (Person.class as any)(), { id: u.key + u.next(), name: 'x', email: `x${u.next()}` })),
      ])(u.em.fork());
    } finally {
      pockets.getStore()!.onCreate = undefined;
    }
  },
  onUpdate: async u => {
    pockets.getStore()!.onUpdate = u.thing;
    try {
      await u.pick<(em: any) => Promise<unknown>>([
        async em => {
          (await em.findOneOrFail(Person, 1)).tags = ['x'];
          return em.flush();
        },
        em => em.upsert(Person, { id: 1, name: 'x', email: 'x' }),
        em => em.nativeUpdate(Person, { id: 1 }, { name: 'x' }),
        em => em.qb(Person).update({ name: 'x' }).where({ id: 1 }).execute(),
        em => em.upsertMany(Person, [{ id: 1, name: 'x', email: 'x' }]),
      ])(u.em.fork());
    } finally {
      pockets.getStore()!.onUpdate = undefined;
    }
  },
  'a hook that sets': async u => {
    const field = u.pick(FIELDS);
    const event = u.pick([
      'beforeCreate',
      'beforeUpdate',
      'beforeUpsert',
      'onFlush',
      'beforeFlush',
      'onInit',
      'onLoad',
      'afterCreate',
      'afterUpdate',
    ]);
    pockets.getStore()!.hook = args => {
      if (args.event === event && args.entity !== undefined && args.meta?.className === 'Person') {
        set(args.entity, field, u.thing);
        if (args.changeSet !== undefined && u.pick([true, false])) {
          args.changeSet.payload[field] = valueOf(field, u.thing);
        }
      }
      if (args.event === event && args.uow !== undefined && args.entity === undefined) {
        for (const change of args.uow.getChangeSets()) {
          change.payload[field] = valueOf(field, u.thing);
          set(change.entity, field, u.thing);
          args.uow.recomputeSingleChangeSet(change.entity);
        }
      }
    };
    try {
      const em = u.em.fork();
      (await em.findOneOrFail(Person, 1)).tags = ['x'];
      em.create(Person, { id: u.key + u.next(), name: 'x', email: `x${u.next()}` });
      await em.flush();
      await em.upsert(Person, { id: 2, name: 'x', email: 'y' });
    } finally {
      pockets.getStore()!.hook = undefined;
    }
  },
  'Kysely insert': u =>
    u.em
      .getKysely()
      .insertInto('comment')
      .values({ id: u.key + u.next(), name: u.thing })
      .execute(),
  'Kysely update': u =>
    u.em
      .getKysely()
      .updateTable('person')
      .set({ [u.pick(['data', 'name', 'mentor_id'])]: u.thing })
      .where('id', '=', 1)
      .execute(),
  'Kysely update by names of properties': u =>
    u.em
      .getKysely({ tableNamingStrategy: 'entity', columnNamingStrategy: 'property', convertValues: true, processOnUpdateHooks: true })
      .updateTable('Person')
      .set({ [u.pick(['data', 'name', 'mentor', 'home'])]: u.thing })
      .where('id', '=', 1)
      .execute(),
  'Kysely insert by names of properties': u => {
    pockets.getStore()!.onCreate = u.thing;
    try {
      return u.em
        .getKysely({ tableNamingStrategy: 'entity', columnNamingStrategy: 'property', convertValues: true, processOnCreateHooks: true })
        .insertInto('Person')
        .values({ id: u.key + u.next(), name: 'x', email: `x${u.next()}`, version: 1 })
        .execute();
    } finally {
      pockets.getStore()!.onCreate = undefined;
    }
  },
};

function factory(definition: () => any): new (em: EntityManager) => Factory<any> {
  return class extends Factory<any> {
    model = Person as never;

    definition(): any {
      return definition();
    }
  };
}
