import { TenantError } from '../../errors/index.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { namesOf, readHistories, type ReadOptions } from '../history/histories.js';
import type { TenantWork } from './tenant-run.js';
import type { MigrationSet, TenantMigration } from '../set/migration-set.js';
import { refusalOf } from './refusal.js';
import { planMigrations, unknownMigrations, type MigrationTarget } from './plan.js';

/** The plan of a run: the tenants to migrate, and those that cannot be migrated. All others are up to date. */
export interface PlannedRun {
  readonly total: number;
  /** Tenants whose history was not read, because the run was stopped. */
  readonly unread: readonly string[];
  readonly work: readonly TenantWork[];
  readonly refused: readonly { readonly schemaName: string; readonly error: unknown }[];
  /** Tenants whose history contains migrations that are not in the set. */
  readonly unknown: readonly { readonly schemaName: string; readonly migrations: readonly string[] }[];
}

/** The set of a run. */
export interface PlannedSet {
  readonly load: () => Promise<MigrationSet>;
  /** The names of all its files, where nothing else matters to a history that has them all and no others. It is not loaded for such a one. */
  readonly fileNames?: ReadonlySet<string> | undefined;
}

/** Reads all histories and plans the migrations for each tenant. Changes nothing. */
export async function planRun(
  database: TenantDatabase,
  set: PlannedSet,
  target: MigrationTarget,
  schemaNames: readonly string[],
  options: ReadOptions,
): Promise<PlannedRun> {
  const plans = new Map<string, HistoryPlan>();
  const work: TenantWork[] = [];
  const refused: { schemaName: string; error: unknown }[] = [];
  const unknown: { schemaName: string; migrations: readonly string[] }[] = [];

  const unread = new Set(schemaNames);

  // a file that cannot be loaded is told of before there are tenants
  if (schemaNames.length === 0) {
    await set.load();
  }

  for await (const batch of readHistories(database, schemaNames, options)) {
    for (const history of batch) {
      const { schemaName, schemaOid, executed } = history;
      unread.delete(schemaName);
      // most tenants have the same history, so each history is planned and stored only once
      const plan = plans.get(executed) ?? (isWhole(executed, set) ? UP_TO_DATE : planHistory(await set.load(), target, executed));
      plans.set(executed, plan);
      const error = refusalOf(database, history, target.direction) ?? plan.error;

      if (error !== undefined) {
        refused.push({ schemaName, error });
      } else if (plan.planned.length > 0) {
        work.push({ schemaName, schemaOid, executed: plan.executed, planned: plan.planned });
      }

      if (plan.unknown.length > 0) {
        unknown.push({ schemaName, migrations: plan.unknown });
      }
    }
  }

  return { total: schemaNames.length, unread: [...unread], work, refused, unknown };
}

function isWhole(executed: string, { fileNames }: PlannedSet): boolean {
  const names = fileNames === undefined ? [] : namesOf({ executed });

  return (
    names.length > 0 && names.length === fileNames?.size && new Set(names).size === names.length && names.every(name => fileNames.has(name))
  );
}

interface HistoryPlan {
  readonly executed: string;
  readonly planned: readonly TenantMigration[];
  readonly unknown: readonly string[];
  readonly error: TenantError | undefined;
}

const UP_TO_DATE: HistoryPlan = { executed: '', planned: [], unknown: [], error: undefined };

/** What a run does in a schema with this history. */
export function planHistory(set: MigrationSet, target: MigrationTarget, executed: string): HistoryPlan {
  const names = namesOf({ executed });
  const plan = { executed, unknown: unknownMigrations(set, names) };

  try {
    return { ...plan, planned: planMigrations(set, names, target), error: undefined };
  } catch (error) {
    // a later migration would have to be reverted first, but it is not in the set, or the history has one under another name
    if (error instanceof TenantError) {
      return { ...plan, planned: [], error };
    }

    throw error;
  }
}
