import type { SingleBar } from 'cli-progress';
import type { DoctorReport, Finding, FixStatement } from '../api/doctor/finding.js';
import { RunUsageError, reasonOf } from '../errors/index.js';
import { withoutSchemaName } from '../migrations/run/same-cause.js';
import { EXIT } from './exit.js';
import { groupsOf, tenantsNamed } from './groups.js';
import { count, oneLine, print, printError, writeJson } from './output.js';
import { detailsOf } from './run-summary.js';
import { selectionOf, type TenantArgs } from './tenant-args.js';
import { withTenantsOf } from './with-tenants-of.js';

/** `tenant:doctor`: exit code 1 if anything is left that is not as it should be. */
export function examineTenants(args: TenantArgs): Promise<number> {
  const { deep = false, fix = false, dryRun = false, json = false } = args;

  if (dryRun && !fix) {
    throw RunUsageError.missing(['--fix']);
  }

  return withTenantsOf(args, async service => {
    const progress = json || !process.stdout.isTTY ? undefined : await progressBar();

    try {
      const report = await service.doctor({
        ...selectionOf(args),
        deep,
        fix: fix && !dryRun,
        onFinding: finding => (json ? writeJson('finding', finding) : undefined),
        ...(progress === undefined ? {} : { onProgress: (...done) => progress.show(...done) }),
      });
      progress?.close();
      show(report, args);

      return report.findings.length > report.mended.length ? EXIT.failed : EXIT.done;
    } finally {
      progress?.close();
    }
  });
}

function show(
  { tenants, findings, mended, failed, busy }: DoctorReport,
  { json, all = false, fix = false, dryRun = false }: TenantArgs,
): void {
  if (json === true) {
    mended.forEach(({ finding }) => writeJson('mended', finding));
    failed.forEach(({ finding, error }) => writeJson('failed', { ...finding, error: { message: reasonOf(error), ...detailsOf(error) } }));
    writeJson('summary', { tenants, findings: findings.length, mended: mended.length, failed: failed.length, busy });

    return;
  }

  const keyOf = (finding: Finding): string => `${finding.kind}\n${withoutSchemaName(finding.message, finding.schemaName ?? '*')}`;

  for (const { first, items, names } of groupsOf(
    findings.map(each => ({ ...each, schemaName: each.schemaName ?? '' })),
    keyOf,
  )) {
    const { kind, message, remedy, fix: statements } = first;
    const named = names.filter(name => name !== '');
    print(`${kind}: ${named.length === 0 ? '' : `${tenantsNamed(named, all)}: `}${oneLine(message)}`, 'yellow');
    print(`  ${statements !== undefined && !fix ? '`--fix` mends it. ' : ''}${oneLine(remedy)}`, 'grey');

    if (dryRun) {
      items.flatMap(item => item.fix ?? []).forEach(statement => console.log(`  ${sqlOf(statement)};`));
    }
  }

  failed.forEach(({ finding, error }) =>
    printError(`${finding.schemaName ?? finding.object}: ${finding.kind}: not mended: ${oneLine(reasonOf(error))}`),
  );

  if (busy.length > 0) {
    print(`not looked at in all, as they are being changed at the moment: ${tenantsNamed(busy, all)}`, 'grey');
  }

  const done = fix && !dryRun ? `, ${mended.length} mended, ${failed.length} could not be` : '';
  print(
    findings.length === 0
      ? `${count(tenants, 'tenant')}, nothing found`
      : `${count(tenants, 'tenant')}, ${count(findings.length, 'finding')}${done}`,
    findings.length === mended.length ? 'green' : 'yellow',
  );
}

function sqlOf({ sql, params = [] }: FixStatement): string {
  return `${sql.replaceAll(/\s+/g, ' ')}${params.length === 0 ? '' : ` -- with ${params.map(each => JSON.stringify(each)).join(', ')}`}`;
}

async function progressBar(): Promise<{ show(what: string, done: number, total: number): void; close(): void }> {
  const { MultiBar, Presets } = await import('cli-progress');
  const bars = new MultiBar({ format: '{what} {bar} {value}/{total}', hideCursor: true, clearOnComplete: true }, Presets.shades_classic);
  const shown = new Map<string, SingleBar>();

  return {
    show: (what, done, total) => {
      const bar = shown.get(what) ?? bars.create(total, 0, { what: what.padEnd(9) });
      shown.set(what, bar);
      bar.update(done, { what: what.padEnd(9) });
    },
    close: () => bars.stop(),
  };
}
