import { LookupTimeoutError } from '../errors/web-errors.js';
import { connectionWasLost } from '../sql-state.js';
import type { DirectoryKey } from './directory.js';

/** Where tenants are looked up. */
export interface LookupSource<Held> {
  /** The tenants of which the property has one of the values, under that value. */
  findBy(property: string, values: readonly string[]): Promise<ReadonlyMap<string, Held>>;
}

/** What came of a lookup. */
export interface LookupResult<Held> {
  readonly tenant: Held | undefined;
  /** When the question was sent, in `performance.now()`'s terms. */
  readonly askedAt: number;
  /** Whether something has changed meanwhile that the answer may not show. */
  readonly isOutdated: boolean;
}

/**
 * Looks tenants up, one query for all who wait for the same, and one for many of those who come while others are being looked up: a flood
 * of hosts that nobody knows costs a query for each few hundred of them, and never more than two connections.
 */
export class Lookups<Held extends { readonly schemaName: string }> {
  readonly #source: LookupSource<Held>;
  readonly #timeoutMs: number;
  /** Those that a request may still join, by what is looked up. */
  readonly #open = new Map<string, Lookup<Held>>();
  #waiting: Lookup<Held>[] = [];
  readonly #sent = new Set<Lookup<Held>>();
  #running = 0;

  constructor(source: LookupSource<Held>, timeoutMs: number) {
    this.#source = source;
    this.#timeoutMs = timeoutMs;
  }

  find(id: string, key: DirectoryKey): Promise<LookupResult<Held>> {
    let lookup = this.#open.get(id);

    if (lookup === undefined) {
      lookup = newLookup<Held>(id, key);
      this.#open.set(id, lookup);
      this.#waiting.push(lookup);
      this.#next();
    }

    return lookup.promise;
  }

  /** Says that these tenants have changed, or all if none is named: what is being asked may be answered as it was before. */
  outdate(schemaNames: readonly string[]): void {
    for (const lookup of this.#sent) {
      lookup.changed = schemaNames.length === 0 || lookup.changed === 'all' ? 'all' : [...(lookup.changed ?? []), ...schemaNames];
      // who comes from now on is not to be told what was true before
      this.#close(lookup);
    }
  }

  #next(): void {
    while (this.#waiting.length > 0 && this.#running < AT_ONCE) {
      this.#running += 1;
      void this.#ask(this.#takeBatch()).finally(() => {
        this.#running -= 1;
        this.#next();
      });
    }
  }

  #takeBatch(): Lookup<Held>[] {
    const property = this.#waiting[0]?.key.property;
    const batch: Lookup<Held>[] = [];
    const left: Lookup<Held>[] = [];

    for (const lookup of this.#waiting) {
      (lookup.key.property === property && batch.length < BATCH ? batch : left).push(lookup);
    }

    this.#waiting = left;

    return batch;
  }

  async #ask(batch: readonly Lookup<Held>[]): Promise<void> {
    const property = batch[0]?.key.property ?? '';
    const values = batch.map(({ key }) => key.value);
    const askedAt = performance.now();
    batch.forEach(lookup => this.#sent.add(lookup));

    try {
      const found = await this.#inTime(this.#findBy(property, values));
      batch.forEach(lookup => {
        const tenant = found.get(lookup.key.value);
        lookup.resolve({ tenant, askedAt, isOutdated: isOutdated(tenant, lookup.changed) });
      });
    } catch (error) {
      batch.forEach(lookup => lookup.reject(error));
    } finally {
      batch.forEach(lookup => {
        this.#sent.delete(lookup);
        this.#close(lookup);
      });
    }
  }

  // a connection of the pool may have died unnoticed; a new one may do
  #findBy(property: string, values: readonly string[]): Promise<ReadonlyMap<string, Held>> {
    return this.#source.findBy(property, values).catch((error: unknown) => {
      if (connectionWasLost(error)) {
        return this.#source.findBy(property, values);
      }

      throw error;
    });
  }

  // one that hangs must not hang all requests
  async #inTime<Result>(work: Promise<Result>): Promise<Result> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new LookupTimeoutError(this.#timeoutMs)), this.#timeoutMs).unref();
    });

    try {
      return await Promise.race([work, limit]);
    } finally {
      clearTimeout(timer);
    }
  }

  #close(lookup: Lookup<Held>): void {
    if (this.#open.get(lookup.id) === lookup) {
      this.#open.delete(lookup.id);
    }
  }
}

function newLookup<Held>(id: string, key: DirectoryKey): Lookup<Held> {
  let resolve: Lookup<Held>['resolve'] = () => undefined;
  let reject: Lookup<Held>['reject'] = () => undefined;
  const promise = new Promise<LookupResult<Held>>((...both) => {
    [resolve, reject] = both;
  });

  return { id, key, promise, resolve, reject, changed: undefined };
}

function isOutdated(tenant: { readonly schemaName: string } | undefined, changed: Lookup<unknown>['changed']): boolean {
  if (changed === undefined || changed === 'all' || tenant === undefined) {
    return changed !== undefined;
  }

  return changed.includes(tenant.schemaName);
}

/** Lookups that are sent at once. A second one goes on where the first hangs. */
const AT_ONCE = 2;

const BATCH = 500;

interface Lookup<Held> {
  readonly id: string;
  readonly key: DirectoryKey;
  readonly promise: Promise<LookupResult<Held>>;
  readonly resolve: (result: LookupResult<Held>) => void;
  readonly reject: (error: unknown) => void;
  /** The schema names of which a change was told since it was sent. */
  changed: readonly string[] | 'all' | undefined;
}
