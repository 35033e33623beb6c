import { show } from '../errors/tenant-error.js';
import type { TenantMixin } from './tenant-mixin.js';

/** How much of the pool one tenant can have. */
export interface TenantLimits {
  /**
   * The number of connections that the work in the scopes of one tenant uses at once. What needs one more waits. Work that holds a connection, in
   * a transaction, a stream or a Kysely connection, never waits for a second one, because it could wait for itself. With a number as large as the
   * pool, one tenant can keep all others waiting.
   *
   * @default half of the pool
   */
  readonly concurrency?: number;

  /**
   * How much work of one tenant waits at most. What comes on top fails at once with `TENANT_OVERLOADED`. What waits takes memory, so a flood needs
   * a limit here.
   *
   * @default 100
   */
  readonly queue?: number;

  /**
   * How long work waits at most, in milliseconds. Then it fails with `TENANT_OVERLOADED`. Choose a value below the timeout of your proxy.
   *
   * @default 10_000
   */
  readonly timeoutMs?: number;
}

/** The same for all tenants, or what a function returns for a tenant. `undefined` is no limit. */
export type LimitsOption<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> =
  | TenantLimits
  // a method, because methods are compared more loosely: options for `Client` are accepted where those for any tenant are
  | { of(tenant: Tenant): TenantLimits | undefined }['of'];

/** Returns every problem of the `limits` option. What a function returns is checked when it is called. */
export function limitProblems(limits: unknown): string[] {
  if (limits === undefined || typeof limits === 'function') {
    return [];
  }

  if (typeof limits !== 'object' || limits === null) {
    return [
      `\`limits\` is ${show(limits)}, but must be an object such as \`{ concurrency: 5 }\`, or a function that returns one for a tenant.`,
    ];
  }

  return LIMITS.filter(({ name, least }) => {
    const value = (limits as TenantLimits)[name];

    return value !== undefined && !(Number.isInteger(value) && value >= least);
  }).map(
    ({ name, least }) =>
      `\`limits.${name}\` is ${show((limits as TenantLimits)[name])}, but must be a whole number, ${least === 0 ? 'zero or more' : 'above zero'}.`,
  );
}

const LIMITS = [
  { name: 'concurrency', least: 1 },
  { name: 'queue', least: 0 },
  { name: 'timeoutMs', least: 1 },
] as const;
