import { AsyncLocalStorage } from 'node:async_hooks';
import { helper, p, Type, Utils, type EntitySchema } from '@mikro-orm/core';
import { defineEntity } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';

/** What hooks and functions give back in a flow, beside what they are for. */
export interface Pocket {
  onCreate?: unknown;
  onUpdate?: unknown;
  hook?: ((args: any) => unknown) | undefined;
  expression?: unknown;
}

export const pockets = new AsyncLocalStorage<Pocket>();

/** As JSON, in which a set and a map are lists. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => (inner instanceof Set || inner instanceof Map ? [...inner] : inner));
}

/** A type of the user's own, which stores the key of an entity, or whatever else it is given as JSON. */
class AnyType extends Type<unknown, string | null> {
  override convertToDatabaseValue(value: unknown): string | null {
    return value === null || value === undefined
      ? null
      : Utils.isEntity<object>(value)
        ? `key ${String(helper(value).getPrimaryKey())}`
        : textOf(value);
  }

  override convertToJSValue(value: string | null): unknown {
    return value;
  }

  override getColumnType(): string {
    return 'text';
  }
}

type Schema = EntitySchema<any>;

const id = { id: p.integer().primary() };

const own = { schema: '*' as const };

export const Country: Schema = defineEntity({
  name: 'Country',
  properties: {
    ...id,
    name: p.string(),
    data: p.json().nullable(),
    people: () => p.oneToMany(Person).mappedBy('country'),
    visitors: () => p.manyToMany(Person).mappedBy('visited'),
  },
}) as never;

const Home: Schema = defineEntity({
  name: 'Home',
  embeddable: true,
  properties: { street: p.string().nullable(), neighbour: () => p.manyToOne(Person).nullable(), more: p.json().nullable() },
}) as never;

export const Person: Schema = defineEntity({
  name: 'Person',
  ...own,
  properties: {
    ...id,
    name: p.string(),
    email: p.string().unique(),
    version: p.integer().version(),
    age: p.integer().nullable(),
    note: p.text().nullable(),
    data: p.json().nullable(),
    extra: p.type(AnyType).nullable(),
    born: p
      .json()
      .nullable()
      .onCreate(() => pockets.getStore()?.onCreate ?? null),
    changed: p
      .json()
      .nullable()
      .onUpdate(() => pockets.getStore()?.onUpdate ?? null),
    secret: p.text().lazy().ref().nullable(),
    tags: p.array().nullable(),
    petCount: p
      .integer()
      .formula((columns: any, table: any) => `(select count(*)::int from "${table.schema}"."pet" where owner_id = ${columns.id})`),
    country: () => p.manyToOne(Country).nullable(),
    mentor: () => p.manyToOne(Person).ref().nullable(),
    pupils: () => p.oneToMany(Person).mappedBy('mentor'),
    friends: () => p.manyToMany(Person).pivotTable('person_friends').inversedBy('friendOf'),
    friendOf: () => p.manyToMany(Person).mappedBy('friends'),
    visited: () => p.manyToMany(Country).inversedBy('visitors'),
    home: () => p.embedded(Home).nullable(),
    homes: () => p.embedded(Home).array().nullable(),
    house: () => p.embedded(Home).object().nullable(),
    pets: () => p.oneToMany(Pet).mappedBy('owner'),
    passport: () => p.oneToOne(Passport).mappedBy('person').nullable(),
    comments: () => p.oneToMany(Comment).mappedBy('on'),
  },
} as never) as never;

export const Passport: Schema = defineEntity({
  name: 'Passport',
  ...own,
  properties: {
    person: () => p.oneToOne(Person).primary(),
    name: p.string(),
    stamps: () => p.oneToMany(Stamp).mappedBy('passport').orphanRemoval(),
  },
} as never) as never;

export const Stamp: Schema = defineEntity({
  name: 'Stamp',
  ...own,
  properties: {
    passport: () => p.manyToOne(Passport).primary(),
    number: p.integer().primary(),
    name: p.string(),
    by: () => p.manyToOne(Person).nullable(),
  },
} as never) as never;

export const Pet: Schema = defineEntity({
  name: 'Pet',
  ...own,
  discriminatorColumn: 'kind',
  discriminatorValue: 'pet',
  properties: { ...id, kind: p.enum(['pet', 'dog']), name: p.string(), owner: () => p.manyToOne(Person) },
} as never) as never;

export const Dog: Schema = defineEntity({
  name: 'Dog',
  extends: Pet,
  discriminatorValue: 'dog',
  properties: { trainer: () => p.manyToOne(Person).nullable() },
} as never) as never;

export const Comment: Schema = defineEntity({
  name: 'Comment',
  ...own,
  properties: { ...id, name: p.string(), on: () => p.manyToOne([Person, Pet] as never).nullable() },
} as never) as never;

export const Summary: Schema = defineEntity({
  name: 'Summary',
  ...own,
  virtual: true,
  expression: (em: SqlEntityManager) => pockets.getStore()?.expression ?? em.createQueryBuilder(Person, 'p').select(['p.id', 'p.name']),
  properties: { id: p.integer(), name: p.string() },
} as never) as never;

export const ENTITIES = { Country, Home, Person, Passport, Stamp, Pet, Dog, Comment, Summary };
