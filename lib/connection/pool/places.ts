import type { Scope, TenantScope } from '../../scope/scope.js';

/** How many connections work may have at once, how much of it waits, and how long. */
export interface Limits {
  readonly concurrency: number;
  readonly queue: number;
  readonly timeoutMs: number;
}

/** The permission to use one connection. */
export interface Place {
  /** To be called when the connection is there. */
  begin(): void;
  /** To be called where code of the user's runs while the connection is held. */
  open(): void;
  run<Result>(statement: Promise<Result>): Promise<Result>;
  /** May be called again. */
  end(): void;
}

export interface GateStats {
  readonly used: number;
  readonly waiting: number;
  readonly queueFull: number;
  readonly timedOut: number;
}

/** The gates of one kind: one for each key, through which so many go at once, and the rest waits in order. */
export class Gates {
  readonly #gates = new Map<string, Gate>();
  readonly #units = new WeakMap<Scope, Unit>();
  #queueFull = 0;
  #timedOut = 0;

  /** The connections that are used, the work that waits, and how much was refused. */
  get stats(): GateStats {
    const gates = [...this.#gates.values()];
    const sum = (count: (gate: Gate) => number): number => gates.reduce((total, gate) => total + count(gate), 0);

    return {
      used: sum(({ used }) => used),
      waiting: sum(({ waiting }) => waiting.size),
      queueFull: this.#queueFull,
      timedOut: this.#timedOut,
    };
  }

  /** @param refusals The errors for work that would wait as one too many, and for work that has waited too long. */
  enter(key: string, scope: TenantScope, limits: Limits, refusals: Refusals): GatePlace | Promise<GatePlace> {
    const unit = this.#unitOf(scope);
    const gate = this.#gates.get(key) ?? new Gate(() => this.#gates.delete(key));
    this.#gates.set(key, gate);

    if (unit.open > 0 || (gate.waiting.size === 0 && gate.used < limits.concurrency)) {
      return new GatePlace(gate, unit);
    }

    if (gate.waiting.size >= limits.queue) {
      this.#queueFull += 1;
      throw refusals.queueFull();
    }

    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        limits,
        admit: () => {
          leave();
          resolve(new GatePlace(gate, unit));
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
        reject(refusals.waitedTooLong());
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
}

class GatePlace implements Place {
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

  begin(): void {
    this.#unit.held.add(this);

    if (this.#unit.waiting.size > 0) {
      this.#unit.lookSoon();
    }
  }

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
  readonly held = new Set<GatePlace>();
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

/** The connections of one key. */
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

interface Refusals {
  queueFull(): Error;
  waitedTooLong(): Error;
}
