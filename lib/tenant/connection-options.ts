import { show } from '../errors/tenant-error.js';

/** How the connections of the pool are shared among the tenants. */
export interface ConnectionOptions {
  /**
   * Whether a tenant's work takes a connection that has served the tenant before, if one is idle. If none is, it takes any idle one, and never
   * waits for a certain one. If all are in use, one that becomes free goes to the first of those that wait whose tenant it has served. Each lets at
   * most half as many past as the pool has connections. PostgreSQL then keeps what it knows of a tenant's tables in fewer connections.
   *
   * @default true
   */
  readonly preferServed?: boolean;

  /**
   * The number of tenants after which a connection is closed and replaced. PostgreSQL keeps about 24 KB in the memory of a connection for each
   * table that was used on it, for as long as the connection lives. With too small a number, connections are replaced so often that requests
   * are slower. `false` never closes a connection for this reason.
   *
   * @default as many as keep the pool under 1 GB, and a connection under 256 MB, by 24 KB a table: 436 tenants of 10 tables with a pool of ten
   */
  readonly maxTenants?: number | false;

  /**
   * How much memory of the database server the connections of a process may take for the tables that they know, in megabytes. Beyond that, a
   * warning is logged once, with the `maxTenants` that would keep to it. It is estimated by 24 KB a table, from the tenants that each connection
   * has served. Set it to what the server can spare, divided by the number of processes.
   *
   * @default 4096
   */
  readonly memoryBudgetMb?: number;
}

export type ResolvedConnectionOptions = Required<Omit<ConnectionOptions, 'maxTenants'>> & {
  /** Undefined until the tables of a tenant are known. */
  readonly maxTenants: number | false | undefined;
};

/** Returns every problem of the `connections` options. */
export function connectionProblems({ preferServed, maxTenants, memoryBudgetMb }: ConnectionOptions = {}): string[] {
  const problems: string[] = [];

  if (preferServed !== undefined && typeof preferServed !== 'boolean') {
    problems.push(`\`connections.preferServed\` is ${show(preferServed)}, but must be true or false.`);
  }

  if (maxTenants !== undefined && maxTenants !== false && !(Number.isInteger(maxTenants) && maxTenants > 0)) {
    problems.push(`\`connections.maxTenants\` is ${show(maxTenants)}, but must be a whole number above zero, or false.`);
  }

  if (memoryBudgetMb !== undefined && !(Number.isInteger(memoryBudgetMb) && memoryBudgetMb > 0)) {
    problems.push(`\`connections.memoryBudgetMb\` is ${show(memoryBudgetMb)}, but must be a whole number above zero.`);
  }

  return problems;
}

/** How many tenants of so many tables each connection of a pool of so many serves by default. */
export function defaultMaxTenants(tables: number, poolSize: number): number {
  return maxTenantsIn(Math.min(CONNECTION_MB, POOL_MB / Math.max(1, poolSize)), tables);
}

/** How many tenants of so many tables a connection of so many megabytes knows. */
export function maxTenantsIn(megabytes: number, tables: number): number {
  return Math.max(1, Math.floor((megabytes * 1024) / KB_A_TABLE / Math.max(1, tables)));
}

/** How much memory connections have taken for so many tables. */
export function megabytesOf(tables: number): number {
  return Math.ceil((tables * KB_A_TABLE) / 1024);
}

/** What PostgreSQL keeps in the memory of a connection for each table that was used on it. */
const KB_A_TABLE = 24;

/** How much of that a connection has at most by default, and all connections of a pool. */
const CONNECTION_MB = 256;
const POOL_MB = 1_024;
