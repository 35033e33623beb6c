import type { TenantIdentity } from './tenant-identity.js';

/**
 * For how long, in milliseconds, a tenant is taken to be the one that it was a moment ago, where nobody would tell of a change. Work that
 * sends more statements than one in this time pays one more statement for all of them.
 */
export const TRUST_MS = 100;

/** What one ORM knows of which tenants are still those that they were, without the database. */
export class TenantIdentities {
  /** Whether a change since then would have been heard by now. Set by whoever listens. Both in `performance.now()`'s terms. */
  wouldHaveHeard: (since: number, now: number) => boolean = () => false;

  /** Called with the name of a tenant that was found to be another one, or none. */
  onEnd: (schemaName: string) => void = () => undefined;

  readonly #changes = new Changes();
  readonly #ended = new WeakSet<TenantIdentity>();
  /** What the primary has said. */
  readonly #primary: Confirmations;

  constructor() {
    this.#primary = new Confirmations(this.#changes, (since, now) => this.wouldHaveHeard(since, now));
  }

  /** What a connection goes by. A replica may be behind what was heard, so there nothing is trusted for longer than `TRUST_MS`. */
  confirmationsOf(connection: 'read' | 'write'): Confirmations {
    return connection === 'write' ? this.#primary : new Confirmations(this.#changes, () => false);
  }

  /** Says that the tenants of these names have changed, or all if none is named. */
  outdate(schemaNames: readonly string[]): void {
    this.#changes.add(schemaNames);
  }

  /** Says that this process is about to change the tenants of these names, or all if none is named. Until it has, nothing is known of them. */
  beginChange(schemaNames: readonly string[]): () => void {
    return this.#changes.begin(schemaNames);
  }

  /** Whether the tenant is known to be the one it was, as a change would have been heard. */
  isHeard(identity: TenantIdentity): boolean {
    return !this.hasEnded(identity) && this.#primary.isHeard(identity);
  }

  /** The mark that the tenant's schema must have, if it has kept its name since the primary was last asked. None where that is known. */
  markOf(identity: TenantIdentity): string | undefined {
    return this.#primary.markSince(identity, this.#primary.latest(identity));
  }

  /** Whether the tenant is not the one of its name any more. */
  hasEnded(identity: TenantIdentity): boolean {
    return this.#ended.has(identity);
  }

  end(identity: TenantIdentity): void {
    if (!this.#ended.has(identity)) {
      this.#ended.add(identity);
      this.onEnd(identity.schemaName);
    }
  }
}

/** When the database said of which tenants that they are who they were. */
export class Confirmations {
  readonly #changes: Changes;
  readonly #wouldHaveHeard: (since: number, now: number) => boolean;
  readonly #of = new WeakMap<TenantIdentity, Moment>();

  constructor(changes: Changes, wouldHaveHeard: (since: number, now: number) => boolean) {
    this.#changes = changes;
    this.#wouldHaveHeard = wouldHaveHeard;
  }

  /** To be taken before the database is asked: what it answers is not older. */
  now(): Moment {
    return { at: performance.now(), changes: this.#changes.count };
  }

  confirm(identity: TenantIdentity, askedAt: Moment, mark: string | undefined): void {
    this.#of.set(identity, { ...askedAt, mark });
  }

  /** When it was said last, and with which mark. */
  latest(identity: TenantIdentity): Moment | undefined {
    return this.#of.get(identity);
  }

  isTrusted(identity: TenantIdentity): boolean {
    return this.#isUnchanged(identity, TRUST_MS);
  }

  /** Whether a change was told since then, or is being made. */
  hasChangedSince(identity: TenantIdentity, moment: Moment | undefined): boolean {
    return moment === undefined || this.#changes.hasChanged(identity.schemaName, moment.changes);
  }

  /** The mark that the tenant's schema must have at the end of work that began then. None where a change would have been told, and none was. */
  markSince(identity: TenantIdentity, moment: Moment | undefined): string | undefined {
    const isHeard = !this.hasChangedSince(identity, moment) && moment !== undefined && this.#wouldHaveHeard(moment.at, performance.now());

    return isHeard ? undefined : moment?.mark;
  }

  /** Resolves when nothing is being made of the tenant by this process. */
  changed(identity: TenantIdentity): Promise<unknown> {
    return this.#changes.made(identity.schemaName);
  }

  isHeard(identity: TenantIdentity): boolean {
    return this.#isUnchanged(identity, 0);
  }

  #isUnchanged(identity: TenantIdentity, trustedMs: number): boolean {
    const confirmed = this.#of.get(identity);

    if (confirmed === undefined || this.#changes.hasChanged(identity.schemaName, confirmed.changes)) {
      return false;
    }

    const now = performance.now();

    return now - confirmed.at < trustedMs || this.#wouldHaveHeard(confirmed.at, now);
  }
}

/** Counts what was told of changed tenants. */
class Changes {
  count = 0;
  readonly #latest = new Map<string, number>();
  #latestOfAll = 0;
  /** What this process is changing: a list of names for each transaction that is being committed. */
  readonly #underWay = new Map<readonly string[], Promise<void>>();

  begin(schemaNames: readonly string[]): () => void {
    // another list than that of another transaction
    const changing = [...schemaNames];
    let end: () => void = () => undefined;
    this.add(changing);
    this.#underWay.set(
      changing,
      new Promise(resolve => {
        end = resolve;
      }),
    );

    return () => {
      this.#underWay.delete(changing);
      this.add(changing);
      end();
    };
  }

  add(schemaNames: readonly string[]): void {
    this.count += 1;

    // nobody may make a process remember more names than it has tenants
    if (schemaNames.length === 0 || this.#latest.size + schemaNames.length > MAX_NAMES) {
      this.#latestOfAll = this.count;
      this.#latest.clear();
      return;
    }

    schemaNames.forEach(name => this.#latest.set(name, this.count));
  }

  hasChanged(schemaName: string, since: number): boolean {
    if (this.#latestOfAll > since || (this.#latest.get(schemaName) ?? 0) > since) {
      return true;
    }

    for (const names of this.#underWay.keys()) {
      if (isOf(names, schemaName)) {
        return true;
      }
    }

    return false;
  }

  made(schemaName: string): Promise<unknown> {
    return Promise.all([...this.#underWay].flatMap(([names, end]) => (isOf(names, schemaName) ? [end] : [])));
  }
}

function isOf(names: readonly string[], schemaName: string): boolean {
  return names.length === 0 || names.includes(schemaName);
}

/** A point in time, and what had been told until then. */
export interface Moment {
  readonly at: number;
  readonly changes: number;

  /**
   * The transaction that has last changed the schema's row in the catalog, which also a rename does. While it stays the same, the schema has had
   * its name throughout; a name that is given away and got back comes with another. Undefined if it is not known.
   */
  readonly mark?: string | undefined;
}

const MAX_NAMES = 10_000;
