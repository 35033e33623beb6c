import { helper, ref, Utils, wrap, type Collection, type EntityManager } from '@mikro-orm/core';
import { COLLECTIONS, newEntity, type Entities, type Kind } from './entities.ts';
import type { Step } from './steps.ts';

type Entity = any;

/** What each kind of step has besides is known to whoever does it. */
type AnyStep = any;

/** One EntityManager and all entities that it has given or that were made for it. */
export class World {
  readonly #entities: Entities;
  readonly #schemaOfNew: string | undefined;
  readonly #held: Entity[] = [];

  /**
   * `schemaOfNew` is given to what is made with `new`. MikroORM without tenants gives a schema to what `em.create()` makes and none to this, and
   * inserts the two one after the other. With tenants both have theirs, and are inserted at once, in their order.
   */
  constructor(entities: Entities, schemaOfNew: string | undefined) {
    this.#entities = entities;
    this.#schemaOfNew = schemaOfNew;
  }

  /** Runs the step, and tells what came of it so that two worlds can be compared. */
  async run(em: EntityManager, step: Step): Promise<unknown> {
    let outcome: unknown;

    try {
      outcome = this.#tell(await this.#does[step.does](em, step));
    } catch (error) {
      const { constructor, code, message } = error as Error & { readonly code?: unknown };
      // MikroORM's own errors of use have no code
      outcome = [constructor.name, code ?? message];
    }

    return { outcome, identityMap: this.#identityMapOf(em) };
  }

  readonly #does: Readonly<Record<Step['does'], (em: EntityManager, step: AnyStep) => unknown>> = {
    new: (em, { kind, key }) => this.#new(em, kind, key),
    create: (em, { kind, key }) => em.create(this.#entities[kind as Kind], dataOf(kind, key)),
    createWithItems: (em, { key }) => em.create(this.#entities.Doc, { ...dataOf('Doc', key), ...itemsOf(key) }),
    mergeData: (em, { kind, key }) => em.merge(this.#entities[kind as Kind], dataOf(kind, key)),
    upsertData: (em, { kind, key }) => em.upsert(this.#entities[kind as Kind], dataOf(kind, key)),
    upsertMany: (em, { held }) => this.#upsertMany(em, held),
    findOne: (em, { kind, key }) => em.findOne(this.#entities[kind as Kind], keyOf(kind, key)),
    find: (em, { kind }) => em.find(this.#entities[kind as Kind], {}, { orderBy: { name: 'asc', ...ORDER[kind as Kind] } }),
    getReference: (em, { kind, key }) => em.getReference(this.#entities[kind as Kind], keyOf(kind, key)),
    persist: (em, { held }) => this.#pick(held, entity => void em.persist(entity)),
    remove: (em, { held }) => this.#pick(held, entity => void em.remove(entity)),
    merge: (em, { held }) => this.#pick(held, entity => em.merge(entity)),
    upsert: (em, { held }) => this.#pick(held, entity => em.upsert(entity)),
    refresh: (em, { held }) => this.#pick(held, entity => em.refresh(entity)),
    assign: (em, { held, name }) => this.#pick(held, entity => em.assign<any>(entity, { name })),
    assignItems: (em, { doc, key }) => this.#with('Doc', doc, entity => em.assign(entity, itemsOf(key))),
    change: (_em, { held, name }) => this.#pick(held, entity => void (entity.name = name)),
    own: (_em, { doc, person }) =>
      this.#with('Doc', doc, entity => {
        entity.owner = person === null ? null : this.#with('Person', person, owner => ref(owner));
      }),
    add: (_em, step) => this.#collect(step, (collection, item) => void collection.add(item)),
    take: (_em, step) => this.#collect(step, (collection, item) => void collection.remove(item)),
    takeAll: (_em, { doc, collection }) => this.#with('Doc', doc, entity => entity[collection].removeAll()),
    load: (_em, { doc, collection }) => this.#with('Doc', doc, entity => entity[collection].init()),
    flush: em => em.flush(),
    clear: em => em.clear(),
    transactional: (em, step) => this.#transactional(em, step),
  };

  #collect({ doc, collection, item }: AnyStep, fn: (collection: Collection<Entity>, item: Entity) => void): unknown {
    const kind = COLLECTIONS[collection as keyof typeof COLLECTIONS];

    return this.#with('Doc', doc, entity => this.#with(kind, item, each => fn(entity[collection], each)));
  }

  async #upsertMany(em: EntityManager, held: readonly number[]): Promise<unknown> {
    const entities = held.map(number => this.#pick(number, entity => entity)).filter(entity => entity !== undefined);
    const first = entities[0];
    const alike = entities.filter((entity, index) => entity.constructor === first.constructor && entities.indexOf(entity) === index);

    return alike.length === 0 ? undefined : em.upsertMany(alike);
  }

  async #transactional(em: EntityManager, { steps, fails }: AnyStep): Promise<unknown> {
    const outcomes: unknown[] = [];

    try {
      await em.transactional(async inner => {
        for (const step of steps) {
          outcomes.push(await this.run(inner, step));
        }

        if (fails) {
          throw new RolledBack('rolled back');
        }
      });
    } catch (error) {
      outcomes.push((error as Error).constructor.name);
    }

    return outcomes;
  }

  #new(em: EntityManager, kind: Kind, key: number): Entity {
    const { doc, ...data } = dataOf(kind, key) as { doc?: string };
    const entity: Entity = newEntity(this.#entities, kind, data);

    if (this.#schemaOfNew !== undefined) {
      wrap(entity).setSchema(this.#schemaOfNew);
    }

    if (doc !== undefined) {
      entity.doc = this.#with('Doc', key, held => held) ?? em.getReference(this.#entities.Doc, doc as never);
    }

    return entity;
  }

  #with<Result>(kind: Kind, number: number, fn: (entity: Entity) => Result): Result | undefined {
    const of = this.#held.filter(entity => helper(entity).__meta.className === kind);

    return of.length === 0 ? undefined : fn(of[number % of.length]);
  }

  #pick<Result>(number: number, fn: (entity: Entity) => Result): Result | undefined {
    return this.#held.length === 0
      ? undefined
      : fn(this.#held[(this.#held.length - 1 - number + 8 * this.#held.length) % this.#held.length]);
  }

  /** Entities become numbers, so that the same number is the same instance. */
  #tell(value: unknown): unknown {
    if (Array.isArray(value)) {
      return value.map(each => this.#tell(each));
    }

    if (Utils.isCollection<object>(value)) {
      return { isInitialized: value.isInitialized(), items: this.#tell(value.getItems(false)) };
    }

    if (typeof value !== 'object' || value === null || !('__helper' in value)) {
      return typeof value === 'object' && value !== null ? { ...value } : value;
    }

    if (!this.#held.includes(value)) {
      this.#held.push(value);
    }

    const entity = value as Entity;

    return {
      is: `${helper(entity).__meta.className} ${this.#held.indexOf(entity)}`,
      key: helper(entity).hasPrimaryKey() ? helper(entity).getSerializedPrimaryKey() : undefined,
      name: entity.name,
      doc: entity.doc === null || entity.doc === undefined ? undefined : String(entity.doc.id),
      isInitialized: wrap(entity).isInitialized(),
      isManaged: helper(entity).isManaged(),
    };
  }

  #identityMapOf(em: EntityManager): unknown {
    // under another schema than its own, an entity would not be found again
    const keys = em.getUnitOfWork().getIdentityMap().keys();

    return keys.map(key => key.replace(/^(?:(Label)-public|(\w+)-(?:acme|public)):/, '$1$2 ')).sort();
  }
}

class RolledBack extends Error {}

function dataOf(kind: Kind, key: number): object {
  const id = keyOf(kind, key);
  const doc = `doc ${key}`;
  const data: Readonly<Partial<Record<Kind, object>>> = {
    Pair: { doc, slot: key, name: 'new' },
    Item: { name: `item ${key}`, doc },
    Note: { id, doc, name: 'new' },
  };

  return data[kind] ?? { id, name: 'new' };
}

/** What a Doc has in its collections, as data. */
function itemsOf(key: number): object {
  return {
    notes: [{ id: keyOf('Note', key), name: 'of a doc' }],
    items: [{ name: 'of a doc' }],
    labels: [keyOf('Label', key)],
    owner: keyOf('Person', key),
  };
}

// `any`, as the key of each entity has a type of its own
function keyOf(kind: Kind, key: number): any {
  const keys: Readonly<Partial<Record<Kind, unknown>>> = {
    Pair: [`doc ${key}`, key],
    Item: key,
    Note: `00000000-0000-4000-8000-00000000000${key}`,
  };

  return keys[kind] ?? `${kind.toLowerCase()} ${key}`;
}

const ORDER: Readonly<Record<Kind, object>> = {
  Doc: { id: 'asc' },
  Note: { id: 'asc' },
  Pair: { slot: 'asc', doc: 'asc' },
  Item: { id: 'asc' },
  Label: { id: 'asc' },
  Person: { id: 'asc' },
};
