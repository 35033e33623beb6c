import type { TenantDatabase } from '../../database/tenant-database.js';
import { lockTenant } from '../../database/tenant-lock.js';
import { findDrift, type TenantDrift } from '../../migrations/run/drift.js';
import { selectSchemaNames, type TenantSelection } from '../../migrations/run/selection.js';
import type { TenantMixin } from '../../tenant/tenant-mixin.js';
import { checkFunctionPaths, checkIndexes, checkPublicRows } from './check-objects.js';
import { checkLocalTables } from './check-local-tables.js';
import { checkRoles } from './check-roles.js';
import { checkSchemas } from './check-schemas.js';
import { checkSequences } from './check-sequences.js';
import { checkServer } from './check-server.js';
import type { DoctorReport, Finding, MendedFinding } from './finding.js';

export interface DoctorOptions<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> extends TenantSelection<Tenant> {
  /**
   * Whether what has to be read from each tenant is looked at too: whether its objects are those that the set makes, and whether its sequences are
   * behind their columns.
   *
   * @default false
   */
  readonly deep?: boolean;

  /** Whether the findings that can be mended safely are mended. @default false */
  readonly fix?: boolean;

  /** Called with each finding as it is found. */
  readonly onFinding?: (finding: Finding) => void;

  /** Called while each tenant is looked at, with `deep`. */
  readonly onProgress?: (what: 'drift' | 'sequences', done: number, total: number) => void;
}

/** Looks for what is not as it should be, by statements over the whole catalog. Changes nothing without `fix`. */
export async function examine(database: TenantDatabase, options: DoctorOptions): Promise<DoctorReport> {
  const { deep = false, fix = false, onFinding, onProgress } = options;
  const selected = isSelective(options) ? new Set(await selectSchemaNames(database, options)) : undefined;
  const { names: all, findings: ofSchemas } = await checkSchemas(database);
  const names = selected ?? all;
  const findings: Finding[] = [];
  const add = (found: readonly Finding[]): void => {
    for (const finding of found) {
      if (selected === undefined || (finding.schemaName !== undefined && selected.has(finding.schemaName))) {
        findings.push(finding);
        onFinding?.(finding);
      }
    }
  };

  add(ofSchemas);
  add(await checkIndexes(database, names));
  add(await checkFunctionPaths(database, names));
  add(await checkRoles(database, names));
  add(await checkPublicRows(database));
  add(await checkLocalTables(database, names));
  add(await checkServer(database, all));

  if (deep) {
    add(await checkSequences(database, names, (done, total) => onProgress?.('sequences', done, total)));
    const { drifted } = await findDrift(database, options, (done, total) => onProgress?.('drift', done, total));
    add(drifted.map(driftFinding));
  }

  const results = fix ? await mend(database, findings) : [];

  return {
    tenants: names.size,
    findings,
    mended: results.filter(({ error }) => error === undefined),
    failed: results.filter(({ error }) => error !== undefined),
  };
}

/** Mends what can be mended safely, each in a transaction of its own, and goes on where one fails. */
async function mend(database: TenantDatabase, findings: readonly Finding[]): Promise<MendedFinding[]> {
  const results: MendedFinding[] = [];

  for (const finding of findings.filter(({ fix }) => fix !== undefined)) {
    try {
      await mendOne(database, finding);
      results.push({ finding });
    } catch (error) {
      results.push({ finding, error });
    }
  }

  return results;
}

async function mendOne(database: TenantDatabase, { schemaName, fix = [] }: Finding): Promise<void> {
  // not in a transaction
  if (fix.some(({ sql }) => sql.includes(' concurrently '))) {
    for (const { sql, params = [] } of fix) {
      await database.execute(sql, params, undefined);
    }

    return;
  }

  await database.inTransaction(async ctx => {
    await database.execute(`set local lock_timeout to ${LOCK_TIMEOUT_MS}`, [], ctx);

    if (schemaName !== undefined) {
      await lockTenant(database, schemaName, ctx);
    }

    for (const { sql, params = [] } of fix) {
      await database.execute(sql, params, ctx);
    }
  });
}

function driftFinding({ schemaName, lacks, has, differs }: TenantDrift): Finding {
  const parts = Object.entries({ lacks, has, 'differs in': differs }).filter(([, objects]) => objects.length > 0);

  return {
    kind: 'drift',
    schemaName,
    message: `it is not what the tenant set makes: it ${parts.map(([verb, objects]) => `${verb} ${objects.join(', ')}`).join('; ')}`,
    remedy: 'Write a migration that all tenants get, or change it back by hand.',
  };
}

function isSelective({ only = [], skip = [], where }: DoctorOptions): boolean {
  return only.length > 0 || skip.length > 0 || where !== undefined;
}

/** A tenant that is migrated or used at the moment is left as it is. */
const LOCK_TIMEOUT_MS = 2_000;
