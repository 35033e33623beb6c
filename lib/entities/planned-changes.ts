import { EventType, type ChangeSet, type EntityMetadata } from '@mikro-orm/core';
import type { Flush } from './flush-check.js';
import { isKeyedByRelation } from './relations.js';

/** What a flush was about to write when it was checked, before its transaction. */
export class PlannedChanges {
  readonly #flush: Flush;
  #classes: readonly EntityMetadata[] = [];
  #areKeyedByRelation = false;

  constructor(flush: Flush) {
    this.#flush = flush;
  }

  /** Writes down what has been checked. MikroORM writes each of these lists as it is here. */
  take(groups: ChangeSetGroups): void {
    // asked for later they may be gone: `em.clear()` in a hook forgets what is still written
    this.#classes = classesOf(this.#flush.uow.getChangeSets());
    this.#areKeyedByRelation = this.#classes.some(isKeyedByRelation);

    for (const lists of Object.values(groups)) {
      for (const list of lists.values()) {
        planned.add(list);
      }
    }
  }

  /** Whether these changes may differ from what was checked: a hook may have set relations, or nothing was checked at all. */
  mayHaveChanged(changeSets: readonly ChangeSet<object>[]): boolean {
    const { uow, em } = this.#flush;

    // `em.insert()` writes without a flush, and MikroORM computes what it has postponed when it writes it
    return !planned.has(changeSets) || this.#areKeyedByRelation || uow.getExtraUpdates().size > 0 || this.hasHooks(em.getEventManager());
  }

  private hasHooks(events: ReturnType<Flush['em']['getEventManager']>): boolean {
    // one that subscribes to some entities alone is told of every transaction
    for (const subscriber of events.getSubscribers()) {
      if (EventType.beforeTransactionStart in subscriber || EventType.afterTransactionStart in subscriber) {
        return true;
      }
    }

    for (const meta of this.#classes) {
      for (const event of ENTITY_HOOKS) {
        if (events.hasListeners(event, meta)) {
          return true;
        }
      }
    }

    return false;
  }
}

function classesOf(changeSets: readonly ChangeSet<object>[]): readonly EntityMetadata[] {
  const classes: EntityMetadata[] = [];
  let last: EntityMetadata | undefined;

  for (const { meta } of changeSets) {
    // most changes are of the class of the one before
    if (meta !== last && !classes.includes(meta)) {
      classes.push(meta);
    }

    last = meta;
  }

  return classes;
}

const planned = new WeakSet<readonly ChangeSet<object>[]>();

const ENTITY_HOOKS = [
  EventType.beforeCreate,
  EventType.afterCreate,
  EventType.beforeUpdate,
  EventType.afterUpdate,
  EventType.beforeDelete,
  EventType.afterDelete,
] as const;

/** What `getChangeSetGroups` returns: by what is done, and by class. */
export type ChangeSetGroups = Readonly<Record<string, ReadonlyMap<unknown, readonly ChangeSet<object>[]>>>;
