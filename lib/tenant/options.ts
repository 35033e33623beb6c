import type { EntityClass, FilterQuery, MigrationsOptions, Options } from '@mikro-orm/core';
import type { CitusOption } from './citus-options.js';
import type { ConnectionOptions, ResolvedConnectionOptions } from './connection-options.js';
import type { TenantHooks } from './hook-options.js';
import type { LimitsOption } from './limit-options.js';
import type { SqlTagsOption } from './sql-tag-options.js';
import type { DirectoryOptions } from './directory-options.js';
import type { DomainMixin } from './domain-mixin.js';
import type { TenantMixin } from './tenant-mixin.js';

/** The options of `withTenants(config, options)`. */
export interface TenantsOptions<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> {
  /** The entity that has one row per tenant. It extends `TenantMixin` and lives in the public schema. */
  readonly tenant: EntityClass<Tenant>;

  /**
   * The entity with further hosts of tenants. It extends `DomainMixin` and lives in the public schema. A tenant is then found by its `domainUrl`
   * or by one of its domains, `redirectToPrimary` of `tenantContext()` can lead visitors to the primary one, and no host can have two tenants.
   * The next migration of the public set contains the triggers that hold this, so a host is unknown until it has run.
   *
   * @default none: a tenant has the one host `domainUrl`
   */
  readonly domains?: EntityClass<DomainMixin<Tenant, any>>;

  /**
   * The tenant set: the migrations that run in the schema of each tenant. It takes MikroORM's migration options.
   * An option that is missing here comes from `migrations` of the config, except the folder: the two sets never share a folder.
   * `snapshotOnMigrate` and `allOrNothing` have no effect here: a tenant is always migrated completely or not at all.
   *
   * @default { path: './migrations/tenant' }
   */
  readonly migrations?: MigrationsOptions;

  /**
   * The schema of the shared entities, including the tenants' table. If you change it later, move these tables by hand.
   *
   * @default the `schema` of the config, or 'public'
   */
  readonly publicSchema?: string;

  /**
   * Whether persisting a tenant creates its schema. With `false`, call `tenants().provision(tenant)` to create it. Until then, requests
   * to the tenant's host fail with database errors. A tenant class or instance can override this option.
   *
   * @default true
   */
  readonly autoCreateSchema?: boolean;

  /**
   * Whether deleting a tenant drops its schema with all data, in the same transaction. Only a backup can bring the data back.
   * A tenant class or instance can override this option.
   *
   * @default false
   */
  readonly autoDropSchema?: boolean;

  /**
   * Schema names that no tenant may have, in addition to `public`, `pg_*`, `information_schema` and the name of the
   * database role. Anchor a pattern with `^` and `$`. Otherwise it refuses every name that contains a match.
   *
   * @default []
   */
  readonly reservedSchemaNames?: readonly (string | RegExp)[];

  /**
   * Hosts that serve the public routes. They take precedence over the hosts of tenants, so no tenant can take over a public host.
   *
   * @default ['localhost', '127.0.0.1', '[::1]']
   */
  readonly publicHosts?: readonly string[];

  /**
   * Whether `www.acme.com` and `acme.com` are the same host. With `false`, they are two hosts, and each needs its own tenant.
   * Rows that were stored with one setting are not found with the other.
   *
   * @default true
   */
  readonly stripWww?: boolean;

  /**
   * Additional schemas for the `search_path`, in this order, for example the schema of your extensions. Raw SQL searches them after the
   * tenant's schema and the public schema. Migrations of the tenant set search them after the tenant's schema. Everything else searches them
   * after the path of the connection: queries for entities, whose operators and types cannot be named with a schema, and the public set.
   * PostgreSQL also looks there for a table that is not in the schemas before, so choose schemas that contain no tables with the names of
   * yours. No tenant can have the name of one. Behind a pooler, set the path for the role instead, which saves round trips.
   *
   * @default []
   */
  readonly searchPath?: readonly string[];

  /**
   * Gives each tenant a database role. Everything in the tenant's scope runs as this role, so PostgreSQL itself refuses access to tables
   * of other tenants, even to raw SQL that names them. Each query outside a transaction then runs in its own transaction. Queries
   * of entities, and raw SQL about rows, are sent in one message with their role; other raw SQL, and every query on PGlite, takes three more
   * round trips.
   *
   * @default none: everything runs as the role of the connection
   */
  readonly roles?: RolesOptions;

  /** The directory in which `tenantContext()` looks up hosts: how much of it a process caches, and how the process learns of changes. */
  readonly directory?: DirectoryOptions;

  /** How the connections of the pool are shared among the tenants. It has no effect on PGlite and on a Kysely dialect of your own. */
  readonly connections?: ConnectionOptions;

  /**
   * How many connections the work of one tenant can use at once, so that a tenant that floods the application does not keep the others waiting.
   * `{}` gives each tenant half of the pool. A function returns the limits of a tenant; it is called again when the tenant's row has changed.
   *
   * @default none: a tenant can use the whole pool
   */
  readonly limits?: LimitsOption<Tenant>;

  /**
   * Functions of yours that are called when tenants are created, migrated, renamed and dropped: for example `afterCreate`, in the transaction that
   * creates a tenant, to fill its tables.
   *
   * @default none
   */
  readonly hooks?: TenantHooks<Tenant>;

  /**
   * Whether each statement of a tenant's scope ends with a comment that names the tenant, `/*tenant='acme'*\/`, in the form of sqlcommenter: the
   * log of the server and `pg_stat_activity` then say whose statement it is. A function returns tags of your own. It has to be quick, because it is
   * called for every scope.
   *
   * @default false
   */
  readonly sqlTags?: SqlTagsOption<Tenant>;

  /**
   * Whether the database is Citus with schema-based sharding, where the schema of each tenant is placed on a node. `'auto'` looks at the database:
   * new tenants are sharded if Citus is installed. With `false`, new tenants stay on the coordinator. An object also says that it is Citus to
   * commands that write migrations without a database.
   *
   * @default 'auto'
   */
  readonly citus?: CitusOption;
}

/** The database roles of the tenants. */
export interface RolesOptions {
  /**
   * The prefix of each role name. The schema name follows it. All databases of a cluster share their roles, so two databases whose tenants
   * have the same schema names need different prefixes. A role name has at most 63 bytes, so a long prefix limits the length of schema names.
   */
  readonly prefix: string;

  /**
   * An existing role for access to the shared tables. Each tenant's role becomes a member of it, and so gets its privileges in the public
   * schema. Without it, a tenant's scope can read only those shared tables that every role may read.
   */
  readonly shared?: string;

  /**
   * The role that creates the schemas and tables of tenants, and so owns them. It needs the privilege `create` on the database and the
   * attribute `createrole`. The role of the connection must be a member of it. Without this option, the role of the connection creates and
   * owns the tables, so it can read all tenants outside their scopes.
   */
  readonly ddl?: string;
}

/** The options with every default filled in. */
export type ResolvedTenantsOptions = Required<
  Omit<TenantsOptions, 'roles' | 'connections' | 'limits' | 'domains' | 'hooks' | 'sqlTags'>
> & {
  readonly domains: EntityClass<DomainMixin> | undefined;
  readonly migrations: MigrationsOptions;
  readonly roles: RolesOptions | undefined;
  readonly directory: Required<DirectoryOptions>;
  readonly connections: ResolvedConnectionOptions;
  readonly limits: LimitsOption | undefined;
  readonly hooks: TenantHooks | undefined;
  readonly sqlTags: SqlTagsOption;
};

/** A MikroORM config of any driver. */
export type AnyConfig = Partial<Options<any, any, any>>;

/** A MikroORM condition on the tenant entity. Where its class is not named, any condition. */
export type TenantFilter<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> =
  TenantMixin<unknown> extends Tenant ? object : FilterQuery<Tenant> & object;

export const DEFAULTS = {
  domains: undefined,
  migrations: {},
  autoCreateSchema: true,
  autoDropSchema: false,
  reservedSchemaNames: [],
  publicHosts: ['localhost', '127.0.0.1', '[::1]'],
  stripWww: true,
  searchPath: [],
  roles: undefined,
  directory: {
    max: 10_000,
    ttlMs: 60_000,
    unknownMax: 1_000,
    unknownTtlMs: 5_000,
    lookupTimeoutMs: 5_000,
    listen: true,
    trigger: false,
    onUnavailable: 'serve',
  },
  connections: { preferServed: true, maxTenants: undefined, memoryBudgetMb: 4096 },
  limits: undefined,
  hooks: undefined,
  sqlTags: false,
  citus: 'auto',
} as const satisfies Omit<ResolvedTenantsOptions, 'tenant' | 'publicSchema'>;

/** The default folder of the tenant set. */
export const DEFAULT_TENANT_MIGRATIONS_PATH = './migrations/tenant';

/** Fills in the defaults. An explicit `undefined` counts as absent. */
export function resolveOptions(options: TenantsOptions, configSchema: string | undefined): ResolvedTenantsOptions {
  return {
    tenant: options.tenant,
    domains: options.domains ?? DEFAULTS.domains,
    migrations: options.migrations ?? DEFAULTS.migrations,
    publicSchema: options.publicSchema ?? configSchema ?? 'public',
    autoCreateSchema: options.autoCreateSchema ?? DEFAULTS.autoCreateSchema,
    autoDropSchema: options.autoDropSchema ?? DEFAULTS.autoDropSchema,
    reservedSchemaNames: options.reservedSchemaNames ?? DEFAULTS.reservedSchemaNames,
    publicHosts: options.publicHosts ?? DEFAULTS.publicHosts,
    stripWww: options.stripWww ?? DEFAULTS.stripWww,
    searchPath: options.searchPath ?? DEFAULTS.searchPath,
    roles: options.roles ?? DEFAULTS.roles,
    directory: { ...DEFAULTS.directory, ...withoutUndefined(options.directory ?? {}) },
    connections: { ...DEFAULTS.connections, ...withoutUndefined(options.connections ?? {}) },
    limits: options.limits ?? DEFAULTS.limits,
    hooks: options.hooks ?? DEFAULTS.hooks,
    sqlTags: options.sqlTags ?? DEFAULTS.sqlTags,
    citus: options.citus ?? DEFAULTS.citus,
  };
}

function withoutUndefined<Options extends object>(options: Options): Options {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Options;
}
