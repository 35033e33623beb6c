import type { Configuration } from '@mikro-orm/core';
import { NodeOverloadedError, TenantConfigError, TenantOverloadedError } from '../../errors/index.js';
import type { TenantScope } from '../../scope/scope.js';
import { TenantRules } from '../../scope/tenant-rules.js';
import { nodeLimitsOf } from '../../tenant/citus-options.js';
import { limitProblems, type TenantLimits } from '../../tenant/limit-options.js';
import type { TenantMixin } from '../../tenant/tenant-mixin.js';
import { KnownNodes } from './known-nodes.js';
import { Gates, type GateStats, type Limits, type Place } from './places.js';
import { sqlTarget } from '../statements/sql-target.js';

/**
 * Lets the work of one tenant, and that of all tenants of one node of Citus, have so many connections at once, and the rest wait in order.
 *
 * Work that holds a connection between two statements, as in a transaction, a stream or a `connection()` of Kysely's, never waits for another one:
 * it could wait for itself, or for others that wait for it. So each connection that is waited for has a statement under way, which ends by itself,
 * or belongs to work that gets all it asks for.
 */
export class TenantLimiter {
  readonly #config: Configuration;
  readonly #tenants = new Gates();
  readonly #nodes = new Gates();
  readonly #limits = new WeakMap<object, Limits | undefined>();
  #nodeLimits: Limits | undefined;

  /** One for all connections of an ORM. */
  static of(config: Configuration): TenantLimiter {
    const limiter = limiters.get(config) ?? new TenantLimiter(config);
    limiters.set(config, limiter);

    return limiter;
  }

  /** Whether there is anything to limit. */
  static isNeeded({ options }: TenantRules): boolean {
    return options.limits !== undefined || nodeLimitsOf(options.citus) !== undefined;
  }

  constructor(config: Configuration) {
    this.#config = config;
  }

  /**
   * A place for one connection, for the work in the current scope. Undefined where there is no limit.
   *
   * @throws TenantOverloadedError `TENANT_OVERLOADED`, NodeOverloadedError `NODE_OVERLOADED`, also by the promise
   */
  enter(): Place | Promise<Place> | undefined {
    const rules = TenantRules.find(this.#config);
    const scope = rules === undefined || !TenantLimiter.isNeeded(rules) ? undefined : rules.scope;

    // what the library looks up in a tenant's scope is as much for others
    if (rules === undefined || scope?.kind !== 'tenant' || sqlTarget(this.#config).kind !== 'tenant') {
      return undefined;
    }

    const ofTenant = this.#enterTenant(scope, rules);

    return ofTenant instanceof Promise
      ? ofTenant.then(place => this.#enterNode(scope, rules, place) ?? place)
      : this.#enterNode(scope, rules, ofTenant);
  }

  /** The connections of all tenants, the work that waits, and how much was refused. */
  get stats(): GateStats {
    return this.#tenants.stats;
  }

  #enterTenant(scope: TenantScope, rules: TenantRules): Place | Promise<Place> | undefined {
    const { schemaName } = scope;
    const limits = rules.options.limits === undefined ? undefined : this.#limitsOf(scope, rules);

    return limits === undefined
      ? undefined
      : this.#tenants.enter(schemaName, scope, limits, {
          queueFull: () => TenantOverloadedError.queueFull(schemaName, limits),
          waitedTooLong: () => TenantOverloadedError.waitedTooLong(schemaName, limits),
        });
  }

  /** The place of the tenant and that of its node, as one. */
  #enterNode(scope: TenantScope, { options }: TenantRules, ofTenant: Place | undefined): Place | Promise<Place> | undefined {
    const given = nodeLimitsOf(options.citus);
    const node = given === undefined ? undefined : KnownNodes.of(this.#config).nodeOf(scope.schemaName);

    if (given === undefined || node === undefined) {
      return ofTenant;
    }

    const limits = (this.#nodeLimits ??= this.#resolve(given));

    try {
      const ofNode = this.#nodes.enter(node, scope, limits, {
        queueFull: () => new NodeOverloadedError(node, limits, `${limits.queue} pieces of their work wait already`),
        waitedTooLong: () => new NodeOverloadedError(node, limits, `this one has waited for ${limits.timeoutMs} ms`),
      });

      if (!(ofNode instanceof Promise)) {
        return ofTenant === undefined ? ofNode : new BothPlaces(ofTenant, ofNode);
      }

      return ofNode.then(
        place => (ofTenant === undefined ? place : new BothPlaces(ofTenant, place)),
        (error: unknown) => {
          ofTenant?.end();
          throw error;
        },
      );
    } catch (error) {
      ofTenant?.end();
      throw error;
    }
  }

  #limitsOf(scope: TenantScope, rules: TenantRules): Limits | undefined {
    const { limits } = rules.options;
    // the function is asked anew when the tenant's row is
    const key = typeof limits === 'function' ? scope.identity : limits;

    if (key !== undefined && this.#limits.has(key)) {
      return this.#limits.get(key);
    }

    const given = typeof limits === 'function' ? limits(scope.tenant as TenantMixin<unknown>) : limits;
    const resolved = given === undefined ? undefined : this.#resolve(given);

    if (key !== undefined) {
      this.#limits.set(key, resolved);
    }

    return resolved;
  }

  #resolve(given: TenantLimits): Limits {
    const problems = limitProblems(given);

    if (problems.length > 0) {
      throw new TenantConfigError(problems, 'The function `limits` returned something that is no limit');
    }

    return {
      concurrency: given.concurrency ?? Math.max(1, Math.floor((this.#config.get('pool').max ?? DEFAULT_POOL) / 2)),
      queue: given.queue ?? 100,
      timeoutMs: given.timeoutMs ?? 10_000,
    };
  }
}

/** What may use a connection by two permissions. */
class BothPlaces implements Place {
  readonly #one: Place;
  readonly #other: Place;

  constructor(one: Place, other: Place) {
    this.#one = one;
    this.#other = other;
  }

  begin(): void {
    this.#one.begin();
    this.#other.begin();
  }

  open(): void {
    this.#one.open();
    this.#other.open();
  }

  run<Result>(statement: Promise<Result>): Promise<Result> {
    return this.#one.run(this.#other.run(statement));
  }

  end(): void {
    this.#one.end();
    this.#other.end();
  }
}

const limiters = new WeakMap<Configuration, TenantLimiter>();

/** That of `pg`. */
const DEFAULT_POOL = 10;
