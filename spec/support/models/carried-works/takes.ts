import { raw, ref, Reference, ScalarReference, sql, Utils, wrap } from '@mikro-orm/core';
import { raw as rawOf } from '@mikro-orm/sql';
import { Comment, Country, Dog, Passport, Person, Pet, pockets, Stamp, Summary } from './domain.ts';

/** What a flow may have in hand, which it got or made in one tenant's scope. */
export type Take = (em: any, key: number, random: <T>(values: readonly T[]) => T) => any;

const person = (em: any, key: number, options?: object): Promise<any> => em.findOneOrFail(Person, key, options);

/** Entities, or what has one in it. */
const ENTITY_TAKES: Readonly<Record<string, Take>> = {
  'a loaded one': (em, key, random) => person(em, random([1, key + 1, key + 2])),
  'one with relations': (em, key) =>
    person(em, key + 2, { populate: ['mentor', 'friends', 'pets', 'passport', 'country', 'comments', 'visited', 'secret'] }),
  'one without the identity map': (em, key) => person(em, key + 1, { disableIdentityMap: true }),
  'a partial one': (em, key) => person(em, key + 1, { fields: ['name'] }),
  'a bare reference': (em, key, random) => em.getReference(Person, random([1, key + 1])),
  'a wrapped reference': (em, key) => em.getReference(Person, key + 1, { wrapped: true }),
  'a reference of ref()': (_em, key) => ref(Person.class as any, key + 1),
  'a reference of createFromPK': (_em, key) => Reference.createFromPK(Person.class as any, key + 1),
  'a reference of createNakedFromPK': (_em, key) => Reference.createNakedFromPK(Person.class as any, key + 1),
  'a reference of an entity': async (em, key) => ref(await person(em, key + 1)),
  'one that is created': (em, key) =>
    em.create(Person, { id: key + 50, name: `${em.schema} new`, email: `${em.schema}new`, mentor: key + 1 }, { persist: false }),
  'one that is created and not flushed': (em, key) =>
    em.create(Person, { id: key + 51, name: `${em.schema} new`, email: `${em.schema}new1` }),
  'one that is cleared': async (em, key) => {
    const one = await person(em, key + 1);
    em.clear();
    return one;
  },
  'one to be removed': async (em, key) => {
    const one = await person(em, key + 2);
    em.remove(one);
    return one;
  },
  'one of a stream': async (em, key) => {
    for await (const each of em.stream(Person, { where: { id: key + 1 } })) {
      return each;
    }
    return undefined;
  },
  'one of a query': (em, key) =>
    em
      .qb(Person)
      .where({ id: key + 1 })
      .getSingleResult(),
  'one of em.map': (em, key) => em.map(Person, { id: key + 1, name: `${em.schema} mapped`, email: 'x' }),
  'one of em.merge': (em, key) => em.merge(Person, { id: key + 1, name: `${em.schema} merged`, email: 'x' }),
  'one of a unit of work': (em, key) =>
    em.getEntityFactory().create(Person.class, { id: key + 1, name: `${em.schema} made` }, { newEntity: true, schema: em.schema }),
  'one by a part': async (em, key) => (await em.findOneOrFail(Pet, key + 1)).owner,
  'a pet': (em, key) => em.findOneOrFail(Dog, key + 1, { populate: ['owner', 'trainer'] }),
  'a passport': (em, key) => em.findOneOrFail(Passport, { person: key + 1 }, { populate: ['person', 'stamps'] }),
  'a stamp': (em, key) => em.findOneOrFail(Stamp, { passport: key + 1, number: 1 }),
  'a comment': (em, key) => em.findOneOrFail(Comment, key + 1, { populate: ['on'] }),
  'a virtual one': async em => (await em.find(Summary, {}))[3],
  'a shared one with rows': em => em.findOneOrFail(Country, 1, { populate: ['people', 'visitors'] }),
  'what wrap() gives': async (em, key) => wrap(await person(em, key + 1)),
  'an item of a collection': async (em, key) => (await person(em, key + 1, { populate: ['friends'] })).friends[0],
  'a graph': async (em, key) =>
    (await em.find(Person, {}, { populate: ['pupils', 'pupils.pets', 'mentor.passport.stamps'] })).find((each: any) => each.id === key + 1),
};

const PART_TAKES: Readonly<Record<string, Take>> = {
  'a collection': async (em, key, random) =>
    (await person(em, key + 1, { populate: ['pupils', 'friends'] }))[random(['pupils', 'friends'])],
  'a collection that is not loaded': async (em, key, random) =>
    (await person(em, key + 1))[random(['pupils', 'friends', 'pets', 'comments'])],
  'a collection of a shared one': async (em, _key, random) =>
    (await em.findOneOrFail(Country, 1, { populate: ['people', 'visitors'] }))[random(['people', 'visitors'])],
  'an embeddable': async (em, key) => (await person(em, key + 2)).home,
  embeddables: async (em, key) => (await person(em, key + 2)).homes,
  'a new embeddable': async (em, key) => {
    const one = await person(em, key + 2);
    return em.getEntityFactory().createEmbeddable(one.home.constructor, { street: `${em.schema} s`, neighbour: one }, { newEntity: true });
  },
  'a lazy scalar': async (em, key) => (await person(em, key + 1)).secret,
  'a cursor': em => em.findByCursor(Person, { first: 2, orderBy: { id: 'desc' } }),
  'a cursor by an entity': async em =>
    em.findByCursor(Person, { first: 1, orderBy: { mentor: { name: 'asc' }, id: 'asc' }, populate: ['mentor'] }),
  'a list of entities': em => em.find(Person, {}, { populate: ['mentor'] }),
};

const ids = (em: any): any =>
  em
    .qb(Person, 'x')
    .select('x.id')
    .where({ id: { $gt: 100 } });

const QUERY_TAKES: Readonly<Record<string, Take>> = {
  'a query': em => ids(em),
  'a clone': em => ids(em).clone(),
  'an empty clone': em => ids(em).clone(true),
  'a native query': em => ids(em).getNativeQuery(),
  'a fragment of a query': em => ids(em).toRaw(),
  'a fragment by raw()': em => rawOf(ids(em)),
  'a fragment with an entity': async (em, key) => raw('?', [await person(em, key + 1)]),
  'a template with an entity': async (em, key) => sql`${await person(em, key + 1)}`,
  'a template with a reference': (em, key) => sql`${em.getReference(Person, key + 1, { wrapped: true })}`,
  'a union': em => ids(em).union(ids(em)),
  'a joined query': em =>
    em
      .qb(Person, 'x')
      .leftJoinAndSelect('x.friends', 'y')
      .where({ 'y.id': { $gt: 1 } }),
  'a query with a CTE': em => em.qb(Person, 'x').with('c', ids(em)).select('x.id'),
  'a query in a lateral': em => em.qb(Person, 'x').select('x.id').leftJoinLateral(ids(em), 'l', {}),
  'a query of a shared one': em =>
    em
      .qb(Country, 'c')
      .select('c.id')
      .leftJoin('c.people', 'p')
      .where({ 'p.id': { $gt: 1 } }),
  'an update': em =>
    em
      .qb(Person)
      .update({ name: `${em.schema} updated` })
      .where({ id: 1 }),
  'a delete': em => em.qb(Comment).delete({ id: 1 }),
  'an insert': (em, key) => em.qb(Comment).insert({ id: key + 70, name: `${em.schema} inserted` }),
  'a query of Kysely': em => em.getKysely().selectFrom('person').select('id'),
  'a fragment of Kysely': em => rawOf(em.getKysely().selectFrom('person').select('id')),
  'a compiled query of Kysely': em => em.getKysely().selectFrom('person').select('id').compile(),
  'a deep fragment': em => raw('(?)', [raw('?', [ids(em).toRaw()])]),
};

// without the event manager: all tenants have the same, so that what a use makes MikroORM write into it is there for the next one
const MACHINE_TAKES: Readonly<Record<string, Take>> = {
  'its EntityManager': em => em,
  'a fork': em => em.fork(),
  'a fork with its transaction': em => em.fork({ keepTransactionContext: true, clear: false }),
  'a repository': em => em.getRepository(Person),
  'a unit of work': em => em.getUnitOfWork(),
  'an entity factory': em => em.getEntityFactory(),
  'an entity loader': em => em.getEntityLoader(),
  'a Kysely': em => em.getKysely(),
  'a dataloader': em => em.getDataLoader('ref'),
  'a driver': em => em.getDriver(),
  'a connection': em => em.getConnection(),
  'args of a hook': async (em, key) => {
    let args: any;
    pockets.getStore()!.hook = given => {
      if (given.event === 'onLoad') {
        args = given.args;
      }
    };
    try {
      await person(em, key + 1, { refresh: true });
    } finally {
      pockets.getStore()!.hook = undefined;
    }
    return args;
  },
  'args of a flush': async (em, key) => {
    let args: any;
    pockets.getStore()!.hook = given => {
      if (given.event === 'onFlush') {
        args = given.args;
      }
    };
    try {
      (await person(em, key + 1)).tags = [`${em.schema} tag`];
      await em.flush();
    } finally {
      pockets.getStore()!.hook = undefined;
    }
    return args;
  },
};

/** Options and conditions that were used once. */
const OPTION_TAKES: Readonly<Record<string, Take>> = {
  'used options': async em => {
    const options = { populate: ['friends', 'mentor'], orderBy: { id: 'asc' }, limit: 5, strategy: 'joined' };
    await em.find(Person, {}, options);
    return options;
  },
  'used options of a page': async em => {
    const options = { populate: ['pets'], orderBy: { id: 'asc' }, first: 2, cache: ['page', 300] };
    await em.findByCursor(Person, options).catch(() => undefined);
    return options;
  },
  'used options with a condition': async (em, key) => {
    const options = { populate: ['friends'], populateWhere: { friends: { mentor: await person(em, key + 1) } } };
    await em.find(Person, {}, options).catch(() => undefined);
    return options;
  },
  'used options of a collection': async (em, key) => {
    const options = { where: { id: { $gt: 1 } }, store: true, orderBy: { id: 'asc' } };
    await (await person(em, 1)).friends.matching(options);
    void key;
    return options;
  },
  'options with an EntityManager': em => ({ em }),
  'options with a query': em => ({ having: { id: { $in: ids(em) } } }),
  'options with filters': async (em, key) => ({ filters: { among: { of: await person(em, key + 1) } } }),
  'a used condition': async (em, key) => {
    const where = { mentor: await person(em, key + 1) };
    await em.find(Person, where);
    return where;
  },
  'a used condition in a list': async (em, key) => {
    const where = { $or: [{ mentor: await person(em, key + 1) }, { friends: [em.getReference(Person, key + 2)] }] };
    await em.find(Person, where);
    return where;
  },
  'a condition used by a query': async (em, key) => {
    const where = { mentor: await person(em, key + 1), $or: [{ id: em.getReference(Person, key + 1) }] };
    await em.qb(Person).where(where).execute();
    return where;
  },
  'a condition used by a count': async (em, key) => {
    const where = { friends: { mentor: em.getReference(Person, key + 1) } };
    await em.count(Person, where);
    return where;
  },
  'a condition used by a stream': async (em, key) => {
    const where = { mentor: em.getReference(Person, key + 1) };
    for await (const each of em.stream(Person, { where })) {
      void each;
    }
    return where;
  },
  'a condition used by one that finds one': async (em, key) => {
    const where = { mentor: em.getReference(Person, key + 1) };
    await em.findOne(Person, where);
    await em.findOneOrFail(Person, where).catch(() => undefined);
    return where;
  },
  'a condition used by a native delete': async (em, key) => {
    const where = { on: em.getReference(Person, key + 2) };
    await em.nativeDelete(Comment, where);
    return where;
  },
  'a condition used by a collection': async (em, key) => {
    const where = { mentor: em.getReference(Person, key + 1) };
    const one = await person(em, 1);
    await one.friends.matching({ where });
    await one.friends.init({ where });
    return where;
  },
  'a condition used by a page': async (em, key) => {
    const where = { mentor: em.getReference(Person, key + 1) };
    await em.findByCursor(Person, { where, first: 1, orderBy: { id: 'asc' } });
    return where;
  },
  'a condition used in an option': async (em, key) => {
    const where = { mentor: em.getReference(Person, key + 1) };
    await em
      .find(Person, {}, { populate: ['friends'], populateWhere: { friends: where }, populateFilter: { friends: where } })
      .catch(() => undefined);
    await em.find(Person, {}, { unionWhere: [where] }).catch(() => undefined);
    await em.count(Person, {}, { having: where }).catch(() => undefined);
    return where;
  },
  'a condition used by a join': async (em, key) => {
    const where = { mentor: em.getReference(Person, key + 1) };
    await em.qb(Person, 'a').leftJoinAndSelect('a.friends', 'f', where).execute();
    await em
      .qb(Person, 'a')
      .joinAndSelect('a.friends', 'f', where)
      .getResult()
      .catch(() => undefined);
    return where;
  },
  'a condition used by Kysely’s neighbour': async (em, key) => {
    const where = { mentor: em.getReference(Person, key + 1) };
    await em.getDriver().find(Person.class, where, { schema: em.schema });
    await em.getDriver().count(Person.class, where, { schema: em.schema });
    return where;
  },
  'a condition of a filter': async (em, key) => {
    const where = { mentor: em.getReference(Person, key + 1) };
    const fork = em.fork();
    fork.addFilter({ name: 'f', cond: () => where, entity: Person });
    await fork.find(Person, {});
    return where;
  },
  'parameters of a filter': async (em, key) => {
    const of = { mentor: em.getReference(Person, key + 1) };
    const fork = em.fork();
    fork.addFilter({ name: 'f', cond: (args: any) => args.of, entity: Person });
    fork.setFilterParams('f', { of });
    await fork.find(Person, {});
    await em.find(Person, {}, { filters: { f: { of } } });
    return of;
  },
  'data used by an insert': async (em, key) => {
    const data = {
      id: key + 60,
      name: 'x',
      email: 'used',
      mentor: em.getReference(Person, key + 1),
      home: { neighbour: em.getReference(Person, key + 1) },
    };
    await em.insert(Person, data);
    return data;
  },
  'data used by an upsert': async (em, key) => {
    const data = {
      id: key + 61,
      name: 'x',
      email: 'used2',
      mentor: em.getReference(Person, key + 1),
      data: { by: em.getReference(Person, key + 1) },
    };
    await em.upsert(Person, data);
    await em.upsertMany(Person, [data]);
    return data;
  },
  'data used by a query': async (em, key) => {
    const data = { mentor: em.getReference(Person, key + 1) };
    await em.qb(Person).update(data).where({ id: 2 }).execute();
    return data;
  },
  'data used by a map': async (em, key) => {
    const data = { id: 2, name: 'x', mentor: await person(em, key + 1) };
    em.fork().merge(Person, data);
    em.fork().assign(await person(em.fork(), 1), data);
    em.map(Person, data);
    return data;
  },
  'data used by a clone': async (em, key) => {
    const data = { id: key + 63, on: em.getReference(Person, key + 1) };
    // MikroORM takes no entity there
    await em.clone(Comment, { id: 1 }, data).catch(() => undefined);
    return data;
  },
  'used data': async (em, key) => {
    const data = { name: `x${key}`, mentor: await person(em, key + 1) };
    em.create(Person, { ...data, id: 5, email: 'x' }, { persist: false });
    return data;
  },
  'used data of an update': async (em, key) => {
    const data = { mentor: await person(em, key + 1), data: { by: em.getReference(Person, key + 2) } };
    await em.nativeUpdate(Person, { id: key + 2 }, data);
    return data;
  },
};

/** By kind. */
export const TAKES: Readonly<Record<string, Readonly<Record<string, Take>>>> = {
  'an entity': ENTITY_TAKES,
  'a part of one': PART_TAKES,
  'a query': QUERY_TAKES,
  'a manager': MACHINE_TAKES,
  'options, conditions and data that were used': OPTION_TAKES,
};

/** Ways in which one thing is in another one. */
export const WRAPS: Readonly<Record<string, (thing: any) => any>> = {
  itself: thing => thing,
  'in a list': thing => [thing],
  'in lists': thing => [[thing]],
  'in a set': thing => new Set([thing]),
  'in a map': thing => new Map([['x', thing]]),
  'in an object': thing => ({ x: thing }),
  'in an instance': thing => Object.assign(new (class Holder {})(), { x: thing }),
  'in a getter': thing => ({
    get x() {
      return thing;
    },
  }),
  inherited: thing => Object.create({ x: thing }),
  'of no prototype': thing => Object.assign(Object.create(null), { id: thing }),
  // MikroORM takes no such thing for a reference, but stores its key
  'by its own prototype': thing =>
    typeof thing === 'object' && thing !== null && !(thing instanceof Reference) ? Object.create(thing) : thing,
  'behind a proxy': thing => (typeof thing === 'object' && thing !== null ? new Proxy(thing, {}) : thing),
  'in $in': thing => ({ $in: [thing] }),
  'in $eq': thing => ({ $eq: thing }),
  'in $ne': thing => ({ $ne: thing }),
  'in $not': thing => ({ $not: { id: thing } }),
  'in $some': thing => ({ $some: { id: thing } }),
  'as a key': thing => ({ id: thing }),
  'as a key in lists': thing => [{ id: [thing] }],
  'as a mentor': thing => ({ mentor: thing }),
  'as a neighbour': thing => ({ street: 'x', neighbour: thing }),
  'as neighbours': thing => [{ street: 'x', neighbour: thing, more: { x: thing } }],
  'as friends': thing => ({ friends: [thing] }),
  'in a fragment': thing => raw('?', [thing]),
  'in a template': thing => sql`${thing}`,
  'in a reference': thing => (Utils.isEntity<object>(thing) ? new Reference(thing) : thing),
  'in a scalar reference': thing => new ScalarReference(thing),
  'in a promise': thing => Promise.resolve(thing),
  'as a function': thing => () => thing,
  frozen: thing => Object.freeze({ x: Object.freeze([thing]) }),
};
