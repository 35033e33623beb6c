import type { SingleBar } from 'cli-progress';
import { reasonOf } from '../errors/index.js';
import type { RunNotice, RunPlan, RunResult, TenantRunResult } from '../migrations/run/run-types.js';
import { count, paint, print, printError } from './output.js';
import { detailsOf, duration, noticeText, showSummary, slowestOf } from './run-summary.js';

/** Shows the progress and the result of a run. */
export interface RunReporter {
  plan(plan: RunPlan): void;
  tenant(result: TenantRunResult): void;
  notice(notice: RunNotice): void;
  note(text: string): void;
  /** @param done What was done to the tenants, such as `migrated up`. */
  summary(result: RunResult, done: string): void;
  close(): void;
}

/** Prints one line for each migrated tenant; with `quiet`, only failures. */
export function lineReporter({ quiet, all }: { readonly quiet: boolean; readonly all: boolean }): RunReporter {
  const info: typeof print = (...args) => {
    if (!quiet) {
      print(...args);
    }
  };

  return {
    plan: ({ total, work }) => info(`${count(total, 'tenant')}, ${work} to migrate`, 'grey'),
    tenant: result => {
      if (result.ok) {
        info(`${result.schemaName}: ${result.migrations.join(', ') || 'up to date'} (${duration(result.durationMs)})`);
      } else {
        printError(`${result.schemaName}: failed`);
      }
    },
    notice: notice => printError(noticeText(notice), 'yellow'),
    note: text => printError(text, 'yellow'),
    summary: (result, done) => showSummary(result, done, { info, all }),
    close: () => undefined,
  };
}

/** Shows a bar with the rate, the remaining time and the failures. Each failure also gets a line above the bar. */
export async function barReporter({ all }: { readonly all: boolean }): Promise<RunReporter> {
  // most commands show none, and it takes a while to load
  const { MultiBar, Presets } = await import('cli-progress');
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
        bars.log(`${paint(`${result.schemaName}: failed`, 'red', process.stderr)}\n`);
      }

      bar?.increment(1, { failed });
      bar?.update({ rate: Math.round((bar.getProgress() * bar.getTotal()) / ((performance.now() - start) / 1000)) });
    },
    notice: notice => {
      bars.log(`${paint(noticeText(notice), 'yellow', process.stderr)}\n`);

      if (notice.kind === 'gone') {
        bar?.increment();
      }

      // they are counted again
      if (notice.kind === 'lost') {
        bar?.increment(-notice.schemaNames.length);
      }
    },
    note: text => bars.log(`${paint(text, 'yellow', process.stderr)}\n`),
    summary: (result, done) => {
      bars.stop();
      showSummary(result, done, { info: print, all });
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
    notice: notice => write({ event: 'notice', ...noticeEvent(notice) }),
    note: text => console.error(text),
    summary: result =>
      write({
        event: 'summary',
        total: result.total,
        upToDate: result.upToDate,
        migrated: result.migrated.length,
        failed: result.failed.map(({ schemaName }) => schemaName),
        gone: result.gone,
        notBegun: result.notBegun,
        unconfirmed: result.unconfirmed,
        ...(result.stopped === undefined ? {} : { stopped: result.stopped.reason }),
        unknown: result.unknown,
        durationMs: Math.round(result.durationMs),
        slowest: slowestOf(result),
      }),
    close: () => undefined,
  };
}

function eventOf(result: TenantRunResult): object {
  const { schemaName, ok, durationMs } = result;
  const outcome = ok ? { migrations: result.migrations } : { error: { message: reasonOf(result.error), ...detailsOf(result.error) } };

  return { schemaName, ok, durationMs: Math.round(durationMs), ...outcome };
}

function noticeEvent(notice: RunNotice): object {
  return notice.kind === 'waiting' ? { ...notice, error: { message: reasonOf(notice.error), ...detailsOf(notice.error) } } : notice;
}
