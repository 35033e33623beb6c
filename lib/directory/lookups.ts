import { LookupTimeoutError } from '../errors/web-errors.js';
import { connectionWasLost } from '../postgres/sql-state.js';
import type { DirectoryKey } from './directory-key.js';
import { GRACE_MS } from './grace.js';

/** The database in which tenants are looked up. */
export interface LookupSource<Held> {
  /** Finds the tenants whose property has one of the values. The keys of the map are these values. */
  findBy(property: string, values: readonly string[]): Promise<ReadonlyMap<string, Held>>;
}

/** The result of a lookup. */
export interface LookupResult<Held> {
  readonly tenant: Held | undefined;
  /** When the lookup was sent, as a value of `performance.now()`. */
  readonly askedAt: number;
  /** Whether a change was reported meanwhile that the answer may not contain. */
  readonly isOutdated: boolean;
}

/**
 * Looks up tenants in batches. Requests for the same key share one lookup, and lookups that arrive during a query share the next one. So a
 * flood of unknown hosts costs one query for each few hundred hosts, and two connections at a time. A query without an answer, for example
 * on a locked table, keeps its connection. So at most `MAX_OPEN_QUERIES` connections are taken from the pool.
 */
export class Lookups<Held extends { readonly schemaName: string }> {
  readonly #source: LookupSource<Held>;
  readonly #timeoutMs: number;
  /** Lookups that a request may still join, by their id. */
  readonly #open = new Map<string, Lookup<Held>>();
  readonly #waiting = new Set<Lookup<Held>>();
  readonly #sent = new Set<Lookup<Held>>();
  /** Queries without an answer. */
  #openQueries = 0;
  /** Those of them that are past the timeout, so that nobody waits for them any more. */
  #overdueQueries = 0;

  constructor(source: LookupSource<Held>, timeoutMs: number) {
    this.#source = source;
    this.#timeoutMs = timeoutMs;
  }

  find(id: string, key: DirectoryKey): Promise<LookupResult<Held>> {
    const open = this.#open.get(id);

    // the answer to an older lookup may already be out of date
    if (open !== undefined && performance.now() - open.askedAt <= GRACE_MS) {
      return open.promise;
    }

    const lookup = newLookup<Held>(id, key);
    // counts from now, because the lookup may also wait behind other queries that hang
    lookup.limit = setTimeout(() => this.#giveUp(lookup), this.#timeoutMs).unref();
    this.#open.set(id, lookup);
    this.#waiting.add(lookup);
    this.#next();

    return lookup.promise;
  }

  /** Marks these tenants as changed, or all tenants if none is named. Answers to lookups that were already sent may be out of date. */
  outdate(schemaNames: readonly string[]): void {
    for (const lookup of this.#sent) {
      lookup.changed = merged(lookup.changed, schemaNames);
      // later requests must not get the state from before the change
      this.#close(lookup);
    }
  }

  #next(): void {
    while (
      this.#waiting.size > 0 &&
      this.#openQueries - this.#overdueQueries < MAX_ACTIVE_QUERIES &&
      this.#openQueries < MAX_OPEN_QUERIES
    ) {
      void this.#ask(this.#takeBatch());
    }
  }

  #takeBatch(): Lookup<Held>[] {
    const batch: Lookup<Held>[] = [];

    for (const lookup of this.#waiting) {
      if (lookup.key.property === (batch[0] ?? lookup).key.property) {
        batch.push(lookup);
        this.#waiting.delete(lookup);
      }

      if (batch.length === BATCH_SIZE) {
        break;
      }
    }

    return batch;
  }

  async #ask(batch: readonly Lookup<Held>[]): Promise<void> {
    const askedAt = performance.now();
    let isOverdue = false;
    const limit = setTimeout(() => {
      isOverdue = true;
      this.#overdueQueries += 1;
      this.#next();
    }, this.#timeoutMs).unref();
    this.#openQueries += 1;

    for (const lookup of batch) {
      lookup.askedAt = askedAt;
      this.#sent.add(lookup);
    }

    try {
      const values = batch.map(({ key }) => key.value);
      const found = await this.#findBy(batch[0]?.key.property ?? '', values);
      batch.forEach(lookup => {
        const tenant = found.get(lookup.key.value);
        lookup.resolve({ tenant, askedAt, isOutdated: isOutdated(tenant, lookup.changed) });
      });
    } catch (error) {
      batch.forEach(lookup => lookup.reject(error));
    }

    clearTimeout(limit);
    batch.forEach(lookup => this.#end(lookup));
    this.#openQueries -= 1;
    this.#overdueQueries -= isOverdue ? 1 : 0;
    this.#next();
  }

  // retried once, because a connection of the pool may have died unnoticed
  #findBy(property: string, values: readonly string[]): Promise<ReadonlyMap<string, Held>> {
    return this.#source.findBy(property, values).catch((error: unknown) => {
      if (connectionWasLost(error)) {
        return this.#source.findBy(property, values);
      }

      throw error;
    });
  }

  #giveUp(lookup: Lookup<Held>): void {
    this.#waiting.delete(lookup);
    this.#end(lookup);
    lookup.reject(new LookupTimeoutError(this.#timeoutMs));
  }

  #end(lookup: Lookup<Held>): void {
    clearTimeout(lookup.limit);
    this.#sent.delete(lookup);
    this.#close(lookup);
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

  return { id, key, promise, resolve, reject, limit: undefined, askedAt: Infinity, changed: undefined };
}

function isOutdated(tenant: { readonly schemaName: string } | undefined, changed: Lookup<unknown>['changed']): boolean {
  if (changed === undefined || changed === 'all' || tenant === undefined) {
    return changed !== undefined;
  }

  return changed.has(tenant.schemaName);
}

function merged(changed: Lookup<unknown>['changed'], schemaNames: readonly string[]): NonNullable<Lookup<unknown>['changed']> {
  if (schemaNames.length === 0 || changed === 'all') {
    return 'all';
  }

  const all = new Set([...(changed ?? []), ...schemaNames]);

  // anybody may send notices, so their names must not fill the memory
  return all.size > MAX_CHANGED ? 'all' : all;
}

/** Queries within their timeout. The second one lets lookups continue if the first one hangs. */
const MAX_ACTIVE_QUERIES = 2;

/** Queries without an answer, including those past their timeout. */
const MAX_OPEN_QUERIES = 4;

const BATCH_SIZE = 500;

const MAX_CHANGED = 100;

interface Lookup<Held> {
  readonly id: string;
  readonly key: DirectoryKey;
  readonly promise: Promise<LookupResult<Held>>;
  readonly resolve: (result: LookupResult<Held>) => void;
  readonly reject: (error: unknown) => void;
  limit: NodeJS.Timeout | undefined;
  /** When the lookup was sent. Infinity until then. */
  askedAt: number;
  /** The schema names of tenants that were reported as changed since the lookup was sent. */
  changed: ReadonlySet<string> | 'all' | undefined;
}
