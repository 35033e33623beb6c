import type { TenantDatabase } from '../../database/tenant-database.js';
import type { DatabaseTrouble } from './database-trouble.js';
import type { LockWatch } from './lock-watch.js';
import type { StepwiseRun } from './non-transactional.js';
import type { RunHooks } from './run-hooks.js';
import type { RunResults } from './run-results.js';
import type { MigrateOptions } from './run-types.js';
import type { TenantRun, TenantRunOutcome, TenantWork } from './tenant-run.js';

/** The parts of a run. */
export interface RunParts {
  readonly database: TenantDatabase;
  readonly run: TenantRun;
  readonly options: MigrateOptions;
  readonly results: RunResults;
  readonly trouble: DatabaseTrouble;
  readonly watch: LockWatch;
  /** Whether several tenants may be migrated in one message. */
  readonly sharesMessages: boolean;
  readonly workOn: (database: TenantDatabase, work: TenantWork, run: StepwiseRun) => Promise<TenantRunOutcome>;
  /** Called with when the work on a tenant began that is committed now. */
  readonly onCommit: (schemaName: string, begunAt: number) => void;
  readonly hooks: RunHooks;
}
