import type { ChangeSet, UnitOfWork } from '@mikro-orm/core';
import { checkChangeSets, checkCollections, type Flush } from './flush-check.js';

/**
 * Makes a unit of work check its changes as late as possible. A subscriber would be too early, because the hooks of later subscribers can still
 * set relations: `onFlush` before the transaction, `beforeCreate` and `beforeUpdate` inside it. A refusal inside the transaction rolls it back.
 *
 * Relies on three methods of MikroORM 7. `getChangeSetGroups` is called after every `onFlush` and before the transaction begins.
 * `commitCollectionUpdates` writes the collections. `runForEachSchema` of the change set persister runs every insert, update and delete of a
 * flush, after its hooks. None of them is documented API. `spec/entities/flush-hooks.spec.ts` fails if one of them changes.
 */
export function guardFlush(flush: Flush, checks: FlushChecks): void {
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
    checks.beforeTransaction();

    return getChangeSetGroups(...args);
  };

  uow.commitCollectionUpdates = async (...args) => {
    checkCollections(flush);

    return commitCollectionUpdates(...args);
  };

  persister.runForEachSchema = async (changeSets, ...rest) => {
    checkChangeSets(changeSets, flush);

    try {
      await checks.beforeWrite(changeSets);

      return await runForEachSchema(changeSets, ...rest);
    } catch (error) {
      throw checks.explain(error, changeSets);
    }
  };
}

/** What else is checked, and when. */
export interface FlushChecks {
  /** After all hooks of `onFlush`. */
  beforeTransaction(): void;

  /** After the hooks of these changes. */
  beforeWrite(changeSets: readonly ChangeSet<object>[]): void | Promise<void>;

  /** What an error of such a write is to the caller. */
  explain(error: unknown, changeSets: readonly ChangeSet<object>[]): unknown;
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
