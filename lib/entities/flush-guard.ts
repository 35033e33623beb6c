import type { ChangeSet } from '@mikro-orm/core';
import { checkChangeSets, checkCollections, type Flush } from './flush-check.js';
import { PlannedChanges, type ChangeSetGroups } from './planned-changes.js';

/**
 * Makes a unit of work check its changes as late as possible. A subscriber would be too early, because the hooks of later subscribers can still
 * set relations: `onFlush` before the transaction, `beforeCreate` and `beforeUpdate` inside it. A refusal inside the transaction rolls it back.
 *
 * Relies on three methods of MikroORM 7. `getChangeSetGroups` is called after every `onFlush` and before the transaction begins.
 * `commitCollectionUpdates` writes the collections. `runForEachSchema` of the change set persister runs every insert, update and delete of a
 * flush, after its hooks. None of them is documented API. `spec/entities/flush-hooks.spec.ts` fails if one of them changes.
 *
 * Nearly every request has a unit of work that is guarded once, so the functions in their place are the same for all.
 */
export function guardFlush(flush: Flush, checks: FlushChecks): void {
  const uow = flush.uow as unknown as GuardedUnitOfWork;

  if (uow.flushGuard !== undefined) {
    return;
  }

  const persister = uow.getChangeSetPersister();
  const { getChangeSetGroups, commitCollectionUpdates } = uow;
  const { runForEachSchema } = persister;
  const guard: FlushGuard = {
    flush,
    checks,
    planned: new PlannedChanges(flush),
    getChangeSetGroups,
    commitCollectionUpdates,
    runForEachSchema,
  };
  uow.flushGuard = guard;
  uow.getChangeSetGroups = groupsAfterCheck;
  uow.commitCollectionUpdates = commitCheckedCollections;
  persister.flushGuard = guard;
  persister.runForEachSchema = runChecked;
}

function groupsAfterCheck(this: GuardedUnitOfWork, ...args: unknown[]): ChangeSetGroups {
  const { flush, checks, planned, getChangeSetGroups } = guardOf(this);
  checks.beforeTransaction(flush);
  const groups = getChangeSetGroups.apply(this, args);
  planned.take(groups);

  return groups;
}

async function commitCheckedCollections(this: GuardedUnitOfWork, ...args: unknown[]): Promise<void> {
  const { flush, commitCollectionUpdates } = guardOf(this);
  checkCollections(flush);

  return commitCollectionUpdates.apply(this, args);
}

async function runChecked(this: GuardedPersister, changeSets: ChangeSets, ...rest: unknown[]): Promise<void> {
  const { flush, checks, planned, runForEachSchema } = guardOf(this);
  checkChangeSets(changeSets, flush, { mayHaveChanged: planned.mayHaveChanged(changeSets) });

  try {
    const waiting = checks.beforeWrite(changeSets, flush);

    if (waiting !== undefined) {
      await waiting;
    }

    return await runForEachSchema.call(this, changeSets, ...rest);
  } catch (error) {
    throw checks.explain(error, changeSets, flush);
  }
}

function guardOf({ flushGuard }: { readonly flushGuard?: FlushGuard }): FlushGuard {
  return flushGuard as FlushGuard;
}

/** What else is checked, and when. */
export interface FlushChecks {
  /** After all hooks of `onFlush`. */
  beforeTransaction(flush: Flush): void;

  /** After the hooks of these changes. */
  beforeWrite(changeSets: readonly ChangeSet<object>[], flush: Flush): void | Promise<void>;

  /** What an error of such a write is to the caller. */
  explain(error: unknown, changeSets: readonly ChangeSet<object>[], flush: Flush): unknown;
}

interface FlushGuard {
  readonly flush: Flush;
  readonly checks: FlushChecks;
  readonly planned: PlannedChanges;
  readonly getChangeSetGroups: GuardedUnitOfWork['getChangeSetGroups'];
  readonly commitCollectionUpdates: GuardedUnitOfWork['commitCollectionUpdates'];
  readonly runForEachSchema: GuardedPersister['runForEachSchema'];
}

type ChangeSets = readonly ChangeSet<object>[];

/** The parts of MikroORM's unit of work that are wrapped here. */
interface GuardedUnitOfWork {
  flushGuard?: FlushGuard;
  getChangeSetGroups: (this: GuardedUnitOfWork, ...args: unknown[]) => ChangeSetGroups;
  commitCollectionUpdates: (this: GuardedUnitOfWork, ...args: unknown[]) => Promise<void>;
  getChangeSetPersister(): GuardedPersister;
}

interface GuardedPersister {
  flushGuard?: FlushGuard;
  runForEachSchema: (this: GuardedPersister, changeSets: ChangeSets, ...rest: unknown[]) => Promise<void>;
}
