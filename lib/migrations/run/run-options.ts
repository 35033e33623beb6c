import { RunUsageError } from '../../errors/index.js';
import type { ReadOptions } from '../history/histories.js';
import type { MigrationTarget } from './plan.js';
import { DEFAULT_LOCK_TIMEOUT_MS } from './run-settings.js';
import type { MigrateOptions } from './run-types.js';

export function targetOf(options: MigrateOptions): MigrationTarget {
  const { direction = 'up', to, from, migrations, canary } = options;
  checkNumbers({ ...options, canary: typeof canary === 'number' ? canary : undefined });

  return {
    direction,
    ...(to === undefined ? {} : { to }),
    ...(from === undefined ? {} : { from }),
    ...(migrations === undefined ? {} : { only: migrations }),
  };
}

export function readOptionsOf({ lockTimeoutMs = DEFAULT_LOCK_TIMEOUT_MS, signal }: MigrateOptions): ReadOptions {
  return { lockTimeoutMs, signal };
}

function checkNumbers(options: Readonly<Partial<Record<keyof typeof LEAST, number | undefined>>>): void {
  for (const name of Object.keys(LEAST) as (keyof typeof LEAST)[]) {
    const value = options[name];

    if (value !== undefined && !(Number.isInteger(value) && value >= LEAST[name] && value <= MOST)) {
      throw RunUsageError.option(name, value, `a whole number, at least ${LEAST[name]}`);
    }
  }
}

const LEAST = { concurrency: 1, maxFailures: 1, canary: 1, retries: 0, lockTimeoutMs: 0, busyTimeoutMs: 0, statementTimeoutMs: 0 } as const;

/** As much as PostgreSQL takes for a time-out. */
const MOST = 2_147_483_647;
