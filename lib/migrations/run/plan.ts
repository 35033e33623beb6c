import { MigrationError } from '../../errors/index.js';
import type { MigrationSet, TenantMigration } from '../set/migration-set.js';
import { checkSuccession } from './succession.js';

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
 * The migrations to run in a schema with the history `executed`, in order. Down without a target reverts the latest migration of the set that
 * the schema has. The order is that of the set, so that it is the same in every tenant, also after a migration with an earlier date that came
 * late.
 *
 * @throws MigrationError `MIGRATION_UNKNOWN` if a migration that ran later would have to be reverted first and is not in the set.
 * @throws MigrationSetError `MIGRATION_RENAMED`, `MIGRATION_ROLLED_UP` if the history has a migration of the set under another name.
 */
export function planMigrations(set: MigrationSet, executed: readonly string[], target: MigrationTarget): TenantMigration[] {
  const has = new Set(executed);

  if (target.direction === 'up') {
    const planned = inRange(set, target).filter(({ name }) => !has.has(name));
    checkSuccession(set, planned, executed);

    return planned;
  }

  const applied = set.filter(({ name }) => has.has(name)).toReversed();

  if (target.only !== undefined) {
    return applied.filter(({ name }) => target.only?.includes(name));
  }

  if (target.to === undefined) {
    const last = executed.at(-1);

    if (applied.length === 0 && last !== undefined) {
      throw MigrationError.unknownInHistory(last);
    }

    return withoutLaterUnknown(set, executed, applied.slice(0, 1));
  }

  // in the order of the set, so that a schema that never had `to` still keeps the migrations before it
  const kept = target.to === 0 ? [] : set.slice(0, set.findIndex(({ name }) => name === target.to) + 1).map(({ name }) => name);

  return withoutLaterUnknown(
    set,
    executed,
    applied.filter(({ name }) => !kept.includes(name)),
  );
}

/** These, unless the history has an unknown one after the first of them. */
function withoutLaterUnknown(set: MigrationSet, executed: readonly string[], planned: readonly TenantMigration[]): TenantMigration[] {
  const names = new Set(planned.map(({ name }) => name));
  const known = new Set(set.map(({ name }) => name));
  const first = executed.findIndex(name => names.has(name));
  const unknown = first === -1 ? undefined : executed.findLast((name, index) => index > first && !known.has(name));

  if (unknown !== undefined) {
    throw MigrationError.unknownInHistory(unknown);
  }

  return [...planned];
}

/** Whether all migrations that are pending are run. */
export function isForAll({ direction, to, from, only }: MigrationTarget): boolean {
  return direction === 'up' && to === undefined && from === undefined && only === undefined;
}

/** The names in a history that are not in the set, for example after a return to an older version of the application. */
export function unknownMigrations(set: MigrationSet, executed: readonly string[]): string[] {
  const known = new Set(set.flatMap(({ name, replaces = [] }) => [name, ...replaces]));

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

function inRange(set: MigrationSet, { to, from, only }: MigrationTarget): MigrationSet {
  if (only !== undefined) {
    return set.filter(({ name }) => only.includes(name));
  }

  const start = from === undefined ? 0 : set.findIndex(({ name }) => name === from) + 1;
  const end = typeof to === 'string' ? set.findIndex(({ name }) => name === to) + 1 : set.length;

  return set.slice(start, end);
}
