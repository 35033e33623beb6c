import type { Configuration } from '@mikro-orm/core';
import type { AbstractSqlConnection } from '@mikro-orm/postgresql';
import { TenantRules } from '../../scope/tenant-rules.js';
import { defaultMaxTenants, maxTenantsIn, megabytesOf, type ResolvedConnectionOptions } from '../../tenant/connection-options.js';
import { countTenantTables } from '../../tenant/entity-kinds.js';
import { sqlTarget } from '../statements/sql-target.js';
import { putServedFirst, putServedLast, WAITER, type IdleItem, type PendingItem } from './served-first.js';
import { countTenantsOf, tenantsOfClient } from './tenants-of-client.js';

/**
 * Has each tenant's work take a connection that has served the tenant before, where one is idle, has a connection that becomes free among many who
 * wait go to one whose tenant it has served, and has one replaced that has served too many. PostgreSQL keeps what it knows of a table in the memory of each connection that has used it, until the connection ends.
 *
 * Relies on the pool giving the last client in `_idle` to the first in `_pendingQueue`, by `_pulseQueue`, and on `newClient`. Where one of them is
 * not there, the pool does without what needs it. A client that is ended when the pool tells of its release is not kept.
 */
export function shareConnections(connection: AbstractSqlConnection, config: Configuration): void {
  const createDialect = connection.createKyselyDialect.bind(connection);

  connection.createKyselyDialect = (overrides: PoolOverrides | undefined) =>
    createDialect({
      ...overrides,
      onPoolCreated: (pool: Pool): unknown => {
        new PooledTenants(pool, config).watch();

        return overrides?.onPoolCreated?.(pool);
      },
    });
}

class PooledTenants {
  readonly #pool: Pool;
  readonly #config: Configuration;
  readonly #replaced = new WeakSet<object>();
  readonly #clients = new Set<object>();
  readonly #isSharable: boolean;
  #maxTenants: number | undefined;
  #known: ResolvedConnectionOptions | undefined;
  #hasWarned = false;

  constructor(pool: Pool, config: Configuration) {
    this.#pool = pool;
    this.#isSharable = isSharable(pool);
    this.#config = config;
  }

  watch(): void {
    const pool = this.#pool;
    const connect = pool.connect.bind(pool);

    pool.connect = callback => {
      const tenant = this.#tenantNow();

      if (tenant === undefined) {
        return connect(callback);
      }

      const before = pool._pendingQueue?.length ?? 0;

      return this.#noteWaiter(connect(callback), tenant, before);
    };

    if (isSharable(pool)) {
      const pulse = pool._pulseQueue.bind(pool);

      pool._pulseQueue = () => {
        const { _idle: idle, _pendingQueue: queue, options } = pool;

        if (queue.length > 1 && idle.length === 1 && this.#options?.preferServed === true) {
          putServedFirst(queue, idle[0] as IdleItem, options.max);
        }

        const [first] = queue;
        const waiter = first?.[WAITER];

        if (waiter === undefined) {
          pulse();
          return;
        }

        if (idle.length > 1 && this.#options?.preferServed === true) {
          putServedLast(idle, waiter.tenant);
        }

        const client = idle.at(-1)?.client;
        pulse();

        if (queue[0] !== first) {
          this.#addLater(client ?? waiter.connecting, waiter.tenant);
        }
      };
    }

    pool.on('connect', client => this.#clients.add(client));
    pool.on('release', (error, client) => this.#closeIfFull(error, client));
    pool.on('remove', client => {
      this.#clients.delete(client);
      this.#replace(client);
    });
  }

  /** Of whom `connecting` is, where so many have waited before. */
  #noteWaiter(connecting: unknown, tenant: string, before: number): unknown {
    const { _pendingQueue: queue } = this.#pool;

    if (!(connecting instanceof Promise)) {
      return connecting;
    }

    if (queue !== undefined && this.#isSharable && queue.length > before) {
      // it is seen then which one it gets
      (queue[queue.length - 1] as PendingItem)[WAITER] = { tenant, connecting };
    } else {
      this.#addLater(connecting, tenant);
    }

    return connecting;
  }

  #addLater(client: object, tenant: string): void {
    if (client instanceof Promise) {
      // on a branch of its own: whoever waits for the connection gets it no later
      client.then(
        (connected: object) => this.#add(connected, tenant),
        () => undefined,
      );
    } else {
      this.#add(client, tenant);
    }
  }

  #add(client: object, tenant: string): void {
    const names = tenantsOfClient(client);

    if (!names.has(tenant)) {
      names.add(tenant);

      if (!this.#hasWarned) {
        this.#warnAboveBudget(TenantRules.of(this.#config));
      }
    }
  }

  /** Here it is known how many tenants there are to be served. At the start, that would take a query. */
  #warnAboveBudget({ metadata, options }: TenantRules): void {
    const { memoryBudgetMb: budget } = options.connections;
    const tables = countTenantTables(metadata);
    const known = [...this.#clients].reduce((sum, client) => sum + countTenantsOf(client), 0);
    const megabytes = megabytesOf(known * tables);

    if (megabytes > budget) {
      this.#hasWarned = true;
      const { max } = this.#pool.options;
      this.#config
        .getLogger()
        .warn(
          'info',
          `The ${this.#clients.size} connections of the pool know the tables of ${known} tenants in all, ${tables} of each, for which PostgreSQL has taken about ${megabytes} MB of memory. ` +
            `The budget is ${budget} MB (\`connections.memoryBudgetMb\`). Set \`connections: { maxTenants: ${maxTenantsIn(budget / max, tables)} }\` for a pool of ${max}, make the pool smaller, or raise the budget.`,
          { enabled: true },
        );
    }
  }

  /** Nobody is made to wait for the replacement, unless all connections are in use all the time. */
  #closeIfFull(error: unknown, client: PoolClient): void {
    const count = countTenantsOf(client);
    const most = count === 0 ? Infinity : this.#most();

    if (!error && count > most && (this.#pool.waitingCount === 0 || count > most * 2)) {
      this.#replaced.add(client);
      client.end().catch(() => undefined);
    }
  }

  #replace(client: object): void {
    const pool = this.#pool;

    // where somebody waits, the pool opens one for them
    if (this.#replaced.delete(client) && !pool.ending && pool.waitingCount === 0 && pool.totalCount < pool.options.max) {
      pool.newClient?.({ callback: (_error, _client, release) => release?.() });
    }
  }

  get #options(): ResolvedConnectionOptions | undefined {
    return (this.#known ??= TenantRules.find(this.#config)?.options.connections);
  }

  #most(): number {
    return (this.#maxTenants ??= maxTenantsOf(TenantRules.of(this.#config), this.#pool.options.max));
  }

  /** Undefined where it does not matter. */
  #tenantNow(): string | undefined {
    const options = this.#options;

    if (options === undefined || (!options.preferServed && options.maxTenants === false)) {
      return undefined;
    }

    const target = sqlTarget(this.#config);

    return target.kind === 'tenant' ? target.schemaName : undefined;
  }
}

/** After how many tenants a connection is replaced. */
function maxTenantsOf({ metadata, options }: TenantRules, poolSize: number): number {
  const { maxTenants = defaultMaxTenants(countTenantTables(metadata), poolSize) } = options.connections;

  return maxTenants === false ? Infinity : maxTenants;
}

function isSharable(pool: Pool): pool is SharablePool {
  return Array.isArray(pool._idle) && Array.isArray(pool._pendingQueue) && typeof pool._pulseQueue === 'function';
}

interface PoolOverrides {
  readonly onPoolCreated?: (pool: Pool) => unknown;
}

/** The parts of `pg`'s pool that are used here. Those with `_` are its own. */
interface Pool {
  readonly ending: boolean;
  readonly waitingCount: number;
  readonly totalCount: number;
  readonly options: { readonly max: number };
  readonly _idle?: IdleItem[];
  readonly _pendingQueue?: PendingItem[];
  _pulseQueue?(): void;
  newClient?(waiting: { callback(error: unknown, client: unknown, release?: () => void): void }): unknown;
  connect(callback?: unknown): unknown;
  on(event: 'release', listener: (error: unknown, client: PoolClient) => void): unknown;
  on(event: 'connect' | 'remove', listener: (client: object) => void): unknown;
}

type SharablePool = Pool & Required<Pick<Pool, '_idle' | '_pendingQueue' | '_pulseQueue'>>;

interface PoolClient {
  end(): Promise<void>;
}
