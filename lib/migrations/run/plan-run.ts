import { MigrationError, SchemaMissingError } from '../../errors/index.js';
import { notOwned } from '../../provisioning/schemas.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { namesOf, readHistories, type ReadOptions, type SchemaHistory } from '../history/histories.js';
import type { TenantWork } from './migrate-tenant.js';
import type { MigrationSet, TenantMigration } from '../set/migration-set.js';
import { planMigrations, unknownMigrations, type MigrationTarget } from './plan.js';

/** What a run found: who has something to do, and who cannot be helped. The rest is up to date. */
export interface PlannedRun {
  readonly total: number;
  /** Tenants that were not looked at, as the run was stopped. */
  readonly unread: readonly string[];
  readonly work: readonly TenantWork[];
  readonly refused: readonly { readonly schemaName: string; readonly error: unknown }[];
  /** Tenants whose history names migrations that the set does not have. */
  readonly unknown: readonly { readonly schemaName: string; readonly migrations: readonly string[] }[];
}

/** Looks at all histories and plans what is to run in each. Changes nothing. */
export async function planRun(
  database: TenantDatabase,
  set: MigrationSet,
  target: MigrationTarget,
  schemaNames: readonly string[],
  options: ReadOptions,
): Promise<PlannedRun> {
  const plans = new Map<string, HistoryPlan>();
  const work: TenantWork[] = [];
  const refused: { schemaName: string; error: unknown }[] = [];
  const unknown: { schemaName: string; migrations: readonly string[] }[] = [];

  const unread = new Set(schemaNames);

  for await (const batch of readHistories(database, schemaNames, options)) {
    for (const history of batch) {
      const { schemaName, executed } = history;
      unread.delete(schemaName);
      // most tenants have the same history: it is planned, and kept, once
      const plan = plans.get(executed) ?? planHistory(set, target, executed);
      plans.set(executed, plan);
      const error = refusalOf(history, target) ?? plan.error;

      if (error !== undefined) {
        refused.push({ schemaName, error });
      } else if (plan.planned.length > 0) {
        work.push({ schemaName, executed: plan.executed, planned: plan.planned });
      }

      if (plan.unknown.length > 0) {
        unknown.push({ schemaName, migrations: plan.unknown });
      }
    }
  }

  return { total: schemaNames.length, unread: [...unread], work, refused, unknown };
}

/** What keeps a run from a tenant, whatever is to run. */
function refusalOf({ schemaName, hasSchema, isForeign, error }: SchemaHistory, { direction }: MigrationTarget): Error | undefined {
  if (!hasSchema) {
    return new SchemaMissingError(schemaName);
  }

  // downwards there is nothing in it to revert
  return isForeign && direction === 'up' ? notOwned(schemaName, 'migrate') : error;
}

interface HistoryPlan {
  readonly executed: string;
  readonly planned: readonly TenantMigration[];
  readonly unknown: readonly string[];
  readonly error: MigrationError | undefined;
}

function planHistory(set: MigrationSet, target: MigrationTarget, executed: string): HistoryPlan {
  const names = namesOf({ executed });
  const plan = { executed, unknown: unknownMigrations(set, names) };

  try {
    return { ...plan, planned: planMigrations(set, names, target), error: undefined };
  } catch (error) {
    // what came last would have to be reverted first, and it is not in the set
    if (error instanceof MigrationError) {
      return { ...plan, planned: [], error };
    }

    throw error;
  }
}
