import type { RunPreview } from '../migrations/run/preview.js';
import type { MigrateOptions, RunResult } from '../migrations/run/run-types.js';
import type { TenantService } from '../api/tenant-service.js';
import { reasonOf } from '../errors/index.js';
import { causeOf } from '../migrations/run/same-cause.js';
import { EXIT } from './exit.js';
import { groupsOf, tenantsNamed } from './groups.js';
import { oneLine, printError, writeJson } from './output.js';
import { detailsOf } from './run-summary.js';
import { withTenantsOf } from './with-tenants-of.js';
import { jsonReporter, lineReporter, barReporter, type RunReporter } from './reporters.js';
import { canaryOf, numberOf, selectionOf, type TenantArgs } from './tenant-args.js';

/** `migration:up --tenants` and `migration:down --tenants` */
export function runForTenants(args: TenantArgs, direction: 'up' | 'down'): Promise<number> {
  return withTenantsOf(args, async tenants => {
    const options = optionsOf(args, direction);

    return args.dryRun === true ? preview(tenants, options, args) : migrate(tenants, options, args);
  });
}

function migrate(tenants: TenantService, options: MigrateOptions, args: TenantArgs): Promise<number> {
  return reportRun(args, `migrated ${options.direction ?? 'up'}`, listeners => tenants.migrate({ ...options, ...listeners }));
}

/**
 * Shows the progress and the result of a run, and lets signals stop it. Resolves to the exit code.
 *
 * @param done What the run does to tenants, such as `migrated up`.
 */
export async function reportRun(
  args: TenantArgs,
  done: string,
  run: (listeners: Pick<MigrateOptions, 'signal' | 'onPlan' | 'onProgress' | 'onNotice'>) => Promise<RunResult>,
): Promise<number> {
  const reporter = await reporterFor(args);
  const stop = stopOnSignals(reporter);

  try {
    const result = await run({
      signal: stop.signal,
      onPlan: plan => reporter.plan(plan),
      onProgress: tenant => reporter.tenant(tenant),
      onNotice: notice => reporter.notice(notice),
    });
    reporter.summary(result, done);

    return exitCodeOf(result);
  } finally {
    stop.release();
    reporter.close();
  }
}

async function preview(tenants: TenantService, options: MigrateOptions, args: TenantArgs): Promise<number> {
  return showPreview(await tenants.preview(options), args);
}

/** Prints what a run would do. Resolves to the exit code. */
export function showPreview(groups: readonly RunPreview[], { json, all }: TenantArgs): number {
  const refused = groups.flatMap(({ schemaNames, error }) =>
    error === undefined ? [] : schemaNames.map(schemaName => ({ schemaName, error })),
  );

  for (const { error, ...group } of groups) {
    if (json === true) {
      writeJson('preview', error === undefined ? group : { ...group, error: { message: reasonOf(error), ...detailsOf(error) } });
    } else if (error === undefined) {
      const [first = '', ...others] = group.schemaNames;
      console.log(`-- ${first}${others.length > 0 ? ` and ${others.length} more with the same history` : ''}`);
      console.log(group.sql.map(sql => (sql.startsWith('--') ? sql : `${sql.replace(/;\s*$/, '')};`)).join('\n'));
    }
  }

  if (json !== true) {
    for (const { first, names } of groupsOf(refused, ({ schemaName, error }) => causeOf(error, schemaName))) {
      printError(`${tenantsNamed(names, all)}: cannot be migrated: ${oneLine(reasonOf(first.error))}`);
    }
  }

  return refused.length > 0 ? EXIT.failed : EXIT.done;
}

async function reporterFor({ json, quiet, all = false }: TenantArgs): Promise<RunReporter> {
  if (json === true) {
    return jsonReporter();
  }

  return process.stdout.isTTY && quiet !== true ? barReporter({ all }) : lineReporter({ quiet: quiet === true, all });
}

/** The first Ctrl-C lets the tenants in progress finish. The second ends the process, and the server rolls back what is not committed. */
function stopOnSignals(reporter: RunReporter): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) {
      process.exit(EXIT.interrupted);
    }

    controller.abort();
    reporter.note('Stopping: the tenants in progress are finished first. Press Ctrl-C again to roll them back and exit.');
  };

  for (const name of SIGNALS) {
    process.on(name, onSignal);
  }

  return { signal: controller.signal, release: () => SIGNALS.forEach(name => process.off(name, onSignal)) };
}

function exitCodeOf({ failed, notBegun, unconfirmed }: RunResult): number {
  return failed.length > 0 || notBegun.length > 0 || unconfirmed.length > 0 ? EXIT.failed : EXIT.done;
}

/** The options of a run. */
export function optionsOf(args: TenantArgs, direction: 'up' | 'down'): MigrateOptions {
  const {
    from,
    to,
    only,
    concurrency,
    lockTimeout,
    busyTimeout,
    statementTimeout,
    databaseTimeout,
    durability,
    maxFailures,
    maxEqualFailures,
    failFast,
    canary,
    skipPublicCheck,
  } = args;

  return withoutUndefined({
    ...selectionOf(args),
    direction,
    skipPublicCheck,
    from: from === undefined ? undefined : migrationNameOf(from),
    to: to === undefined ? undefined : to === '0' ? (0 as const) : migrationNameOf(to),
    migrations: only === undefined || to !== undefined || from !== undefined ? undefined : only.split(/[, ]+/).map(migrationNameOf),
    concurrency: numberOf('--concurrency', concurrency),
    lockTimeoutMs: numberOf('--lock-timeout', lockTimeout),
    busyTimeoutMs: numberOf('--busy-timeout', busyTimeout),
    statementTimeoutMs: numberOf('--statement-timeout', statementTimeout),
    databaseTimeoutMs: numberOf('--database-timeout', databaseTimeout),
    durability: durability as MigrateOptions['durability'],
    maxEqualFailures: numberOf('--max-equal-failures', maxEqualFailures),
    maxFailures: failFast === true ? 1 : numberOf('--max-failures', maxFailures),
    canary: canaryOf(canary),
  });
}

/** Accepts a time stamp alone as the name of a migration, like MikroORM's own command. */
export function migrationNameOf(name: string): string {
  const withoutEnding = name.replace(/\.[cm]?[jt]s$/, '');

  return /^\d{14}$/.test(withoutEnding) ? `Migration${withoutEnding}` : withoutEnding;
}

function withoutUndefined<T extends object>(options: { [Key in keyof T]: T[Key] | undefined }): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

/** `SIGHUP` comes when the terminal is closed, or the connection to it is lost. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
