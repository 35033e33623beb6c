import type { Configuration } from '@mikro-orm/core';
import { TenantConfigError, TenantOverloadedError } from '../errors/index.js';
import type { Scope, TenantScope } from '../scope/scope.js';
import { TenantRules } from '../scope/tenant-rules.js';
import { limitProblems, type TenantLimits } from '../tenant/limit-options.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { sqlTarget } from './sql-target.js';

/**
 * Lets the work of one tenant have so many connections at once, and the rest wait in order.
 *
 * Work that holds a connection between two statements, as in a transaction, a stream or a `connection()` of Kysely's, never waits for another one:
 * it could wait for itself, or for others that wait for it. So each connection that is waited for has a statement under way, which ends by itself,
 * or belongs to work that gets all it asks for.
 */
export class TenantLimiter {
  readonly #config: Configuration;
  readonly #gates = new Map<string, Gate>();
  readonly #units = new WeakMap<Scope, Unit>();
  readonly #limits = new WeakMap<object, Limits | undefined>();
  #queueFull = 0;
  #timedOut = 0;

  /** One for all connections of an ORM. */
  static of(config: Configuration): TenantLimiter {
    const limiter = limiters.get(config) ?? new TenantLimiter(config);
    limiters.set(config, limiter);

    return limiter;
  }

  constructor(config: Configuration) {
    this.#config = config;
  }

  /**
   * A place for one connection, for the work in the current scope. Undefined where there is no limit.
   *
   * @throws TenantOverloadedError `TENANT_OVERLOADED`, also by the promise
   */
  enter(): Place | Promise<Place> | undefined {
    const rules = TenantRules.find(this.#config);
    const scope = rules?.options.limits === undefined ? undefined : rules.scope;

    // what the library looks up in a tenant's scope is as much for others
    if (rules === undefined || scope?.kind !== 'tenant' || sqlTarget(this.#config).kind !== 'tenant') {
      return undefined;
    }

    const limits = this.#limitsOf(scope, rules);

    return limits === undefined ? undefined : this.#enter(scope, limits);
  }

  /** The connections of all tenants, the work that waits, and how much was refused. */
  get stats(): { readonly used: number; readonly waiting: number; readonly queueFull: number; readonly timedOut: number } {
    const gates = [...this.#gates.values()];
    const sum = (count: (gate: Gate) => number): number => gates.reduce((total, gate) => total + count(gate), 0);

    return {
      used: sum(({ used }) => used),
      waiting: sum(({ waiting }) => waiting.size),
      queueFull: this.#queueFull,
      timedOut: this.#timedOut,
    };
  }

  #enter(scope: TenantScope, limits: Limits): Place | Promise<Place> {
    const unit = this.#unitOf(scope);
    const gate = this.#gates.get(scope.schemaName) ?? new Gate(() => this.#gates.delete(scope.schemaName));
    this.#gates.set(scope.schemaName, gate);

    if (unit.open > 0 || (gate.waiting.size === 0 && gate.used < limits.concurrency)) {
      return new Place(gate, unit);
    }

    if (gate.waiting.size >= limits.queue) {
      this.#queueFull += 1;
      throw TenantOverloadedError.queueFull(scope.schemaName, limits);
    }

    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        limits,
        admit: () => {
          leave();
          resolve(new Place(gate, unit));
        },
      };
      const leave = (): void => {
        clearTimeout(timer);
        gate.waiting.delete(waiter);
        unit.waiting.delete(waiter);
      };
      const timer = setTimeout(() => {
        leave();
        this.#timedOut += 1;
        gate.dropIfUnused();
        reject(TenantOverloadedError.waitedTooLong(scope.schemaName, limits));
      }, limits.timeoutMs);
      gate.waiting.add(waiter);
      unit.waiting.add(waiter);
      unit.lookSoon();
    });
  }

  /** A unit of work is what runs in the outermost scope of a tenant. Its parts may wait for each other. */
  #unitOf(scope: TenantScope): Unit {
    let root: Scope = scope;

    for (let each = scope.outer; each !== undefined; each = each.outer) {
      root = each.kind === 'tenant' && each.config === scope.config ? each : root;
    }

    const unit = this.#units.get(root) ?? new Unit();
    this.#units.set(root, unit);

    return unit;
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

/** The permission to use one connection. */
export class Place {
  readonly #gate: Gate;
  readonly #unit: Unit;
  #isOpen = false;
  #hasEnded = false;
  #running = 0;

  constructor(gate: Gate, unit: Unit) {
    this.#gate = gate;
    this.#unit = unit;
    gate.used += 1;
  }

  /** To be called when the connection is there. */
  begin(): void {
    this.#unit.held.add(this);

    if (this.#unit.waiting.size > 0) {
      this.#unit.lookSoon();
    }
  }

  /** To be called where code of the user's runs while the connection is held. */
  open(): void {
    if (!this.#isOpen && !this.#hasEnded) {
      this.#isOpen = true;
      this.#unit.opened();
    }
  }

  async run<Result>(statement: Promise<Result>): Promise<Result> {
    this.#running += 1;

    try {
      return await statement;
    } finally {
      this.#running -= 1;

      if (this.#unit.waiting.size > 0) {
        this.#unit.lookSoon();
      }
    }
  }

  /** Whether the connection is held without a statement on it. */
  get isIdle(): boolean {
    return !this.#isOpen && this.#running === 0;
  }

  /** May be called again. */
  end(): void {
    if (this.#hasEnded) {
      return;
    }

    this.#hasEnded = true;
    this.#unit.held.delete(this);
    this.#unit.open -= this.#isOpen ? 1 : 0;
    this.#gate.left();
  }
}

/** What has connections, and waits for them, in the outermost scope of a tenant. */
class Unit {
  /** How many of its connections it is known to hold between statements. */
  open = 0;
  readonly held = new Set<Place>();
  readonly waiting = new Set<Waiter>();
  #isLooking = false;

  opened(): void {
    this.open += 1;
    [...this.waiting].forEach(waiter => waiter.admit());
  }

  /**
   * Looks which connections are held without a statement, once those that are given back are. Nothing else tells: Kysely begins no transaction and
   * sends no statement in `connection()`.
   */
  lookSoon(): void {
    if (!this.#isLooking) {
      this.#isLooking = true;
      setImmediate(() => {
        this.#isLooking = false;

        if (this.waiting.size > 0) {
          [...this.held].filter(place => place.isIdle).forEach(place => place.open());
        }
      });
    }
  }
}

/** The connections of one tenant. */
class Gate {
  used = 0;
  /** In the order in which they came. */
  readonly waiting = new Set<Waiter>();
  readonly #drop: () => void;

  constructor(drop: () => void) {
    this.#drop = drop;
  }

  left(): void {
    this.used -= 1;

    for (const waiter of this.waiting) {
      if (this.used >= waiter.limits.concurrency) {
        return;
      }

      waiter.admit();
    }

    this.dropIfUnused();
  }

  dropIfUnused(): void {
    if (this.used === 0 && this.waiting.size === 0) {
      this.#drop();
    }
  }
}

interface Waiter {
  readonly limits: Limits;
  admit(): void;
}

type Limits = Required<TenantLimits>;

const limiters = new WeakMap<Configuration, TenantLimiter>();

/** That of `pg`. */
const DEFAULT_POOL = 10;
