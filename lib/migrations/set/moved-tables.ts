import { AsyncLocalStorage } from 'node:async_hooks';
import type { DatabaseSchema, DatabaseTable } from '@mikro-orm/postgresql';
import { MigrationError } from '../../errors/index.js';

/** Runs `fn`, in which a migration may be created that drops tables whose entities have moved. */
export function allowDrops<Result>(fn: () => Result): Result {
  return allowed.run(true, fn);
}

/**
 * Refuses a migration that drops a table, with all its rows, because its entity was shared and is a tenant's now, or the reverse.
 *
 * @throws MigrationError `MIGRATION_DROPS_ROWS`
 */
export function refuseDrops(from: DatabaseSchema | undefined, { to, moved, set }: Move): void {
  if (from === undefined || allowed.getStore() === true) {
    return;
  }

  const names = movedTables(from, { to, moved }).map(({ name }) => name);

  if (names.length > 0) {
    throw MigrationError.dropsRows(names, set);
  }
}

/** Leaves tables whose entities have moved out of a comparison. MikroORM keeps such a table, but drops its foreign keys. */
export function keepTables(from: DatabaseSchema | undefined, move: Pick<Move, 'to' | 'moved'>): void {
  const kept = new Set(from === undefined ? [] : movedTables(from, move));
  from?.setTables(from.getTables().filter(table => !kept.has(table)));
}

function movedTables(from: DatabaseSchema, { to, moved }: Pick<Move, 'to' | 'moved'>): DatabaseTable[] {
  return from.getTables().filter(table => moved.has(table.name) && !to.hasTable(table.getShortestName(false)));
}

interface Move {
  readonly to: DatabaseSchema;
  /** The tables of the entities of the other kind. */
  readonly moved: ReadonlySet<string>;
  readonly set: 'public' | 'tenant';
}

const allowed = new AsyncLocalStorage<boolean>();
