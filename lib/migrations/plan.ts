import { MigrationError } from '../errors.js';
import type { MigrationSet, TenantMigration } from './migration-set.js';

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

/** What is to run in a schema that has `executed`, in order. Down without a target reverts the latest one. */
export function planMigrations(set: MigrationSet, executed: readonly string[], target: MigrationTarget): TenantMigration[] {
  const has = new Set(executed);

  if (target.direction === 'up') {
    return inRange(set, target).filter(({ name }) => !has.has(name));
  }

  const applied = executed.toReversed().flatMap(name => set.find(migration => migration.name === name) ?? []);

  if (target.only !== undefined) {
    return applied.filter(({ name }) => target.only?.includes(name));
  }

  if (target.to === undefined) {
    return applied.slice(0, 1);
  }

  // by the order of the set: a schema that never had `to` keeps what comes before it all the same
  const last = target.to === 0 ? -1 : set.findIndex(({ name }) => name === target.to);

  return applied.filter(migration => set.indexOf(migration) > last);
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

function inRange(set: MigrationSet, { to, from, only }: MigrationTarget): MigrationSet {
  if (only !== undefined) {
    return set.filter(({ name }) => only.includes(name));
  }

  const start = from === undefined ? 0 : set.findIndex(({ name }) => name === from) + 1;
  const end = typeof to === 'string' ? set.findIndex(({ name }) => name === to) + 1 : set.length;

  return set.slice(start, end);
}
