import type { TenantDatabase } from '../../database/tenant-database.js';
import { findDrift, type TenantDrift } from '../../migrations/run/drift.js';
import { selectSchemaNames, type TenantSelection } from '../../migrations/run/selection.js';
import type { TenantMixin } from '../../tenant/tenant-mixin.js';
import { checkFunctionPaths, checkIndexes, checkPublicRows } from './check-objects.js';
import { checkRoles } from './check-roles.js';
import { checkSchemas } from './check-schemas.js';
import { checkSequences } from './check-sequences.js';
import { checkServer } from './check-server.js';
import type { DoctorReport, Finding, MendedFinding } from './finding.js';
import { mend } from './mend.js';

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
  const { tenants, findings, busy } = await look(database, options);
  const results = options.fix === true ? await mend(database, findings) : [];
  const failed = results.filter(({ error }) => error !== undefined);
  const left = failed.length === 0 ? new Set<string>() : await leftOf(database, options, failed);

  return {
    tenants,
    findings,
    mended: results.filter(({ finding }) => !left.has(keyOf(finding))).map(({ finding }) => ({ finding })),
    failed: failed.filter(({ finding }) => left.has(keyOf(finding))),
    busy,
  };
}

/** What could not be mended and is there still: somebody else may have mended it at the same time. */
async function leftOf(database: TenantDatabase, options: DoctorOptions, failed: readonly MendedFinding[]): Promise<ReadonlySet<string>> {
  const deep = failed.some(({ finding }) => finding.kind === 'sequence-behind');
  const { findings, busy } = await look(database, { ...options, deep, onFinding: () => undefined, onProgress: () => undefined });
  const now = new Set(findings.map(keyOf));

  return new Set(
    failed
      .map(({ finding }) => finding)
      .filter(each => now.has(keyOf(each)) || busy.includes(each.schemaName ?? ''))
      .map(keyOf),
  );
}

async function look(database: TenantDatabase, options: DoctorOptions): Promise<Pick<DoctorReport, 'tenants' | 'findings' | 'busy'>> {
  const { deep = false, onFinding, onProgress } = options;
  const selected = isSelective(options) ? new Set(await selectSchemaNames(database, options)) : undefined;
  const { names: all, findings: ofSchemas, busy: changing } = await checkSchemas(database);
  const names = selected ?? all;
  const busy = new Set(changing);
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
  add(await checkIndexes(database, names, busy));
  add(await checkFunctionPaths(database, names));
  add(await checkRoles(database, names));
  add(await checkPublicRows(database));
  add(await checkServer(database, all));

  if (deep) {
    add(await checkSequences(database, { names, busy, onProgress: (done, total) => onProgress?.('sequences', done, total) }));
    const { drifted, busy: notCompared } = await findDrift(database, options, (done, total) => onProgress?.('drift', done, total));
    add(drifted.map(driftFinding));
    notCompared.forEach(name => busy.add(name));
  }

  return { tenants: names.size, findings, busy: [...busy].filter(name => names.has(name)).toSorted() };
}

function keyOf({ kind, schemaName, object }: Finding): string {
  return JSON.stringify([kind, schemaName, object]);
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
