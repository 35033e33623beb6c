import { LRUCache } from 'lru-cache';
import { DirectoryUnavailableError } from '../errors/index.js';
import { LookupTimeoutError } from '../errors/web-errors.js';
import { hasNotAnswered } from '../postgres/sql-state.js';
import type { DirectoryOptions } from '../tenant/directory-options.js';
import type { DirectoryKey } from './directory-key.js';
import { GRACE_MS } from './grace.js';
import { Lookups, type LookupSource } from './lookups.js';

/**
 * Who is meant by what a request says, without a query for each request. An answer is trusted for a second in any case. For longer, up to
 * its time to live, it is trusted only where a change to it would have been heard: it was asked for after the listening began, and the
 * listener has been in touch with the database within the last second. What is not trusted is not forgotten: while the database cannot
 * be reached, it is all there is.
 */
export class Directory<Held extends HeldTenant> {
  readonly #options: Required<DirectoryOptions>;
  readonly #listener: ChangeListener;
  readonly #lookups: Lookups<Held>;
  readonly #known: LRUCache<string, Answer<Held>>;
  /** Apart from the known ones, so that a flood of made-up hosts does not push these out. */
  readonly #unknown: LRUCache<string, Answer<Held>>;
  readonly #idsOf = new Map<string, Set<string>>();
  #failedAt = -Infinity;

  constructor(options: Required<DirectoryOptions>, source: LookupSource<Held>, listener: ChangeListener) {
    this.#options = options;
    this.#listener = listener;
    this.#lookups = new Lookups(source, options.lookupTimeoutMs);
    this.#known = new LRUCache({ max: options.max, dispose: (answer, id) => this.#unindex(answer, id) });
    this.#unknown = new LRUCache({ max: options.unknownMax });
  }

  /**
   * The tenant of that key, or undefined where no row has it. At once where that is known; a promise otherwise.
   *
   * @throws DirectoryUnavailableError `DIRECTORY_UNAVAILABLE`
   */
  find(key: DirectoryKey): Held | undefined | Promise<Held | undefined> {
    this.#listener.start();
    const id = `${key.property}\0${key.value}`;
    const now = performance.now();
    const known = this.#known.get(id);

    if (known !== undefined) {
      return this.#isTrusted(known, this.#options.ttlMs, now) ? known.tenant : this.#ask(id, key);
    }

    const unknown = this.#unknown.get(id);

    return unknown !== undefined && this.#isTrusted(unknown, this.#options.unknownTtlMs, now) ? undefined : this.#ask(id, key);
  }

  /** Forgets the tenants that have changed, given by the schema names they had and have; without any, all. */
  forget(...schemaNames: readonly string[]): void {
    this.#lookups.outdate(schemaNames);
    // who is unknown may be known by what has changed
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
    // what has just failed is not asked again for each request
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
    const age = now - askedAt;

    return age <= GRACE_MS || (age <= ttlMs && this.#listener.wouldHaveHeard(askedAt, now));
  }

  #withoutDatabase(id: string, cause?: unknown): Held {
    const { onUnavailable, ttlMs } = this.#options;
    // what is held now: a change may have been told while the database was waited for
    const held = this.#known.get(id);

    if (held?.tenant !== undefined && onUnavailable === 'serve' && performance.now() - held.askedAt <= ttlMs) {
      return held.tenant;
    }

    // not as an unknown host: nobody knows whether it is one
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

/** What the directory has to know of a tenant. */
export interface HeldTenant {
  readonly schemaName: string;
}

/** Whoever tells the directory of changes. */
export interface ChangeListener {
  /** Begins to listen, without waiting for it; again and again called, it does nothing more. */
  start(): void;

  /** Whether a change since then would have been told by now, but for the last second. Both in `performance.now()`'s terms. */
  wouldHaveHeard(since: number, now: number): boolean;

  /** The same, and false where changes are known not to be told. */
  hears(since: number, now: number): boolean;

  close(): Promise<void>;
}

interface Answer<Held> {
  readonly tenant: Held | undefined;
  /** When the question was sent, so that the answer is not older. */
  readonly askedAt: number;
}
