import { CLIHelper } from '@mikro-orm/cli';
import type { TenantService } from '../api/tenant-service.js';
import { reasonOf, type TenantError } from '../errors/index.js';
import type { DriftReport, TenantDrift } from '../migrations/run/drift.js';
import type { MigrationStatus, TenantMigrationStatus } from '../migrations/run/status.js';
import { withoutSchemaName } from '../migrations/run/same-cause.js';
import { dumpFinding } from './citus-findings.js';
import { EXIT } from './exit.js';
import { groupsOf, tenantsNamed } from './groups.js';
import { count, listOf, oneLine, paint, writeJson } from './output.js';
import { selectionOf, type TenantArgs } from './tenant-args.js';
import { withTenantsOf } from './with-tenants-of.js';

/** `migration:list --tenants` */
export function listOfTenants(args: TenantArgs): Promise<number> {
  return withTenantsOf(args, async tenants => {
    const histories = await tenants.histories(selectionOf(args));
    const migrations = histories.flatMap(({ schemaName, executed, error }) => [
      ...executed.map(({ name, executedAt }) => ({ schemaName, name, executedAt: executedAt.toISOString() })),
      ...(error === undefined ? [] : [{ schemaName, name: `(${error.code})`, executedAt: '' }]),
    ]);

    if (args.json === true) {
      for (const { schemaName, executed, error } of histories) {
        executed.forEach(({ name, executedAt }) => writeJson('migration', { schemaName, name, executedAt: executedAt.toISOString() }));

        if (error !== undefined) {
          writeJson('migration', { schemaName, error: reasonOf(error) });
        }
      }

      writeJson('summary', { total: histories.length, migrations: new Set(migrations.map(({ name }) => name)).size });
    } else {
      CLIHelper.dumpTable({
        columns: ['Tenant', 'Name', 'Executed at'],
        rows: groupsOf(migrations, ({ schemaName, name }) => (args.all === true ? `${schemaName} ${name}` : name)).map(
          ({ first, items, names }) => [tenantsNamed(names), first.name, spanOf(items.map(({ executedAt }) => executedAt))],
        ),
        empty: 'No migrations executed yet in any tenant',
      });
      CLIHelper.dump(count(histories.length, 'tenant'));
      dumpErrors(args, histories);
    }

    return EXIT.done;
  });
}

/** `migration:pending --tenants` */
export function pendingOfTenants(args: TenantArgs): Promise<number> {
  return withTenantsOf(args, async tenants => {
    const status = await tenants.status(selectionOf(args));

    if (args.json === true) {
      status.tenants.forEach(each => writeJson('tenant', asJson(each)));
      writeJson('summary', totalsOf(status));
    } else {
      dumpPending(args, status.tenants);
      CLIHelper.dump(totalText(status));
      dumpErrors(args, status.tenants);
    }

    return EXIT.done;
  });
}

/**
 * `migration:check --tenants`: whether the tenant entities have changed since the last migration, whether a tenant is not up to date, and with `--drift`
 * whether its objects are those that the set makes.
 */
export function checkTenants(args: TenantArgs): Promise<number> {
  return withTenantsOf(args, async tenants => {
    const status = await tenants.status(selectionOf(args));
    const behind = status.tenants.filter(isBehind);
    const hasChanges = await tenants.needsMigration();
    const findings = await tenants.findForCitus();
    const drift = args.drift === true ? await tenants.drift(selectionOf(args)) : undefined;
    const code = hasChanges || findings.length > 0 || behind.length > 0 || (drift?.drifted.length ?? 0) > 0 ? EXIT.failed : EXIT.done;

    if (args.json === true) {
      behind.forEach(each => writeJson('tenant', asJson(each)));
      drift?.drifted.forEach(each => writeJson('drift', each));
      const { total, unknown, orphans } = totalsOf(status);
      const ofDrift =
        drift === undefined ? {} : { equal: drift.equal, drifted: drift.drifted.length, notCompared: drift.notCompared.length };
      findings.forEach(each => writeJson('citus', each));
      writeJson('check', { hasChanges, total, behind: behind.length, unknown, orphans, ...ofDrift });

      return code;
    }

    if (hasChanges) {
      dumpYellow('Changes detected. Please create migration to update schema: migration:create --tenants.');
    }

    findings.forEach(dumpFinding);

    if (behind.length > 0) {
      dumpPending(args, behind);
      dumpYellow(`${count(behind.length, 'tenant')} of ${status.tenants.length} not up-to-date. Run migration:up --tenants.`);
    }

    dumpErrors(args, behind);
    dumpRemarks(args, status);

    if (drift !== undefined) {
      dumpDrift(args, drift);
    }

    if (code === EXIT.done) {
      CLIHelper.info(paint(`No changes required, ${count(status.tenants.length, 'tenant')} up-to-date`, 'green', process.stdout));
    }

    return code;
  });
}

/** `tenant:status`: the migrations of each tenant, and the schemas without a tenant. */
export function statusOfTenants(args: TenantArgs): Promise<number> {
  return withTenantsOf(args, async (tenants: TenantService) => {
    const status = await tenants.status(selectionOf(args));

    if (args.json === true) {
      status.tenants.forEach(each => writeJson('tenant', asJson(each)));
      writeJson('orphans', { schemaNames: status.orphans });
      writeJson('summary', totalsOf(status));

      return EXIT.done;
    }

    // on Citus alone
    const hasNodes = status.tenants.some(({ node }) => node !== undefined);

    CLIHelper.dumpTable({
      columns: ['Tenant', 'Applied', 'Latest', 'Pending', ...(hasNodes ? ['Node'] : []), 'Remarks'],
      rows: groupsOf(status.tenants, each =>
        args.all === true ? each.schemaName : withoutSchemaName(columnsOf(each, hasNodes).join('\n'), each.schemaName),
      ).map(({ first, names }) => [tenantsNamed(names), ...columnsOf(first, hasNodes)]),
      empty: 'No tenants found',
    });
    CLIHelper.dump(totalText(status));
    dumpErrors(args, status.tenants);
    dumpOrphans(args, status);

    return EXIT.done;
  });
}

function columnsOf(status: TenantMigrationStatus, hasNodes: boolean): string[] {
  return [
    String(status.executed.length),
    status.executed.at(-1) ?? '',
    String(status.pending.length),
    ...(hasNodes ? [status.node ?? ''] : []),
    remarksOn(status),
  ];
}

function isBehind({ pending, hasSchema, error }: TenantMigrationStatus): boolean {
  return pending.length > 0 || !hasSchema || error !== undefined;
}

function totalsOf({ tenants, orphans }: MigrationStatus): {
  total: number;
  upToDate: number;
  behind: number;
  unknown: number;
  orphans: number;
} {
  const behind = tenants.filter(isBehind).length;

  return {
    total: tenants.length,
    upToDate: tenants.length - behind,
    behind,
    unknown: tenants.filter(({ unknown }) => unknown.length > 0).length,
    orphans: orphans.length,
  };
}

function totalText(status: MigrationStatus): string {
  const { total, upToDate, behind, unknown } = totalsOf(status);

  return `${count(total, 'tenant')}: ${upToDate} up-to-date, ${behind} not${unknown > 0 ? `, ${unknown} with migrations that this version does not have` : ''}`;
}

function asJson({ error, ...status }: TenantMigrationStatus): object {
  return error === undefined ? status : { ...status, error: { code: error.code, message: reasonOf(error) } };
}

function remarksOn({ hasSchema, error, unknown }: TenantMigrationStatus): string {
  return [...problemsOf({ hasSchema, error }), ...(unknown.length > 0 ? [`unknown: ${listOf(unknown)}`] : [])].join('; ');
}

/** Why the migrations of a tenant are not known. */
function problemsOf({ hasSchema, error }: { readonly hasSchema: boolean; readonly error: TenantError | undefined }): string[] {
  return [...(hasSchema ? [] : [NO_SCHEMA]), ...(error === undefined ? [] : [`(${error.code})`])];
}

function dumpPending({ all = false }: TenantArgs, statuses: readonly TenantMigrationStatus[]): void {
  const pending = statuses.flatMap(({ schemaName, hasSchema, error, pending: names }) =>
    [...problemsOf({ hasSchema, error }), ...(hasSchema ? names : [])].map(name => ({ schemaName, name })),
  );

  CLIHelper.dumpTable({
    columns: ['Tenant', 'Name'],
    rows: groupsOf(pending, ({ schemaName, name }) => (all ? `${schemaName} ${name}` : withoutSchemaName(name, schemaName))).map(
      ({ first, names }) => [tenantsNamed(names), first.name],
    ),
    empty: 'No pending migrations in any tenant',
  });
}

/** What is too long for a table: why a run would refuse tenants. */
function dumpErrors({ all = false }: TenantArgs, tenants: readonly { readonly schemaName: string; readonly error?: TenantError }[]): void {
  const broken = tenants.flatMap(({ schemaName, error }) => (error === undefined ? [] : [{ schemaName, error }]));

  for (const { first, names } of groupsOf(broken, ({ schemaName, error }) => withoutSchemaName(oneLine(reasonOf(error)), schemaName))) {
    dumpYellow(`${tenantsNamed(names, all)}: ${first.error.code}: ${oneLine(reasonOf(first.error))}`);
  }
}

function dumpRemarks(args: TenantArgs, status: MigrationStatus): void {
  const withUnknown = status.tenants.filter(({ unknown }) => unknown.length > 0);

  for (const { first, names } of groupsOf(withUnknown, ({ unknown }) => unknown.join(', '))) {
    dumpYellow(
      `${tenantsNamed(names, args.all)}: the history contains ${listOf(first.unknown, args.all)}, but this version of the tenant set does not`,
    );
  }

  dumpOrphans(args, status);
}

function dumpOrphans({ all = false }: TenantArgs, { orphans }: MigrationStatus): void {
  if (orphans.length > 0) {
    const named = all ? orphans : orphans.slice(0, ORPHANS_NAMED);
    const rest = orphans.length - named.length;
    dumpYellow(`Schemas without a tenant: ${named.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`);
  }
}

function dumpDrift({ all = false }: TenantArgs, { equal, drifted, notCompared }: DriftReport): void {
  for (const { first, names } of groupsOf(drifted, each => textOf(each))) {
    dumpYellow(`${tenantsNamed(names, all)}: ${textOf(first)}`);
  }

  const skipped = notCompared.length > 0 ? ` · ${notCompared.length} not compared, as they are not up-to-date or are being changed` : '';
  CLIHelper.dump(`${equal} equal to what the tenant set makes, ${drifted.length} not${skipped}`);
}

function textOf({ lacks, has, differs }: TenantDrift): string {
  const parts = { lacks, has, differs: differs.map(each => `${each}`) };

  return [
    ...(parts.lacks.length > 0 ? [`lacks ${parts.lacks.join(', ')}`] : []),
    ...(parts.has.length > 0 ? [`has ${parts.has.join(', ')}`] : []),
    ...(parts.differs.length > 0 ? [`differs in ${parts.differs.join(', ')}`] : []),
  ].join('; ');
}

function spanOf(dates: readonly string[]): string {
  const sorted = dates.toSorted();
  const [first = '', last = ''] = [sorted[0], sorted.at(-1)];

  return first === last ? first : `${first} to ${last}`;
}

function dumpYellow(text: string): void {
  CLIHelper.dump(paint(text, 'yellow', process.stdout));
}

const NO_SCHEMA = '(has no schema in the database)';

const ORPHANS_NAMED = 20;
