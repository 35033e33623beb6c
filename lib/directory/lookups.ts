import { LookupTimeoutError } from '../errors/web-errors.js';
import { connectionWasLost } from '../postgres/sql-state.js';
import type { DirectoryKey } from './directory-key.js';
import { GRACE_MS } from './grace.js';

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
 * of hosts that nobody knows costs a query for each few hundred of them, and two connections at a time. Those that the database leaves
 * without an answer, as where the table is locked, keep their connections; so no more than `UNDER_WAY` are ever taken from the pool.
 */
export class Lookups<Held extends { readonly schemaName: string }> {
  readonly #source: LookupSource<Held>;
  readonly #timeoutMs: number;
  /** Those that a request may still join, by what is looked up. */
  readonly #open = new Map<string, Lookup<Held>>();
  readonly #waiting = new Set<Lookup<Held>>();
  readonly #sent = new Set<Lookup<Held>>();
  /** Queries that have not been answered, and those of them that have been so for longer than anybody waits. */
  #underWay = 0;
  #overdue = 0;

  constructor(source: LookupSource<Held>, timeoutMs: number) {
    this.#source = source;
    this.#timeoutMs = timeoutMs;
  }

  find(id: string, key: DirectoryKey): Promise<LookupResult<Held>> {
    const open = this.#open.get(id);

    // the answer to an older question may be older than an answer may be
    if (open !== undefined && performance.now() - open.askedAt <= GRACE_MS) {
      return open.promise;
    }

    const lookup = newLookup<Held>(id, key);
    // one that hangs must not hang all requests; nor must those that are sent before it
    lookup.limit = setTimeout(() => this.#giveUp(lookup), this.#timeoutMs).unref();
    this.#open.set(id, lookup);
    this.#waiting.add(lookup);
    this.#next();

    return lookup.promise;
  }

  /** Says that these tenants have changed, or all if none is named: what is being asked may be answered as it was before. */
  outdate(schemaNames: readonly string[]): void {
    for (const lookup of this.#sent) {
      lookup.changed = merged(lookup.changed, schemaNames);
      // who comes from now on is not to be told what was true before
      this.#close(lookup);
    }
  }

  #next(): void {
    while (this.#waiting.size > 0 && this.#underWay - this.#overdue < AT_ONCE && this.#underWay < UNDER_WAY) {
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

      if (batch.length === BATCH) {
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
      this.#overdue += 1;
      this.#next();
    }, this.#timeoutMs).unref();
    this.#underWay += 1;

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
    this.#underWay -= 1;
    this.#overdue -= isOverdue ? 1 : 0;
    this.#next();
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

  // nobody may make a lookup remember more names than a busy second has
  return all.size > MAX_CHANGED ? 'all' : all;
}

/** Queries that are waited for at once. A second one goes on where the first hangs. */
const AT_ONCE = 2;

/** Queries that have not been answered, however long nobody has been waiting for them. */
const UNDER_WAY = 4;

const BATCH = 500;

const MAX_CHANGED = 100;

interface Lookup<Held> {
  readonly id: string;
  readonly key: DirectoryKey;
  readonly promise: Promise<LookupResult<Held>>;
  readonly resolve: (result: LookupResult<Held>) => void;
  readonly reject: (error: unknown) => void;
  limit: NodeJS.Timeout | undefined;
  /** When it was sent; until then in the future. */
  askedAt: number;
  /** The schema names of which a change was told since it was sent. */
  changed: ReadonlySet<string> | 'all' | undefined;
}
