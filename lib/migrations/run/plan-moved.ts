import { SchemaMissingError } from '../../errors/index.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import type { PlannedRun } from './plan-run.js';
import type { TenantSelection } from './selection.js';

/**
 * Plans for the tenants of these names, and where some were renamed or deleted before their histories were read, for those that are there since, be it
 * under another name. `moved` are the names that are nobody's any more.
 */
export async function planWithMoved(
  database: TenantDatabase,
  schemaNames: readonly string[],
  { selection, plan }: { readonly selection: TenantSelection; readonly plan: (schemaNames: readonly string[]) => Promise<PlannedRun> },
): Promise<PlannedRun & { readonly moved: readonly string[] }> {
  const known = new Set(schemaNames);
  const moved: string[] = [];
  let planned = await plan(schemaNames);

  for (let gone = await goneOf(database, planned); gone.size > 0; gone = await goneOf(database, planned)) {
    moved.push(...gone);
    const others = (await namesNow(database, selection)).filter(name => !known.has(name));
    others.forEach(name => known.add(name));
    planned = joined(without(planned, gone), await plan(others));
  }

  return { ...planned, moved };
}

/** The names without a schema that are no tenant's either. */
async function goneOf(database: TenantDatabase, { refused }: PlannedRun): Promise<ReadonlySet<string>> {
  const missing = refused.filter(({ error }) => error instanceof SchemaMissingError).map(({ schemaName }) => schemaName);
  const still = new Set(missing.length === 0 ? [] : await database.tenants.findSchemaNames({ schemaName: { $in: missing } }));

  return new Set(missing.filter(name => !still.has(name)));
}

/** What else is selected now. What was selected by name, or was not to be touched, is not found under another name. */
async function namesNow(database: TenantDatabase, { only = [], skip = [], where }: TenantSelection): Promise<readonly string[]> {
  if (only.length > 0) {
    return [];
  }

  const names = await database.tenants.findSchemaNames(where);
  const skipped = new Set(skip);

  return skip.length > 0 && !(await areThere(database, skip)) ? [] : names.filter(name => !skipped.has(name));
}

async function areThere(database: TenantDatabase, names: readonly string[]): Promise<boolean> {
  return (await database.tenants.findSchemaNames({ schemaName: { $in: [...names] } })).length === new Set(names).size;
}

function without(planned: PlannedRun, gone: ReadonlySet<string>): PlannedRun {
  return { ...planned, total: planned.total - gone.size, refused: planned.refused.filter(({ schemaName }) => !gone.has(schemaName)) };
}

function joined(one: PlannedRun, other: PlannedRun): PlannedRun {
  return {
    total: one.total + other.total,
    unread: [...one.unread, ...other.unread],
    work: [...one.work, ...other.work],
    refused: [...one.refused, ...other.refused],
    unknown: [...one.unknown, ...other.unknown],
  };
}
