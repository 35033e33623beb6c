import { RunUsageError } from '../../errors/index.js';
import type { ReadOptions } from '../history/histories.js';
import type { MigrationTarget } from './plan.js';
import { DEFAULT_LOCK_TIMEOUT_MS } from './run-settings.js';
import type { MigrateOptions } from './run-types.js';

export function targetOf(options: MigrateOptions): MigrationTarget {
  const { direction = 'up', to, from, migrations, canary } = options;
  const { durability = 'run' } = options;

  if (durability !== 'run' && durability !== 'tenant') {
    throw RunUsageError.option('durability', durability, '`run` or `tenant`');
  }

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

function checkNumbers(options: Readonly<Partial<Record<keyof typeof MINIMUM, number | undefined>>>): void {
  for (const name of Object.keys(MINIMUM) as (keyof typeof MINIMUM)[]) {
    const value = options[name];

    if (value !== undefined && !(Number.isInteger(value) && value >= MINIMUM[name] && value <= MAXIMUM)) {
      throw RunUsageError.option(name, value, `a whole number, at least ${MINIMUM[name]}`);
    }
  }
}

const MINIMUM = {
  concurrency: 1,
  maxFailures: 1,
  maxEqualFailures: 0,
  databaseTimeoutMs: 0,
  canary: 1,
  retries: 0,
  lockTimeoutMs: 0,
  busyTimeoutMs: 0,
  statementTimeoutMs: 0,
} as const;

/** The largest time-out that PostgreSQL accepts. */
const MAXIMUM = 2_147_483_647;
