import { LRUCache } from 'lru-cache';
import { DirectoryUnavailableError } from '../errors/index.js';
import { LookupTimeoutError } from '../errors/web-errors.js';
import { hasNotAnswered } from '../postgres/sql-state.js';
import type { DirectoryOptions } from '../tenant/directory-options.js';
import type { DirectoryKey } from './directory-key.js';
import { GRACE_MS } from './grace.js';
import { Lookups, type LookupSource } from './lookups.js';

/**
 * Finds the tenant of a request without a query for each request. Every cached answer is trusted for one second. After that, and up to its
 * time to live, it is trusted only if the process would have been notified of a change: the lookup began after listening began, and the
 * listener was in contact with the database within the last second. An answer that is not trusted stays in the cache, because it is all
 * there is while the database cannot be reached.
 */
export class Directory<Held extends HeldTenant> {
  readonly #options: Required<DirectoryOptions>;
  readonly #listener: ChangeListener;
  readonly #lookups: Lookups<Held>;
  readonly #known: LRUCache<string, Answer<Held>>;
  /** A separate cache, so that a flood of made-up hosts does not evict tenants. */
  readonly #unknown: LRUCache<string, Answer<Held>>;
  readonly #idsOf = new Map<string, Set<string>>();
  #failedAt = -Infinity;
  #hits = 0;
  #misses = 0;

  constructor(options: Required<DirectoryOptions>, source: LookupSource<Held>, listener: ChangeListener) {
    this.#options = options;
    this.#listener = listener;
    this.#lookups = new Lookups(source, options.lookupTimeoutMs);
    this.#known = new LRUCache({ max: options.max, dispose: (answer, id) => this.#unindex(answer, id) });
    this.#unknown = new LRUCache({ max: options.unknownMax });
  }

  /**
   * Returns the tenant with this key, or undefined if there is none. Returns a promise only if the answer has to be looked up.
   *
   * @throws DirectoryUnavailableError `DIRECTORY_UNAVAILABLE`
   */
  find(key: DirectoryKey): Held | undefined | Promise<Held | undefined> {
    this.#listener.start();
    const id = `${key.property}\0${key.value}`;
    const now = performance.now();
    const known = this.#known.get(id);

    if (known !== undefined && this.#isTrusted(known, this.#options.ttlMs, now)) {
      this.#hits += 1;

      return known.tenant;
    }

    const unknown = known === undefined ? this.#unknown.get(id) : undefined;

    if (unknown !== undefined && this.#isTrusted(unknown, this.#options.unknownTtlMs, now)) {
      this.#hits += 1;

      return undefined;
    }

    this.#misses += 1;

    return this.#ask(id, key);
  }

  /** How often an answer was in memory or was not, and how many answers are there. */
  get stats(): { readonly hits: number; readonly misses: number; readonly known: number; readonly unknown: number } {
    return { hits: this.#hits, misses: this.#misses, known: this.#known.size, unknown: this.#unknown.size };
  }

  /** Forgets changed tenants, given by their former and current schema names. Without names, forgets all tenants. */
  forget(...schemaNames: readonly string[]): void {
    this.#lookups.outdate(schemaNames);
    // a changed tenant may have a host that was unknown before
    this.#unknown.clear();

    if (schemaNames.length === 0) {
      this.#known.clear();
    }

    for (const id of schemaNames.flatMap(schemaName => [...(this.#idsOf.get(schemaName) ?? [])])) {
      this.#known.delete(id);
    }
  }

  async close(): Promise<void> {
    await this.#listener.close();
    this.forget();
  }

  async #ask(id: string, key: DirectoryKey): Promise<Held | undefined> {
    // a lookup that has just failed is not repeated for every request
    if (performance.now() - this.#failedAt < RETRY_AFTER_MS) {
      return this.#withoutDatabase(id);
    }

    try {
      const { tenant, askedAt, isOutdated } = await this.#lookups.find(id, key);
      this.#failedAt = -Infinity;

      if (!isOutdated) {
        this.#keep(id, { tenant, askedAt });
      }

      return tenant;
    } catch (error) {
      if (!(error instanceof LookupTimeoutError) && !hasNotAnswered(error)) {
        throw error;
      }

      this.#failedAt = performance.now();

      return this.#withoutDatabase(id, error);
    }
  }

  #isTrusted({ askedAt }: Answer<Held>, ttlMs: number, now: number): boolean {
    return isTrusted(this.#listener, { askedAt, now, ttlMs });
  }

  #withoutDatabase(id: string, cause?: unknown): Held {
    const { onUnavailable, ttlMs } = this.#options;
    // read again: a change may have been reported during the lookup
    const held = this.#known.get(id);

    if (held?.tenant !== undefined && onUnavailable === 'serve' && performance.now() - held.askedAt <= ttlMs) {
      return held.tenant;
    }

    // not an unknown host: the database could not be asked
    throw new DirectoryUnavailableError(RETRY_AFTER_MS / 1000, cause);
  }

  #keep(id: string, answer: Answer<Held>): void {
    const { tenant } = answer;

    if (tenant === undefined) {
      this.#known.delete(id);
      this.#unknown.set(id, answer);
      return;
    }

    this.#unknown.delete(id);
    this.#known.set(id, answer);
    const ids = this.#idsOf.get(tenant.schemaName) ?? new Set();
    this.#idsOf.set(tenant.schemaName, ids.add(id));
  }

  #unindex({ tenant }: Answer<Held>, id: string): void {
    const ids = tenant && this.#idsOf.get(tenant.schemaName);
    ids?.delete(id);

    if (tenant !== undefined && ids?.size === 0) {
      this.#idsOf.delete(tenant.schemaName);
    }
  }
}

const RETRY_AFTER_MS = 1_000;

/** The part of a cached tenant that the directory uses. */
export interface HeldTenant {
  readonly schemaName: string;
}

/** Reports changed tenants to the directory. */
export interface ChangeListener {
  /** Starts listening, and does not wait for it. Further calls do nothing. */
  start(): void;

  /** Whether every change after `since` would have been reported by now, except for the last second. Both are values of `performance.now()`. */
  wouldHaveReported(since: number, now: number): boolean;

  /** The same, but false if notifications are known not to arrive. */
  receives(since: number, now: number): boolean;

  close(): Promise<void>;
}

/** Whether an answer from `askedAt` still holds, unless a change was reported since. */
export function isTrusted(
  listener: Pick<ChangeListener, 'wouldHaveReported'>,
  { askedAt, now, ttlMs }: { readonly askedAt: number; readonly now: number; readonly ttlMs: number },
): boolean {
  const age = now - askedAt;

  return age <= GRACE_MS || (age <= ttlMs && listener.wouldHaveReported(askedAt, now));
}

interface Answer<Held> {
  readonly tenant: Held | undefined;
  /** When the lookup was sent. The answer is at least as recent. */
  readonly askedAt: number;
}
