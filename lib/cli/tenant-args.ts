import { RunUsageError } from '../errors/index.js';
import type { TenantSelection } from '../migrations/run/selection.js';

/** The parsed arguments of a migration command, with the tenant options. */
export interface TenantArgs {
  readonly config?: string[];
  readonly contextName?: string;
  readonly quiet?: boolean;
  /** Schema names; empty for all tenants; undefined for the public set. */
  readonly tenants?: readonly string[];
  readonly skip?: readonly string[];
  /** A condition on the tenant entity, as JSON. */
  readonly where?: string;
  readonly json?: boolean;
  readonly dryRun?: boolean;
  readonly skipPublicCheck?: boolean;
  readonly concurrency?: string;
  /** In milliseconds. */
  readonly lockTimeout?: string;
  /** In milliseconds. */
  readonly busyTimeout?: string;
  /** In milliseconds. */
  readonly statementTimeout?: string;
  /** In milliseconds. */
  readonly databaseTimeout?: string;
  readonly durability?: string;
  readonly failFast?: boolean;
  readonly maxFailures?: string;
  readonly maxEqualFailures?: string;
  /** Whether all tenants are named where some have something in common. */
  readonly all?: boolean;
  readonly drift?: boolean;
  readonly canary?: readonly string[];
  readonly schema?: string;
  readonly to?: string;
  readonly from?: string;
  readonly only?: string;
  readonly blank?: boolean;
  readonly initial?: boolean;
  readonly dropMoved?: boolean;
  /** Of the commands for the schema. */
  readonly run?: boolean;
  readonly dropDb?: boolean;
  readonly dump?: boolean;
  readonly path?: string;
  /** Of `tenant:move`. */
  readonly node?: string;
  /** Of `tenant:rebalance`. */
  readonly by?: string;
  readonly name?: string;
  /** The tenant that is named as an argument, by its schema name. */
  readonly tenant?: string;
  readonly newName?: string;
  readonly host?: string;
  readonly deleted?: boolean;
  readonly soft?: boolean;
  readonly force?: boolean;
  readonly cascade?: boolean;
  readonly yes?: boolean;
  readonly olderThan?: string;
  readonly deep?: boolean;
  readonly fix?: boolean;
  readonly orderBy?: string;
  readonly limit?: string;
  readonly offset?: string;
  readonly exact?: boolean;
  /** A program and its arguments, which follow `--`. */
  readonly program?: readonly string[];
  /** The seeder. */
  readonly class?: string;
  /** Properties of the tenant's entity, as JSON; of a clone, the tables whose rows are copied. */
  readonly data?: string | readonly string[];
  /** What yargs has read beside the declared options. */
  readonly [flag: string]: unknown;
}

/** The tenants that the arguments select. */
export function selectionOf({ tenants = [], skip = [], where }: TenantArgs): TenantSelection {
  return { only: tenants, skip, ...(where === undefined ? {} : { where: parseCondition(where) }) };
}

/** Parses a whole number. Without `least`, what is called with it says which numbers it takes. */
export function numberOf(option: string, value: string | undefined, least = -Infinity): number | undefined {
  if (value !== undefined && (!/^-?\d+$/.test(value) || Number(value) < least)) {
    throw RunUsageError.option(option, value, `a whole number${least === -Infinity ? '' : `, at least ${least}`}`);
  }

  return value === undefined ? undefined : Number(value);
}

/** Schema names, or a number of tenants. */
export function canaryOf(canary: readonly string[] | undefined): number | readonly string[] | undefined {
  if (canary?.length === 0) {
    throw RunUsageError.option('--canary', canary, 'schema names or a number');
  }

  return canary?.length === 1 && /^\d+$/.test(canary[0] ?? '') ? Number(canary[0]) : canary;
}

function parseCondition(where: string): Record<string, unknown> {
  try {
    const condition: unknown = JSON.parse(where);

    if (typeof condition === 'object' && condition !== null && !Array.isArray(condition)) {
      return { ...condition };
    }
  } catch {
    // invalid JSON gets the same error as JSON that is not an object
  }

  throw RunUsageError.option('--where', where, 'a condition on the tenant entity as a JSON object, such as {"onTrial":true}');
}
