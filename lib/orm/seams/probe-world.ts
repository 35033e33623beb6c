import { EntityManager, helper, raw, type Options } from '@mikro-orm/core';
import { BasePostgreSqlEntityManager } from '@mikro-orm/postgresql';
import { sqlTarget, type SqlTarget } from '../../connection/statements/sql-target.js';
import { isPglite } from '../../tenant/is-pglite.js';
import { isLiveOrm, removeLiveOrm } from '../../scope/live-orms.js';
import type { Scope } from '../../scope/scope.js';
import type { TenantIdentity } from '../../scope/tenant-identity.js';
import type { WrappedOrm } from '../../scope/wrapped-orm.js';
import { enterScope } from '../mikro-context.js';
import { ProbeDatabase } from './probe-database.js';
import { probeEntities, type ProbeEntities } from './probe-entities.js';

type AnyConfig = Partial<Options<any, any, any>>;

/** Opens an ORM with tenants of this config, whose own seams are not looked at. */
export type OpenProbe = (config: AnyConfig, tenant: ProbeEntities['Tenant']) => WrappedOrm;

/** What the probes call is private in part, and what they pass is what the types would refuse. */
export type ProbeEm = any;

/** A small ORM over a database that is not there, and two tenants. */
export class ProbeWorld {
  readonly database = new ProbeDatabase();
  readonly entities: ProbeEntities;
  readonly orm: WrappedOrm;
  /** The pool of `pg`, once there is one; undefined on PGlite. */
  pool: ProbeEm;

  /** What the result cache was asked for, what it has, and what it was given to keep. */
  readonly cached = { names: [] as string[], held: new Map<string, unknown>(), stored: [] as string[] };

  /** It has one connection, which cannot be lost, no streams and no routines. */
  readonly isPglite: boolean;

  /** Whether the scope functions would have found it, as they find a user's. */
  readonly isLive: boolean;

  #em: ProbeEm;
  #ownEm: ProbeEm;
  #foreignEm: ProbeEm;
  #foreign: ProbeAuthor | undefined;

  /** What every recorded statement is answered with. */
  rows: readonly object[] = [];
  /** What the next one fails with. */
  failure: Error | undefined;

  readonly #statements: Statement[] = [];
  /** The connection's own, which are under guard. */
  #stream: unknown;
  #execute: unknown;

  /** Whether it has all that the probes of every seam need. */
  readonly isWhole: boolean;

  constructor(driver: AnyConfig['driver'], open: OpenProbe, { isWhole = true } = {}) {
    this.isWhole = isWhole;
    this.entities = probeEntities({ isWhole });
    const { Tenant, Topic, Author, Report, Count } = this.entities;
    const { cached } = this;
    const { driverOptions } = this.database;
    const cache = {
      get: (name: string) => (cached.names.push(name), cached.held.get(name)),
      set: (name: string) => void cached.stored.push(name),
      remove: (name: string) => void cached.names.push(name),
    };

    this.orm = open(
      {
        driver,
        dbName: 'probe',
        entities: [Tenant, Author, ...(Report === undefined ? [] : [Topic, Report])],
        routines: Count === undefined ? [] : [Count],
        // V8 makes the users' EntityManagers faster where it has met no other class of them
        ...(isWhole ? { entityManager: ProbeEntityManager } : {}),
        driverOptions: { ...driverOptions, onPoolCreated: (pool: unknown) => (this.pool = pool) },
        ensureDatabase: false,
        discovery: { inferDefaultValues: false, checkDuplicateTableNames: false, checkDuplicateFieldNames: false },
        ...(isWhole ? { replicas: [{ driverOptions: () => dialectOf(this.orm.driver.getConnection('read'), driverOptions) }] } : {}),
        preferReadReplicas: false,
        // MikroORM makes one of it
        resultCache: {
          adapter: function () {
            return cache;
          },
        },
        metadataCache: { enabled: false },
        allowGlobalContext: true,
        debug: false,
        logger: () => undefined,
      } as unknown as AnyConfig,
      Tenant,
    );
    this.isPglite = isPglite(this.orm.driver.getPlatform());
    this.isLive = isLiveOrm(this.orm.config);
    // it is nobody's to find
    removeLiveOrm(this.orm.config);
  }

  /** An EntityManager that is in no scope and has no tenant. */
  get em(): ProbeEm {
    return (this.#em ??= this.orm.em.fork());
  }

  /** One that is in no scope and has the own tenant. */
  get ownEm(): ProbeEm {
    return (this.#ownEm ??= this.orm.em.fork({ schema: OWN }));
  }

  /** One that is in no scope and has the other tenant. */
  get foreignEm(): ProbeEm {
    return (this.#foreignEm ??= this.orm.em.fork({ schema: OTHER }));
  }

  /** An author of the other tenant. */
  get foreign(): ProbeAuthor {
    return (this.#foreign ??= this.foreignEm.getReference(this.entities.Author, 1) as ProbeAuthor);
  }

  /** Runs `fn` in the scope of a tenant, of which it is not known which one it is unless that is given. */
  as<Result>(schemaName: string, fn: (em: ProbeEm) => Result, { identity, tenant = { schemaName } }: ProbeScope = {}): Result {
    const { config } = this.orm;
    const scope: Scope = { kind: 'tenant', config, outer: undefined, tenant, schemaName, identity };

    return enterScope(this.orm.em, scope, fn);
  }

  authorIn(em: ProbeEm, id: number, schema?: string): ProbeAuthor {
    return em.merge(this.entities.Author, { id, name: 'x' }, schema === undefined ? {} : { schema });
  }

  /** What the guard of an EntityManager makes of a dataloader, for which MikroORM would need a package. */
  loaderOf(em: ProbeEm): Promise<ProbeEm> {
    const { prototype }: ProbeEm = EntityManager;
    const own = prototype.getDataLoader;
    prototype.getDataLoader = async () => ({ load: async () => [] });

    try {
      // the guard asks for it before it waits for anything, so no other EntityManager gets it
      return em.getDataLoader('1:m');
    } finally {
      prototype.getDataLoader = own;
    }
  }

  /** Has the connection say what it is given, and for whom, in place of sending it. */
  record(): void {
    const connection = this.orm.driver.getConnection('write') as ProbeEm;
    const say = (sql: unknown, ctx?: unknown): void =>
      void this.#statements.push({ sql: String(sql), ctx, target: sqlTarget(this.orm.config) });

    this.#execute = connection.execute;
    connection.execute = async (sql: unknown, _params: unknown, _method: unknown, ctx: unknown) => {
      say(sql, ctx);
      const { failure } = this;
      this.failure = undefined;

      if (failure !== undefined) {
        throw failure;
      }

      return this.rows;
    };
    connection.transactional = async (fn: (ctx: object) => unknown) => {
      say('begin');

      return fn({});
    };
    this.#stream = connection.stream;
    connection.stream = async function* (sql: unknown) {
      say(sql);
      yield* [];
    };
  }

  /** Has it send what it is given. */
  stopRecording(): void {
    const connection = this.orm.driver.getConnection('write') as ProbeEm;
    connection.execute = this.#execute;
    delete connection.transactional;
    connection.stream = this.#stream;
  }

  async close(): Promise<void> {
    await this.orm.close(true);
  }

  /** What was recorded since the last call. */
  take(): Statement[] {
    return this.#statements.splice(0);
  }
}

/** Below the library's own, so that what comes through to it can be looked at. */
export class ProbeEntityManager extends BasePostgreSqlEntityManager {
  /** What the dataloaders of all were asked for. */
  static readonly loaded: (readonly [target: ProbeEm, options?: ProbeEm])[] = [];

  override async getDataLoader(_type: string): Promise<ProbeEm> {
    return {
      load: async (key: never) => {
        ProbeEntityManager.loaded.push(key);

        return [];
      },
    };
  }
}

/** A dialect as a user would pass it. */
function dialectOf(connection: object, options: object): unknown {
  const { createKyselyDialect }: ProbeEm = Object.getPrototypeOf(connection);

  return createKyselyDialect.call(connection, options);
}

/** The schema that an entity is in. */
export function schemaOf(entity: unknown): string | undefined {
  return helper(entity as object).__schema;
}

/** SQL that has a name without a schema in it, as a value. */
export function rawValue(): never {
  return raw('(select name from probe_setting)') as never;
}

/** The tenant whose scope the probes are in, and the one that they reach for. */
export const OWN = 'probe_own';
export const OTHER = 'probe_other';

export interface ProbeAuthor {
  id: number;
  name: string;
  mentor: ProbeAuthor | null;
  readonly friends: ProbeEm;
  readonly pupils: ProbeEm;
}

/** What is known of the tenant of a scope. */
interface ProbeScope {
  readonly identity?: TenantIdentity;
  readonly tenant?: object;
}

interface Statement {
  readonly sql: string;
  /** The transaction that it is of. */
  readonly ctx: unknown;
  readonly target: SqlTarget;
}
