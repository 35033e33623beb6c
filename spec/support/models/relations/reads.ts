import { QueryOrder, Reference, wrap, type Collection } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import type { Domain } from './domain.ts';

/** A way to read, by the entities of an ORM with tenants or of a plain one. */
export type Read = (em: SqlEntityManager, entities: Domain) => Promise<unknown>;

type Name = keyof Domain;

/** A relation, by the entity and the property that has it. */
export interface Relation {
  readonly of: Name;
  readonly to: string;
  readonly many: boolean;
  /** A relation of the target that leads on, or back. */
  readonly on: string;
  /** A property of the target that is a text; `name` where nothing is said. */
  readonly text?: string;
  /** Which of the owners is looked at alone. */
  readonly one?: object;
  /** The ways in which MikroORM's own answer depends on which of its queries is first. */
  readonly unsteady?: readonly string[];
}

const one = (of: Name, to: string, on: string, more: Partial<Relation> = {}): Relation => ({ of, to, on, many: false, ...more });

const many = (of: Name, to: string, on: string, more: Partial<Relation> = {}): Relation => ({ of, to, on, many: true, ...more });

/** Every kind of relation between tenants' tables, and between them and shared ones, from each of its sides. */
export const RELATIONS: Readonly<Record<string, Relation>> = {
  'm:1 to a shared entity': one('Person', 'country', 'people'),
  '1:m of a shared entity': many('Country', 'people', 'country', { one: { id: 2 } }),
  'm:1 to itself': one('Person', 'mentor', 'pupils', { one: { id: 3 } }),
  '1:m of itself': many('Person', 'pupils', 'mentor', { one: { id: 1 } }),
  'm:n to itself': many('Person', 'friends', 'friendOf', { one: { id: 1 } }),
  'm:n of itself, inverse': many('Person', 'friendOf', 'country', { one: { id: 1 } }),
  'm:n with a fixed order': many('Group', 'people', 'groups', { one: { id: 1 } }),
  'm:n with a fixed order, inverse': many('Person', 'groups', 'people', { one: { id: 1 } }),
  'm:n by a pivot entity': many('Person', 'clubs', 'people', { one: { id: 1 } }),
  'm:n by a pivot entity, inverse': many('Club', 'people', 'clubs', { one: { id: 1 } }),
  'm:n to a shared entity': many('Person', 'visited', 'visitors', { one: { id: 1 } }),
  'm:n of a shared entity, inverse': many('Country', 'visitors', 'visited', { one: { id: 3 } }),
  '1:m with composite keys': many('Person', 'memberships', 'club', { text: 'role', one: { id: 1 } }),
  'm:1 of a composite key': one('Membership', 'person', 'memberships'),
  'm:1 by a composite foreign key': one('Badge', 'membership', 'person', { text: 'role' }),
  '1:m by a composite foreign key': many('Membership', 'badges', 'membership', { one: { person: 1, club: 1 } }),
  '1:1 by its primary key': one('Passport', 'person', 'passport'),
  '1:1, inverse': one('Person', 'passport', 'stamps', { one: { passport: { name: { $ne: '' } } } }),
  '1:m by a part of the key': many('Passport', 'stamps', 'country'),
  'm:1 to a shared entity by a part of the key': one('Stamp', 'country', 'people'),
  '1:1 to a shared entity': one('Anthem', 'country', 'anthem'),
  '1:1 of a shared entity, inverse': one('Country', 'anthem', 'composer', { one: { anthem: { id: 1 } } }),
  'm:1 of a child in one table': one('Car', 'garage', 'people'),
  '1:m to a tree in one table': many('Person', 'vehicles', 'owner', { one: { id: 1 } }),
  'm:1 of a tree in one table': one('Vehicle', 'owner', 'vehicles'),
  'm:1 of a child in a table of its own': one('Dog', 'trainer', 'pets'),
  'm:1 of the root of tables': one('Animal', 'owner', 'pets'),
  '1:m to a tree of tables': many('Person', 'pets', 'owner', { one: { id: 1 } }),
  'm:1 to a child in a table of its own': one('Toy', 'cat', 'owner'),
  '1:m of a child in a table of its own': many('Cat', 'toys', 'cat'),
  'm:1 to one of several entities': one('Comment', 'on', 'comments', {
    unsteady: ['em.populate', 'populate further, select-in', 'populate further, balanced', 'Reference.load further'],
  }),
  '1:m of one of several entities': many('Person', 'comments', 'on', { one: { comments: { id: 1 } } }),
  'm:n of one of several entities': many('Person', 'labels', 'people', { one: { id: 1 } }),
  'm:n of one of several entities, inverse': many('Label', 'people', 'labels', { one: { people: { id: 1 } } }),
  'm:n to several entities': many('Album', 'items', 'comments', {
    unsteady: [
      'Collection.init, with options',
      'Collection.matching, stored',
      'a page by a condition',
      'em.populate',
      'populate further, select-in',
      'populate further, joined',
      'populate further, balanced',
    ],
  }),
  'm:1 to the shared one of two tables of a name': one('Person', 'grade', 'people'),
  'm:1 to the tenant’s one of two tables of a name': one('Person', 'ownGrade', 'people'),
  '1:m of the shared one of two tables of a name': many('Grade', 'people', 'ownGrade', { one: { id: 1 } }),
  '1:m of the tenant’s one of two tables of a name': many('OwnGrade', 'people', 'grade', { one: { id: 1 } }),
  'm:1 between two tables of a name': one('OwnGrade', 'shared', 'people', { one: { id: 1 } }),
  'm:n between two tables of a name': many('OwnGrade', 'equal', 'people', { one: { id: 1 } }),
  'm:1 through a sub-query': one('Person', 'firstPet', 'owner', { one: { id: 1 } }),
  'm:1 to another key': one('Parcel', 'to', 'pupils'),
  'm:1 of a view': one('Roll', 'mentor', 'pupils', { one: { id: 2 } }),
  'm:1 of a view to a shared entity': one('Roll', 'country', 'people', { one: { id: 2 } }),
  'm:1 of a materialized view': one('Tally', 'country', 'people', { one: { country: 3 } }),
};

const STRATEGIES = ['select-in', 'joined'] as const;

const ALL_STRATEGIES = [...STRATEGIES, 'balanced'] as const;

type Strategy = (typeof ALL_STRATEGIES)[number];

const byStrategy = (
  name: string,
  way: (strategy: Strategy) => (relation: Relation) => Read,
  strategies: readonly Strategy[] = STRATEGIES,
): Record<string, (relation: Relation) => Read> => Object.fromEntries(strategies.map(strategy => [`${name}, ${strategy}`, way(strategy)]));

/** The ways to read a relation, of either kind. */
const WAYS: Readonly<Record<string, (relation: Relation) => Read>> = {
  ...byStrategy(
    'populate',
    strategy =>
      ({ of, to }) =>
      (em, all) =>
        em.find(all[of], {}, { populate: [to as never], strategy }),
    ALL_STRATEGIES,
  ),
  ...byStrategy(
    'populate further',
    strategy =>
      ({ of, to, on }) =>
      (em, all) =>
        em.find(all[of], {}, { populate: [`${to}.${on}` as never], strategy }),
    ALL_STRATEGIES,
  ),
  ...byStrategy(
    'populate with limit',
    strategy =>
      ({ of, to }) =>
      (em, all) =>
        em.find(all[of], {}, { populate: [to as never], strategy, limit: 2, orderBy: keyOrder(all[of]) }),
  ),
  ...byStrategy(
    'populate by a condition',
    strategy =>
      ({ of, to, text }) =>
      (em, all) =>
        em.find(all[of], { [to]: notEmpty(text) }, { populate: [to as never], strategy, populateWhere: 'infer' }),
    ['joined'],
  ),
  ...byStrategy(
    'populateWhere',
    strategy =>
      ({ of, to, text }) =>
      (em, all) =>
        em.find(all[of], {}, { populate: [to as never], strategy, populateWhere: { [to]: notEmpty(text) } }),
  ),
  ...byStrategy(
    'populateFilter',
    strategy =>
      ({ of, to, text }) =>
      (em, all) =>
        em.find(all[of], {}, { populate: [to as never], strategy, populateFilter: { [to]: notEmpty(text) } }),
  ),
  ...byStrategy(
    'ordered by',
    strategy =>
      ({ of, to, text = 'name' }) =>
      (em, all) =>
        em.find(all[of], {}, { populate: [to as never], strategy, orderBy: { [to]: { [text]: QueryOrder.DESC } } }),
    ['joined'],
  ),
  ...byStrategy(
    'some fields',
    strategy =>
      ({ of, to, text = 'name' }) =>
      (em, all) =>
        em.find(all[of], {}, { fields: [`${to}.${text}` as never], strategy }),
    ['joined'],
  ),
  ...byStrategy(
    'filtered',
    strategy =>
      ({ of, to }) =>
      (em, all) =>
        em.find(all[of], {}, { populate: [to as never], strategy, filters: { present: true } }),
    ['joined'],
  ),
  'em.populate':
    ({ of, to, on }) =>
    async (em, all) =>
      em.populate(await em.find(all[of], {}), [`${to}.${on}` as never]),
  'em.refresh': relation => async (em, all) => em.refresh(await oneOf(em, all, relation), { populate: [relation.to as never] }),
  'a condition':
    ({ of, to, text }) =>
    (em, all) =>
      em.find(all[of], { [to]: notEmpty(text) }),
  'a count by a condition':
    ({ of, to, text }) =>
    (em, all) =>
      em.count(all[of], { [to]: notEmpty(text) }),
  'a page by a condition':
    ({ of, to, text }) =>
    (em, all) =>
      em.findAndCount(all[of], { [to]: notEmpty(text) }, { limit: 1, orderBy: keyOrder(all[of]) }),
  'the query builder':
    ({ of, to, text = 'name' }) =>
    (em, all) =>
      em
        .createQueryBuilder(all[of], 'x')
        .leftJoinAndSelect(`x.${to}`, 'y')
        .where({ [`y.${text}`]: { $ne: '' } })
        .getResult(),
  'the query builder, from a sub-query':
    ({ of, to, text = 'name' }) =>
    (em, all) =>
      em
        .createQueryBuilder(all[of], 'x')
        .leftJoinAndSelect(`x.${to}`, 'y')
        .where({ [to]: { [text]: { $ne: '' } } })
        .orderBy(keyOrder(all[of]))
        .limit(1)
        .getResult(),
};

const TO_ONE: typeof WAYS = {
  'wrap().init': relation => async (em, all) => wrap((await targetOf(em, all, relation)) as object).init(),
  'wrap().populate': relation => async (em, all) => wrap(await oneOf(em, all, relation)).populate([relation.to as never]),
  'Reference.load': relation => async (em, all) => (await refTo(em, all, relation)).load(),
  'Reference.load further': relation => async (em, all) => (await refTo(em, all, relation)).load({ populate: [relation.on as never] }),
  'Reference.loadProperty': relation => async (em, all) =>
    (await refTo(em, all, relation)).loadProperty((relation.text ?? 'name') as never),
  'Reference.load, by the dataloader': relation => async (em, all) => (await refTo(em, all, relation)).load({ dataloader: true }),
  'a reference alone': relation => async (em, all) => (await oneOf(em, all, relation))[relation.to],
};

const TO_MANY: typeof WAYS = {
  'Collection.init': relation => async (em, all) => (await collectionOf(em, all, relation)).init(),
  'Collection.init, with options': relation => async (em, all) =>
    (await collectionOf(em, all, relation)).init({
      where: notEmpty(relation.text),
      orderBy: { [relation.text ?? 'name']: QueryOrder.DESC },
      populate: [relation.on as never],
    }),
  'Collection.load, by the dataloader': relation => async (em, all) => (await collectionOf(em, all, relation)).load({ dataloader: true }),
  'Collection.loadItems': relation => async (em, all) => (await collectionOf(em, all, relation)).loadItems(),
  'Collection.loadCount': relation => async (em, all) => (await collectionOf(em, all, relation)).loadCount(),
  'Collection.loadCount, by a condition': relation => async (em, all) =>
    (await collectionOf(em, all, relation)).loadCount({ where: notEmpty(relation.text) }),
  'Collection.loadCount, by the dataloader': relation => async (em, all) =>
    (await collectionOf(em, all, relation)).loadCount({ dataloader: true }),
  'Collection.matching': relation => async (em, all) =>
    (await collectionOf(em, all, relation)).matching({
      where: notEmpty(relation.text),
      orderBy: { [relation.text ?? 'name']: QueryOrder.DESC },
      limit: 1,
    }),
  'Collection.matching, stored': relation => async (em, all) => {
    const collection = await collectionOf(em, all, relation);
    await collection.matching({ where: notEmpty(relation.text), store: true, populate: [relation.on as never] });

    return collection;
  },
  ...byStrategy(
    'populate some of each',
    strategy =>
      ({ of, to }) =>
      (em, all) =>
        em.find(
          all[of],
          {},
          { populate: [to as never], strategy, populateHints: { [to]: { limit: 1, orderBy: { id: 'desc' } } } as never },
        ),
  ),
  'references alone':
    ({ of, to }) =>
    (em, all) =>
      em.find(all[of], {}, { populate: [`${to}:ref` as never] }),
  $some:
    ({ of, to, text }) =>
    (em, all) =>
      em.find(all[of], { [to]: { $some: notEmpty(text) } }),
  $none:
    ({ of, to, text }) =>
    (em, all) =>
      em.find(all[of], { [to]: { $none: notEmpty(text) } }),
  $every:
    ({ of, to, text }) =>
    (em, all) =>
      em.find(all[of], { [to]: { $every: notEmpty(text) } }),
  $size:
    ({ of, to }) =>
    (em, all) =>
      em.find(all[of], { [to]: { $size: { $gte: 1 } } }),
};

/** The ways to read a relation. */
export function waysOf(relation: Relation): [string, Read][] {
  return Object.entries({ ...WAYS, ...(relation.many ? TO_MANY : TO_ONE) }).map(([name, way]) => [name, way(relation)]);
}

/** The ways that are tried on PGlite too, of which MikroORM's driver is the same but for how it sends a statement. */
export const REPRESENTATIVE_WAYS: readonly string[] = [
  'populate, select-in',
  'populate further, joined',
  'Reference.load further',
  'Collection.init, with options',
  'Collection.matching',
  'the query builder',
];

async function oneOf(em: SqlEntityManager, all: Domain, { of, one: where = {} }: Relation): Promise<any> {
  const [found] = await em.find(all[of], where, { limit: 1, orderBy: keyOrder(all[of]) });

  return found;
}

async function targetOf(em: SqlEntityManager, all: Domain, relation: Relation): Promise<any> {
  return (await oneOf(em, all, relation))[relation.to];
}

async function refTo(em: SqlEntityManager, all: Domain, relation: Relation): Promise<Reference<any>> {
  return Reference.create((await targetOf(em, all, relation)) as object);
}

async function collectionOf(em: SqlEntityManager, all: Domain, relation: Relation): Promise<Collection<any>> {
  return (await oneOf(em, all, relation))[relation.to] as Collection<any>;
}

function notEmpty(text = 'name'): object {
  return { [text]: { $ne: '' } };
}

function keyOrder(entity: Domain[Name]): object {
  return Object.fromEntries(entity.meta.primaryKeys.map(key => [key, QueryOrder.ASC]));
}
