import { colors } from '@mikro-orm/core';
import { MultiBar, Presets, type SingleBar } from 'cli-progress';
import { MigrationError, reasonOf, TenantError } from '../errors/index.js';
import type { RunPlan, RunResult, TenantRunResult } from '../migrations/run/run-types.js';
import { sqlStateOf } from '../postgres/sql-state.js';

/** Shows the progress and the result of a run. */
export interface RunReporter {
  plan(plan: RunPlan): void;
  tenant(result: TenantRunResult): void;
  note(text: string): void;
  summary(result: RunResult, direction: 'up' | 'down'): void;
  close(): void;
}

/** Prints one line for each migrated tenant; with `quiet`, only failures. */
export function lineReporter({ quiet }: { readonly quiet: boolean }): RunReporter {
  const info = (text: string): void => {
    if (!quiet) {
      console.log(text);
    }
  };

  return {
    plan: ({ total, work }) => info(colors.grey(`${count(total, 'tenant')}, ${work} to migrate`)),
    tenant: result => {
      if (result.ok) {
        info(`${result.schemaName}: ${result.migrations.join(', ') || 'up to date'} (${duration(result.durationMs)})`);
      } else {
        console.error(colors.red(`${result.schemaName}: failed`));
      }
    },
    note: text => console.error(colors.yellow(text)),
    summary: (result, direction) => showSummary(result, direction, info),
    close: () => undefined,
  };
}

/** Shows a bar with the rate, the remaining time and the failures. Each failure also gets a line above the bar. */
export function barReporter(): RunReporter {
  const bars = new MultiBar(
    { format: '{bar} {value}/{total} tenants, {rate}/s, {eta_formatted} left, {failed} failed', hideCursor: true, clearOnComplete: true },
    Presets.shades_classic,
  );
  const start = performance.now();
  let bar: SingleBar | undefined;
  let failed = 0;

  return {
    plan: ({ work }) => {
      bar = work > 0 ? bars.create(work, 0, { rate: 0, failed }) : undefined;
    },
    tenant: result => {
      if (!result.ok) {
        failed += 1;
        bars.log(`${colors.red(`${result.schemaName}: failed`)}\n`);
      }

      bar?.increment(1, { failed });
      bar?.update({ rate: Math.round((bar.getProgress() * bar.getTotal()) / ((performance.now() - start) / 1000)) });
    },
    note: text => bars.log(`${colors.yellow(text)}\n`),
    summary: (result, direction) => {
      bars.stop();
      showSummary(result, direction, text => console.log(text));
    },
    close: () => bars.stop(),
  };
}

/** Prints one JSON object per line: a `plan`, a `tenant` for each tenant that was migrated or failed, and a `summary`. */
export function jsonReporter(): RunReporter {
  const write = (object: object): void => console.log(JSON.stringify(object));

  return {
    plan: ({ total, upToDate, work }) => write({ event: 'plan', total, upToDate, work }),
    tenant: result => write({ event: 'tenant', ...eventOf(result) }),
    note: text => console.error(text),
    summary: result =>
      write({
        event: 'summary',
        total: result.total,
        upToDate: result.upToDate,
        migrated: result.migrated.length,
        failed: result.failed.map(({ schemaName }) => schemaName),
        notBegun: result.notBegun,
        unknown: result.unknown,
        durationMs: Math.round(result.durationMs),
        slowest: slowestOf(result),
      }),
    close: () => undefined,
  };
}

export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

function showSummary(result: RunResult, direction: 'up' | 'down', info: (text: string) => void): void {
  const { total, migrated, upToDate, failed, notBegun, unknown, durationMs } = result;
  const slowest = slowestOf(result);
  const text =
    `${count(total, 'tenant')}: ${migrated.length} migrated ${direction}, ${upToDate} up to date, ${failed.length} failed` +
    `${notBegun.length > 0 ? `, ${notBegun.length} not started` : ''} in ${duration(durationMs)}` +
    `${slowest === undefined ? '' : `; slowest ${slowest.schemaName} (${duration(slowest.durationMs)})`}`;

  for (const { schemaName, migrations } of unknown) {
    info(colors.yellow(`${schemaName}: its history contains ${migrations.join(', ')}, but this version of the tenant set does not`));
  }

  for (const failure of failed) {
    console.error(failureLine(failure));
  }

  if (failed.length > 0 || notBegun.length > 0) {
    const remedy = failed.length > 0 ? 'Fix the failures and run' : 'Run';
    console.error(colors.red(`${text}. ${remedy} the same command again. It skips the tenants that are up to date.`));
  } else {
    info(colors.green(text));
  }
}

function failureLine({ schemaName, error }: Extract<TenantRunResult, { ok: false }>): string {
  const { statement, sqlState } = detailsOf(error);
  const details = [
    ...(statement === undefined ? [] : [`statement: ${statement.trim().replace(/;$/, '')}`]),
    ...(sqlState === undefined ? [] : [`SQLSTATE ${sqlState}`]),
  ];

  return colors.red(`${schemaName}: failed: ${reasonOf(error)}${details.length > 0 ? ` (${details.join('; ')})` : ''}`);
}

function eventOf(result: TenantRunResult): object {
  const { schemaName, ok, durationMs } = result;
  const outcome = ok ? { migrations: result.migrations } : { error: { message: reasonOf(result.error), ...detailsOf(result.error) } };

  return { schemaName, ok, durationMs: Math.round(durationMs), ...outcome };
}

function detailsOf(error: unknown): { code?: string; migration?: string; statement?: string; sqlState?: string } {
  const sqlState = sqlStateOf(error);

  return {
    ...(error instanceof TenantError ? { code: error.code } : {}),
    ...(error instanceof MigrationError && error.migration !== undefined ? { migration: error.migration } : {}),
    ...(error instanceof MigrationError && error.statement !== undefined ? { statement: error.statement } : {}),
    ...(sqlState === undefined ? {} : { sqlState }),
  };
}

function slowestOf({ migrated, failed }: RunResult): { schemaName: string; durationMs: number } | undefined {
  const [slowest] = [...migrated, ...failed].toSorted((a, b) => b.durationMs - a.durationMs);

  return slowest === undefined ? undefined : { schemaName: slowest.schemaName, durationMs: Math.round(slowest.durationMs) };
}

function duration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
