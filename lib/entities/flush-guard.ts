import type { ChangeSet, UnitOfWork } from '@mikro-orm/core';
import { checkChangeSets, checkCollections, type Flush } from './flush-check.js';

/**
 * Has a unit of work ask before it writes, at the last moment there is. What MikroORM tells a subscriber comes before the hooks of
 * other subscribers, and those may set relations: `onFlush` of a later subscriber before the transaction, `beforeCreate` and
 * `beforeUpdate` within it, which is then rolled back.
 *
 * Relies on `getChangeSetGroups`, which MikroORM 7 calls after every `onFlush` and before it begins the transaction, on
 * `commitCollectionUpdates`, and on `runForEachSchema` of the change set persister, through which every insert, update and delete of
 * a flush goes after its hooks. None is documented API; `spec/orm/flush-hooks.spec.ts` fails if one of them changes.
 */
export function guardFlush(flush: Flush, beforeTransaction: () => void): void {
  const uow = flush.uow as unknown as OpenUnitOfWork;

  if (guarded.has(flush.uow)) {
    return;
  }

  guarded.add(flush.uow);
  const persister = uow.getChangeSetPersister();
  const getChangeSetGroups = uow.getChangeSetGroups.bind(uow);
  const commitCollectionUpdates = uow.commitCollectionUpdates.bind(uow);
  const runForEachSchema = persister.runForEachSchema.bind(persister);

  uow.getChangeSetGroups = (...args) => {
    beforeTransaction();

    return getChangeSetGroups(...args);
  };

  uow.commitCollectionUpdates = async (...args) => {
    checkCollections(flush);

    return commitCollectionUpdates(...args);
  };

  persister.runForEachSchema = async (changeSets, ...rest) => {
    checkChangeSets(changeSets, flush);

    return runForEachSchema(changeSets, ...rest);
  };
}

const guarded = new WeakSet<UnitOfWork>();

/** The parts of MikroORM's unit of work that are wrapped here. */
interface OpenUnitOfWork {
  getChangeSetGroups(...args: unknown[]): unknown;
  commitCollectionUpdates(...args: unknown[]): Promise<void>;
  getChangeSetPersister(): {
    runForEachSchema(changeSets: readonly ChangeSet<object>[], ...rest: unknown[]): Promise<void>;
  };
}
