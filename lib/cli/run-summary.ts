import { describeBlockers } from '../errors/blocker.js';
import { MigrationError, reasonOf, TenantError } from '../errors/index.js';
import type { RunNotice, RunResult, TenantRunResult } from '../migrations/run/run-types.js';
import { causeOf, rootOf } from '../migrations/run/same-cause.js';
import { sqlStateOf } from '../postgres/sql-state.js';
import { groupsOf, tenantsNamed } from './groups.js';
import { count, listOf, oneLine, printError, type print } from './output.js';

/** Prints the result of a run. Failures of one cause are printed once. */
export function showSummary(result: RunResult, done: string, { info, all }: { readonly info: typeof print; readonly all: boolean }): void {
  const { total, migrated, upToDate, failed, gone, notBegun, unconfirmed, unknown, durationMs } = result;
  const slowest = slowestOf(result);
  const text =
    `${count(total, 'tenant')}: ${migrated.length} ${done}, ${upToDate} up to date, ${failed.length} failed` +
    `${gone.length > 0 ? `, ${gone.length} deleted meanwhile` : ''}` +
    `${notBegun.length > 0 ? `, ${notBegun.length} not started` : ''} in ${duration(durationMs)}` +
    `${slowest === undefined ? '' : `; slowest ${slowest.schemaName} (${duration(slowest.durationMs)})`}`;

  for (const { first, names } of groupsOf(unknown, ({ migrations }) => migrations.join(', '))) {
    info(
      `${tenantsNamed(names, all)}: the history contains ${listOf(first.migrations, all)}, but this version of the tenant set does not`,
      'yellow',
    );
  }

  for (const { first, names } of groupsOf(failed, ({ schemaName, error }) => causeOf(error, schemaName))) {
    printError(`${tenantsNamed(names, all)}: failed: ${failureText(first)}`);
  }

  if (unconfirmed.length > 0) {
    printError(`${tenantsNamed(unconfirmed, all)}: migrated, but the server did not say that it is on its disk`);
  }

  if (failed.length > 0 || notBegun.length > 0 || unconfirmed.length > 0) {
    printError([`${text}.`, ...whyStopped(result), remedyFor(result)].join(' '));
  } else {
    info(text, 'green');
  }
}

function whyStopped({ stopped }: RunResult): string[] {
  switch (stopped?.reason) {
    case 'database':
      return [`The run has stopped because of the database: ${oneLine(reasonOf(rootOf(stopped.error)))}.`];
    case 'equal failures':
      return ['The run has stopped because all tenants failed for the same cause. `--max-equal-failures 0` goes on regardless.'];
    case 'failures':
      return [
        'The run has stopped because of its limit of failures (`--max-failures`, `--fail-fast`). Tenants that were in progress then may have failed too.',
      ];
    case 'canary':
      return ['The run has stopped because a canary failed.'];
    case 'aborted':
      return ['The run was stopped.'];
    case undefined:
      return [];
  }
}

function remedyFor({ failed }: RunResult): string {
  return `${failed.length > 0 ? 'Fix the failures and run' : 'Run'} the same command again. It skips the tenants that are up to date.`;
}

function failureText({ error }: Extract<TenantRunResult, { ok: false }>): string {
  const { statement, sqlState } = detailsOf(error);
  const details = [
    ...(statement === undefined ? [] : [`statement: ${oneLine(statement.trim().replace(/;$/, ''))}`]),
    ...(sqlState === undefined ? [] : [`SQLSTATE ${sqlState}`]),
  ];

  return `${oneLine(reasonOf(error))}${details.length > 0 ? ` (${details.join('; ')})` : ''}`;
}

/** What a notice says to an operator. */
export function noticeText(notice: RunNotice): string {
  switch (notice.kind) {
    case 'waiting':
      return `The database is in trouble (${oneLine(reasonOf(rootOf(notice.error)))}). Waiting for it, at most ${duration(notice.timeoutMs)} (\`--database-timeout\`).`;
    case 'back':
      return `The database answers again, after ${duration(notice.waitedMs)}.`;
    case 'lost':
      return `The server has crashed and lost ${count(notice.schemaNames.length, 'tenant')} that had been migrated. They are migrated again.`;
    case 'blocked':
      return `${notice.schemaName}: waiting for a lock that is held by ${describeBlockers(notice.blockers)}`;
    case 'gone':
      return `${notice.schemaName}: no tenant has this name any more, so it is left out.`;
    case 'renamed':
      return `${notice.schemaName}: the tenant was renamed to ${notice.to} during the run, and goes on under its new name.`;
    case 'rebuilt':
      return `${notice.schemaName}: an earlier attempt has left the index ${notice.index} invalid. It is dropped and built again.`;
  }
}

/** What is said of an error in JSON. */
export function detailsOf(error: unknown): { code?: string; migration?: string; statement?: string; sqlState?: string } {
  const sqlState = sqlStateOf(error);

  return {
    ...(error instanceof TenantError ? { code: error.code } : {}),
    ...(error instanceof MigrationError && error.migration !== undefined ? { migration: error.migration } : {}),
    ...(error instanceof MigrationError && error.statement !== undefined ? { statement: error.statement } : {}),
    ...(sqlState === undefined ? {} : { sqlState }),
  };
}

export function slowestOf({ migrated, failed }: RunResult): { schemaName: string; durationMs: number } | undefined {
  const [slowest] = [...migrated, ...failed].toSorted((a, b) => b.durationMs - a.durationMs);

  return slowest === undefined ? undefined : { schemaName: slowest.schemaName, durationMs: Math.round(slowest.durationMs) };
}

export function duration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
