import { show } from '../errors/tenant-error.js';
import { limitProblems, type TenantLimits } from './limit-options.js';

/** What the library does on Citus, where a schema is placed on a node. */
export interface CitusOptions {
  /**
   * Whether the schemas of new tenants are sharded, so that each is placed on one node. With `false`, they stay on the coordinator until
   * `tenants().distribute()`.
   *
   * @default true
   */
  readonly shardTenants?: boolean;

  /**
   * How many connections of the pool the work of all tenants of one node can use at once, so that a node that hangs does not take the whole pool.
   * `{}` gives each node half of the pool. It needs a `statement_timeout`: without one, what waits for a hung node waits for ever.
   *
   * @default none: the tenants of one node can use the whole pool
   */
  readonly nodeLimits?: TenantLimits;
}

/** `'auto'` looks at the database. An object says in addition that it is Citus, for commands that have no database to look at. */
export type CitusOption = 'auto' | false | CitusOptions;

/** Returns every problem of the `citus` option. */
export function citusProblems(citus: unknown): string[] {
  if (citus === undefined || citus === 'auto' || citus === false) {
    return [];
  }

  if (typeof citus !== 'object' || citus === null) {
    return [`\`citus\` is ${show(citus)}, but must be \`'auto'\`, \`false\` or an object such as \`{ shardTenants: true }\`.`];
  }

  const { shardTenants, nodeLimits } = citus as CitusOptions;

  return [
    ...(shardTenants === undefined || typeof shardTenants === 'boolean'
      ? []
      : [`\`citus.shardTenants\` is ${show(shardTenants)}, but must be true or false.`]),
    ...(typeof nodeLimits === 'function' ? ['`citus.nodeLimits` is a function, but must be an object such as `{ concurrency: 5 }`.'] : []),
    ...limitProblems(nodeLimits).map(problem => problem.replaceAll('`limits', '`citus.nodeLimits')),
  ];
}

/** Whether new tenants are placed on nodes, if the database is Citus. */
export function shardsTenants(citus: CitusOption): boolean {
  return citus !== false && (citus === 'auto' || citus.shardTenants !== false);
}

/** The limits of the tenants of one node, where there are any. */
export function nodeLimitsOf(citus: CitusOption): TenantLimits | undefined {
  return citus === false || citus === 'auto' ? undefined : citus.nodeLimits;
}
