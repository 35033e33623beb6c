import { MigrationSetError, RunUsageError, SchemaMissingError } from '../../errors/index.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { History } from '../history/history.js';
import { deleteMigrations, fileOf, writeRollup } from '../set/combined-migration.js';
import {
  loadAllMigrations,
  migrationsFolder,
  tenantMigrationsOptions,
  withoutReplaced,
  type MigrationSet,
  type TenantMigration,
} from '../set/migration-set.js';
import { driftOf, readMade } from './drift.js';
import { readMadeSchema } from './made-schema.js';
import type { RunPreview } from './preview.js';
import { migrateTenants } from './run.js';
import type { MigrateOptions, RunResult } from './run-types.js';
import { migrationStatus, type TenantMigrationStatus } from './status.js';

/** Options of a run over all tenants that runs no migration. */
export type RollUpOptions = Omit<
  MigrateOptions,
  'direction' | 'to' | 'from' | 'migrations' | 'skipPublicCheck' | 'only' | 'skip' | 'where' | 'canary'
>;

/** The combined migration, and the run that recorded it in the histories. */
export interface RollUpResult extends RunResult {
  /** The path of the file. */
  readonly fileName: string;
}

/**
 * Combines all migrations of the tenant set into one, and records it in the place of the others in the history of every tenant. It has to make
 * the same objects as the others did. Other databases get the new entry by their next `up`. What an earlier call has left undone is finished.
 *
 * @throws MigrationSetError `MIGRATION_ROLLED_UP` with the tenants that lack a migration, `MIGRATION_NOT_COMBINED`. No file is changed.
 */
export async function rollUp(database: TenantDatabase, options: RollUpOptions = {}): Promise<RollUpResult> {
  if (database.isInTransaction) {
    throw RunUsageError.inTransaction();
  }

  const plan = await planRollUp(database);
  const refused = plan.tenants.filter(({ refusal }) => refusal !== undefined);

  if (refused.length > 0) {
    const [first] = refused.filter(({ refusal }) => !(refusal instanceof MigrationSetError)).map(({ refusal }) => refusal);
    throw MigrationSetError.behind(
      refused.map(({ schemaName }) => schemaName),
      first,
    );
  }

  const { fileName, names } = plan.begun === undefined ? await combine(database, plan.set) : await finish(database, plan);

  return { ...(await migrateTenants(database, { ...options, migrations: names, skipPublicCheck: true })), fileName };
}

/** Returns what `rollUp` would record, and which tenants it would be refused for. The combined migration is tried, and nothing is kept. */
export async function previewRollUp(database: TenantDatabase): Promise<RunPreview[]> {
  const plan = await planRollUp(database);
  const able = plan.tenants.filter(({ refusal }) => refusal === undefined);
  const refused = plan.tenants.flatMap(({ schemaName, refusal: error }) =>
    error === undefined ? [] : [{ schemaNames: [schemaName], migrations: [], sql: [], error }],
  );
  const made = plan.begun ?? [await tryToCombine(database, plan.set)];
  const [first] = able;

  if (first === undefined) {
    return refused;
  }

  const history = new History(database, first.schemaName);
  const sql = made.flatMap(({ name, replaces = [] }) => history.replaceSql(replaces, name));

  return [{ schemaNames: able.map(({ schemaName }) => schemaName), migrations: made.map(({ name }) => name), sql }, ...refused];
}

interface RollUpPlan {
  /** All files, also those that a combination has left. */
  readonly all: MigrationSet;
  readonly set: MigrationSet;
  /** The combined migrations of an earlier call that was interrupted. */
  readonly begun: readonly TenantMigration[] | undefined;
  readonly tenants: readonly { readonly schemaName: string; readonly refusal: unknown }[];
}

async function planRollUp(database: TenantDatabase): Promise<RollUpPlan> {
  const all = await loadAllMigrations(database);
  const set = withoutReplaced(all);
  const { tenants } = await migrationStatus(database);
  const combined = set.filter(({ replaces = [] }) => replaces.length > 0);
  const isBegun = set.length < all.length || tenants.some(({ pending }) => combined.some(({ name }) => pending.includes(name)));
  const begun = isBegun ? combined : undefined;

  if (begun === undefined && set.length < 2) {
    throw MigrationSetError.notCombined(`the tenant set has ${set.length === 0 ? 'no migration' : 'only one migration'}`);
  }

  return { all, set, begun, tenants: tenants.map(each => ({ schemaName: each.schemaName, refusal: refusalOf(each, begun) })) };
}

function refusalOf(
  { schemaName, hasSchema, pending, executed, error }: TenantMigrationStatus,
  begun: readonly TenantMigration[] = [],
): unknown {
  const isOnlyRecorded = (name: string): boolean =>
    begun.some(each => each.name === name && each.replaces?.every(replaced => executed.includes(replaced)) === true);

  if (!hasSchema) {
    return SchemaMissingError.ofTenant(schemaName);
  }

  return error ?? (pending.every(isOnlyRecorded) ? undefined : MigrationSetError.behind([schemaName]));
}

async function combine(database: TenantDatabase, set: MigrationSet): Promise<{ readonly fileName: string; readonly names: string[] }> {
  const { all: objects } = await readMade(database, set);
  const { fileName, name } = await writeRollup({ database, readMadeSchema }, set, async migration => {
    await checkMade(database, objects, [migration]);

    return true;
  });

  return { fileName, names: [name] };
}

async function tryToCombine(database: TenantDatabase, set: MigrationSet): Promise<Pick<TenantMigration, 'name' | 'replaces'>> {
  const { all: objects } = await readMade(database, set);
  const { name } = await writeRollup({ database, readMadeSchema }, set, async migration => {
    await checkMade(database, objects, [migration]);

    return false;
  });

  return { name, replaces: set.map(each => each.name) };
}

/** Deletes what the combined migrations stand for, if they make the same. */
async function finish(
  database: TenantDatabase,
  { all, set, begun = [] }: RollUpPlan,
): Promise<{ readonly fileName: string; readonly names: string[] }> {
  const left = all.filter(each => !set.includes(each));
  const names = begun.map(({ name }) => name);

  // it may not have been tried before
  if (left.length > 0) {
    const { all: objects } = await readMade(
      database,
      all.filter(each => !begun.includes(each)),
    );
    await checkMade(database, objects, set);
    await deleteMigrations(
      database,
      left.map(({ name }) => name),
    );
  }

  return { fileName: fileOf(migrationsFolder(database, tenantMigrationsOptions(database)), names.at(-1) ?? ''), names };
}

async function checkMade(database: TenantDatabase, objects: Awaited<ReturnType<typeof readMade>>['all'], set: MigrationSet): Promise<void> {
  const drift = driftOf('', objects, (await readMade(database, set)).all);

  if (drift !== undefined) {
    const differs = [...drift.lacks, ...drift.has, ...drift.differs];
    throw MigrationSetError.notCombined(`what was combined makes other objects than the migrations do: ${differs.join(', ')}`);
  }
}
