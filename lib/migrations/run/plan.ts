import { MigrationError } from '../../errors/index.js';
import type { MigrationSet, TenantMigration } from '../set/migration-set.js';

/** The target of a run, like in MikroORM's migrator. Names are those in the history. */
export interface MigrationTarget {
  readonly direction: 'up' | 'down';
  /** Up: the last migration to run. Down: the last migration to keep; `0` keeps none. */
  readonly to?: string | 0;
  /** Up only: run the migrations after this one. */
  readonly from?: string;
  /** Only these migrations. */
  readonly only?: readonly string[];
}

/**
 * The migrations to run in a schema with the history `executed`, in order. Down without a target reverts the latest migration.
 *
 * @throws MigrationError `MIGRATION_UNKNOWN` if a later migration would have to be reverted first and is not in the set.
 */
export function planMigrations(set: MigrationSet, executed: readonly string[], target: MigrationTarget): TenantMigration[] {
  const has = new Set(executed);

  if (target.direction === 'up') {
    return inRange(set, target).filter(({ name }) => !has.has(name));
  }

  const applied = executed.toReversed();

  if (target.only !== undefined) {
    return migrationsNamed(
      set,
      applied.filter(name => target.only?.includes(name)),
    );
  }

  if (target.to === undefined) {
    return migrationsNamed(set, applied.slice(0, 1));
  }

  // in the order of the set, so that a schema that never had `to` still keeps the migrations before it
  const kept = target.to === 0 ? [] : set.slice(0, set.findIndex(({ name }) => name === target.to) + 1).map(({ name }) => name);
  const last = applied.findLastIndex(name => !kept.includes(name) && set.some(migration => migration.name === name));

  // migrations may have run out of order, so some of these are kept
  return migrationsNamed(
    set,
    applied.slice(0, last + 1).filter(name => !kept.includes(name)),
  );
}

/** The names in a history that are not in the set, for example after a return to an older version of the application. */
export function unknownMigrations(set: MigrationSet, executed: readonly string[]): string[] {
  const known = new Set(set.map(({ name }) => name));

  return executed.filter(name => !known.has(name));
}

/**
 * Checks that the set contains every migration that the target names.
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

function migrationsNamed(set: MigrationSet, names: readonly string[]): TenantMigration[] {
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
