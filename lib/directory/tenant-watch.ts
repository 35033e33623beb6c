import type { ChangeFeed } from '../database/change-feed.js';
import { keepFlow, type AsyncFlow } from '../scope/async-flow.js';
import { isSameTenant, type TenantIdentity } from '../scope/tenant-identity.js';
import type { TenantState } from '../tenant/tenant-state.js';
import type { DirectoryKey } from './directory-key.js';

/** Why a tenant is not served any more in what was begun for it. `changed`: it was renamed or deleted, so that what goes on under its former name is refused. */
export type TenantEnd = 'suspended' | 'maintenance' | 'changed';

/**
 * Watches tenants that something long-lived is open for, such as a web socket. It looks at them when a change is heard, and once a second: a change
 * that nobody is told of is known as soon as the directory looks the tenant up again. While the database cannot be reached, nothing ends.
 */
export class TenantWatch {
  readonly #find: Find;
  readonly #onFailure: (error: unknown) => void;
  readonly #watched = new Map<string, Set<Watcher>>();
  #timer: NodeJS.Timeout | undefined;

  /** `onFailure` is told what an `onEnd` throws, which keeps no other from being called. */
  constructor(changes: ChangeFeed, { find, onFailure }: { readonly find: Find; readonly onFailure: (error: unknown) => void }) {
    this.#find = find;
    this.#onFailure = onFailure;
    changes.subscribe((...names) => {
      for (const name of names.length === 0 ? this.#watched.keys() : names) {
        void this.#look(name);
      }
    });
  }

  /** Calls `onEnd` once, in the async context of this call, when the tenant is not served any more. Returns what stops that. */
  watch(tenant: WatchedTenant, onEnd: (end: TenantEnd) => unknown): () => void {
    const { schemaName } = tenant;
    // whoever changes the tenant, or another one, is in a context of its own
    const watcher: Watcher = { tenant, onEnd, flow: keepFlow() };
    const watchers = this.#watched.get(schemaName) ?? new Set();
    this.#watched.set(schemaName, watchers.add(watcher));
    this.#timer ??= setInterval(() => this.#lookAtAll(), INTERVAL_MS).unref();
    // it may have ended since its scope was entered
    void this.#look(schemaName);

    return () => this.#stop(watcher);
  }

  close(): void {
    this.#watched.clear();
    this.#stopTimer();
  }

  #stop(watcher: Watcher): void {
    const { schemaName } = watcher.tenant;
    const watchers = this.#watched.get(schemaName);
    watchers?.delete(watcher);

    if (watchers?.size === 0) {
      this.#watched.delete(schemaName);
    }

    if (this.#watched.size === 0) {
      this.#stopTimer();
    }
  }

  #stopTimer(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #lookAtAll(): void {
    for (const name of this.#watched.keys()) {
      void this.#look(name);
    }
  }

  async #look(schemaName: string): Promise<void> {
    if (!this.#watched.has(schemaName)) {
      return;
    }

    let found: FoundTenant | undefined;

    try {
      found = await this.#find({ property: 'schemaName', value: schemaName });
    } catch {
      // it is looked at again in a second
      return;
    }

    this.#compare(schemaName, found);
  }

  #compare(schemaName: string, found: FoundTenant | undefined): void {
    for (const watcher of this.#watched.get(schemaName) ?? []) {
      const end = endOf(watcher.tenant, found);

      if (end !== undefined) {
        this.#stop(watcher);
        void this.#tell(watcher, end);
      }
    }
  }

  async #tell({ flow, onEnd }: Watcher, end: TenantEnd): Promise<void> {
    try {
      await flow.runInAsyncScope(onEnd, undefined, end);
    } catch (error) {
      this.#onFailure(error);
    }
  }
}

function endOf({ identity, state }: WatchedTenant, found: FoundTenant | undefined): TenantEnd | undefined {
  if (found === undefined || !isSameTenant(identity, found.identity)) {
    return 'changed';
  }

  // one that was let in during a maintenance may stay
  return found.state === 'active' || found.state === state ? undefined : found.state;
}

export interface WatchedTenant {
  readonly schemaName: string;
  readonly identity: TenantIdentity | undefined;
  /** The state in which it was let in. */
  readonly state: TenantState;
}

interface Watcher {
  readonly tenant: WatchedTenant;
  readonly onEnd: (end: TenantEnd) => unknown;
  readonly flow: AsyncFlow;
}

interface FoundTenant {
  readonly identity: TenantIdentity | undefined;
  readonly state: TenantState;
}

type Find = (key: DirectoryKey) => FoundTenant | undefined | Promise<FoundTenant | undefined>;

const INTERVAL_MS = 1_000;
