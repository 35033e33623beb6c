import { MigrationError, MigrationSetError, RunUsageError, SchemaMissingError } from '../../errors/index.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { namesOf, readHistories, type ReadOptions, type SchemaHistory } from '../history/histories.js';
import { History } from '../history/history.js';
import { loadMigrationSet, type MigrationSet } from '../set/migration-set.js';
import { openRun, refuseOtherSchema } from './migrate-step.js';
import type { PlannedRun } from './plan-run.js';
import type { RunPreview } from './preview.js';
import { refusalOf } from './refusal.js';
import { readOptionsOf, targetOf } from './run-options.js';
import { runOverTenants } from './run-over-tenants.js';
import type { MigrateOptions, RunResult } from './run-types.js';
import { selectSchemaNames } from './selection.js';
import type { TenantRun, TenantRunOutcome, TenantWork } from './tenant-run.js';

/** A change of what is recorded in histories. Nothing is run or reverted. */
export type HistoryChange =
  | { readonly kind: 'log' | 'unlog'; readonly name: string }
  /** The entry gets another name, and keeps its place and its date. */
  | { readonly kind: 'rename'; readonly name: string; readonly to: string };

/** Options of a run that runs no migration. */
export type ChangeHistoryOptions = Omit<MigrateOptions, 'direction' | 'to' | 'from' | 'migrations' | 'skipPublicCheck'>;

/**
 * Changes what is recorded in the history of every selected tenant, each in its own transaction, under its lock.
 *
 * @throws UnknownTenantError, MigrationError, RunUsageError before anything is changed.
 */
export async function changeHistories(
  database: TenantDatabase,
  change: HistoryChange,
  options: ChangeHistoryOptions = {},
): Promise<RunResult> {
  const target = targetOf(options);

  if (database.isInTransaction) {
    throw RunUsageError.inTransaction();
  }

  const set = await loadMigrationSet(database);

  return runOverTenants(database, options, {
    set: async () => set,
    target,
    plan: (schemaNames, read) => planChange(database, { set, change, schemaNames }, read),
    workOn: (_database, { schemaName, schemaOid }, run) => changeHistory(database, { schemaName, schemaOid, change }, run),
  });
}

/** Returns what `changeHistories` would do. Changes nothing. */
export async function previewChange(
  database: TenantDatabase,
  change: HistoryChange,
  options: ChangeHistoryOptions = {},
): Promise<RunPreview[]> {
  const schemaNames = await selectSchemaNames(database, options);
  const planned = { set: await loadMigrationSet(database), change, schemaNames };
  const { work, refused } = await planChange(database, planned, readOptionsOf(options));
  const [first] = work;
  const sql = first === undefined ? [] : statementsOf(change, new History(database, first.schemaName));

  return [
    ...(first === undefined ? [] : [{ schemaNames: work.map(({ schemaName }) => schemaName), migrations: [resultOf(change)], sql }]),
    ...refused.map(({ schemaName, error }) => ({ schemaNames: [schemaName], migrations: [], sql: [], error })),
  ];
}

interface PlannedChange {
  readonly set: MigrationSet;
  readonly change: HistoryChange;
  readonly schemaNames: readonly string[];
}

async function planChange(
  database: TenantDatabase,
  { set, change, schemaNames }: PlannedChange,
  options: ReadOptions,
): Promise<PlannedRun> {
  const has = (name: string): boolean => set.some(migration => migration.name === name);
  const work: PlannedRun['work'][number][] = [];
  const refused: PlannedRun['refused'][number][] = [];
  const unread = new Set(schemaNames);
  const seen = new Set<string>();

  checkChange(change, has);

  for await (const batch of readHistories(database, schemaNames, options)) {
    for (const history of batch) {
      const { schemaName, schemaOid, executed } = history;
      const names = namesOf(history);
      const error = refusalOfChange(database, history, change);
      unread.delete(schemaName);
      names.forEach(name => seen.add(name));

      if (error !== undefined) {
        refused.push({ schemaName, error });
      } else if (isNeeded(change, names)) {
        work.push({ schemaName, schemaOid, executed, planned: [] });
      }
    }
  }

  // a misspelt name would be taken for one that no tenant has any more
  if (change.kind === 'unlog' && !has(change.name) && !seen.has(change.name) && unread.size === 0) {
    throw MigrationError.unknown([change.name]);
  }

  return { total: schemaNames.length, unread: [...unread], work, refused, unknown: [] };
}

function checkChange(change: HistoryChange, has: (name: string) => boolean): void {
  const recorded = change.kind === 'rename' ? change.to : change.name;

  if (change.kind !== 'unlog' && !has(recorded)) {
    throw MigrationError.unknown([recorded]);
  }

  if (change.kind === 'rename' && has(change.name)) {
    throw RunUsageError.option('from', change.name, 'a name that the tenant set does not have any more, as it is to be replaced');
  }
}

function refusalOfChange(database: TenantDatabase, history: SchemaHistory, change: HistoryChange): unknown {
  const names = namesOf(history);

  if (change.kind === 'rename' && names.includes(change.name) && names.includes(change.to)) {
    return MigrationSetError.recordedTwice(change.name, change.to);
  }

  return refusalOf(database, history, 'up');
}

function isNeeded({ kind, name }: HistoryChange, executed: readonly string[]): boolean {
  return executed.includes(name) !== (kind === 'log');
}

async function changeHistory(
  database: TenantDatabase,
  { schemaName, schemaOid, change }: Pick<TenantWork, 'schemaName' | 'schemaOid'> & { readonly change: HistoryChange },
  run: TenantRun,
): Promise<TenantRunOutcome> {
  return database.inTransaction(async ctx => {
    const state = await openRun(database, schemaName, { ...run, ctx });

    if (!state.has_schema) {
      throw SchemaMissingError.ofTenant(schemaName);
    }

    if (!state.locked) {
      return 'busy';
    }

    refuseOtherSchema({ schemaOid }, state);

    const history = new History(database, schemaName);
    // a separate statement after the lock, so that it sees the changes of another run
    const executed = (await history.executed(ctx)).map(({ name }) => name);

    if (!isNeeded(change, executed)) {
      return [];
    }

    if (change.kind === 'rename' && executed.includes(change.to)) {
      throw MigrationSetError.recordedTwice(change.name, change.to);
    }

    for (const sql of statementsOf(change, history)) {
      await database.execute(sql, [], ctx);
    }

    return [resultOf(change)];
  });
}

function statementsOf(change: HistoryChange, history: History): string[] {
  switch (change.kind) {
    case 'log':
      return [history.createTableSql(), history.addSql(change.name)];
    case 'unlog':
      return [history.removeSql(change.name)];
    case 'rename':
      return history.replaceSql([change.name], change.to);
  }
}

function resultOf(change: HistoryChange): string {
  return change.kind === 'rename' ? change.to : change.name;
}
