import type { Transaction } from '@mikro-orm/core';
import { SchemaMissingError } from '../../errors/index.js';
import { quoteIdentifier } from '../../postgres/schema-name.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { History } from '../history/history.js';
import { SERVER_SESSION } from './commits.js';
import { migrateSchema } from './migrate-schema.js';
import { namesOf } from '../history/histories.js';
import { OtherSchemaError } from './moved-tenants.js';
import type { Way } from './script.js';
import type { TenantRun, TenantWork } from './tenant-run.js';
import type { TenantMigration } from '../set/migration-set.js';
import { planMigrations } from './plan.js';
import { replacedIn } from './succession.js';
import { LOCK_KEY } from '../../database/tenant-lock.js';

/** The part of a tenant's plan that ran in one transaction. */
export interface Step {
  readonly done: readonly string[];
  /** The next migration, if it cannot run in this transaction. */
  readonly next: TenantMigration | undefined;
}

/**
 * Takes the tenant's lock, plans again, and runs the migrations in the given transaction, up to the first one that cannot run in a
 * transaction, or as many as `atMost`. With `whole`, nothing runs if the plan contains a migration that cannot run in a transaction.
 *
 * @throws SchemaMissingError, MigrationError
 */
export async function migrateStep(
  database: TenantDatabase,
  work: TenantWork,
  run: TenantRun & { readonly ctx: Transaction; readonly whole: boolean; readonly atMost?: number; readonly way?: Way },
): Promise<Step | 'busy'> {
  const { schemaName } = work;
  const { ctx, target, whole, atMost = Infinity, way = 'block' } = run;
  const state = await openRun(database, schemaName, run);

  if (!state.has_schema) {
    throw SchemaMissingError.ofTenant(schemaName);
  }

  if (!state.locked) {
    return 'busy';
  }

  refuseOtherSchema(work, state);

  // a separate statement after the lock, so that it sees the changes of another run
  const history = new History(database, schemaName);
  const executed = state.has_history ? await history.read(ctx) : await history.executed(ctx);
  const names = executed.map(({ name }) => name);
  const planned = replan(work, names, run);
  const stop = planned.findIndex(migration => !migration.transactional && replacedIn(migration, names).length === 0);
  const now = planned.slice(0, Math.min(atMost, stop === -1 ? planned.length : whole ? 0 : stop));
  const next = planned[now.length];

  if (now.length > 0 || (next !== undefined && !whole)) {
    await migrateSchema(database, {
      schemaName,
      direction: target.direction,
      planned: now,
      executed: names,
      ctx,
      hasHistory: state.has_history,
      way,
    });
  }

  return { done: now.map(({ name }) => name), next };
}

/**
 * The migrations that are left to run. Downwards, never more than was planned: without a target, the last migration is reverted. After
 * another run, or after a commit whose response was lost, the last migration would be a different one.
 */
function replan({ planned, executed: before }: TenantWork, executed: readonly string[], { set, target }: TenantRun): TenantMigration[] {
  if (target.direction === 'up') {
    return planMigrations(set, executed, target);
  }

  const had = namesOf({ executed: before });
  const hasNewer = target.only === undefined && executed.some(name => !had.includes(name));

  // newer migrations would have to be reverted first
  return hasNewer ? [] : planned.filter(({ name }) => executed.includes(name));
}

interface OpenedRun {
  readonly locked: boolean;
  readonly has_schema: boolean;
  readonly has_history: boolean;
  readonly schema_oid?: string | null;
  readonly session?: string | null;
}

/** @throws OtherSchemaError if the tenant was renamed since the run was planned, and another one has its name. */
export function refuseOtherSchema({ schemaOid }: Pick<TenantWork, 'schemaOid'>, { schema_oid: now }: OpenedRun): void {
  if (schemaOid !== undefined && now != null && now !== schemaOid) {
    throw new OtherSchemaError();
  }
}

/** Applies the settings of the run, tries to lock the tenant, and checks for schema and history. One round trip. */
export async function openRun(
  database: TenantDatabase,
  schemaName: string,
  run: TenantRun & { readonly ctx: Transaction },
): Promise<OpenedRun> {
  const { ctx } = run;
  const settings = [...run.settingsOf(schemaName), ...run.commitSettings];
  const set = settings.map(() => 'set_config(?, ?, true)');
  const [state] = await database.execute<OpenedRun>(
    // the session first, as the role of the settings may not see it
    `select ${SERVER_SESSION} as session, ${set.join(', ')}, pg_try_advisory_xact_lock(${LOCK_KEY}) as locked, ` +
      `to_regnamespace(?) is not null as has_schema, to_regnamespace(?)::oid::text as schema_oid, to_regclass(?) is not null as has_history`,
    [
      ...settings.flatMap(([name, value]) => [name, String(value)]),
      schemaName,
      quoteIdentifier(schemaName),
      quoteIdentifier(schemaName),
      new History(database, schemaName).table,
    ],
    ctx,
  );

  run.onSession(state?.session);

  return state ?? { locked: false, has_schema: false, has_history: false };
}
