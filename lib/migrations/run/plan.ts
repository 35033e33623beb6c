import { MigrationError } from '../../errors/index.js';
import type { MigrationSet, TenantMigration } from '../set/migration-set.js';

/** How far a run goes, in the terms of MikroORM's migrator. Names are those of the history. */
export interface MigrationTarget {
  readonly direction: 'up' | 'down';
  /** Up: the last one to run. Down: the last one to keep; `0` keeps none. */
  readonly to?: string | 0;
  /** Up only: those after this one. */
  readonly from?: string;
  /** These and no others. */
  readonly only?: readonly string[];
}

/**
 * What is to run in a schema that has `executed`, in order. Down without a target reverts the latest one.
 *
 * @throws MigrationError `MIGRATION_UNKNOWN` where a later one would have to be reverted first that the set does not have.
 */
export function planMigrations(set: MigrationSet, executed: readonly string[], target: MigrationTarget): TenantMigration[] {
  const has = new Set(executed);

  if (target.direction === 'up') {
    return inRange(set, target).filter(({ name }) => !has.has(name));
  }

  const applied = executed.toReversed();

  if (target.only !== undefined) {
    return inOrder(
      set,
      applied.filter(name => target.only?.includes(name)),
    );
  }

  if (target.to === undefined) {
    return inOrder(set, applied.slice(0, 1));
  }

  // by the order of the set: a schema that never had `to` keeps what comes before it all the same
  const kept = target.to === 0 ? [] : set.slice(0, set.findIndex(({ name }) => name === target.to) + 1).map(({ name }) => name);
  const last = applied.findLastIndex(name => !kept.includes(name) && set.some(migration => migration.name === name));

  // those of the set that are kept may lie between, where migrations ran out of order
  return inOrder(
    set,
    applied.slice(0, last + 1).filter(name => !kept.includes(name)),
  );
}

/** The names in a history that the set does not have, as after going back to an older version of the application. */
export function unknownMigrations(set: MigrationSet, executed: readonly string[]): string[] {
  const known = new Set(set.map(({ name }) => name));

  return executed.filter(name => !known.has(name));
}

/**
 * Throws unless every migration the target names is in the set.
 *
 * @throws MigrationError `MIGRATION_UNKNOWN`
 */
export function checkTarget(set: MigrationSet, { to, from, only = [] }: MigrationTarget): void {
  const names = [...only, from, to].filter(name => typeof name === 'string');
  const unknown = names.filter(name => !set.some(migration => migration.name === name));

  if (unknown.length > 0) {
    throw MigrationError.unknown(unknown);
  }
}

function inOrder(set: MigrationSet, names: readonly string[]): TenantMigration[] {
  return names.map(name => {
    const found = set.find(migration => migration.name === name);

    if (found === undefined) {
      throw MigrationError.unknownInHistory(name);
    }

    return found;
  });
}

function inRange(set: MigrationSet, { to, from, only }: MigrationTarget): MigrationSet {
  if (only !== undefined) {
    return set.filter(({ name }) => only.includes(name));
  }

  const start = from === undefined ? 0 : set.findIndex(({ name }) => name === from) + 1;
  const end = typeof to === 'string' ? set.findIndex(({ name }) => name === to) + 1 : set.length;

  return set.slice(start, end);
}
