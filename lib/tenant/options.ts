import type { EntityClass, MigrationsOptions, Options } from '@mikro-orm/core';
import type { DirectoryOptions } from './directory-options.js';
import type { TenantMixin } from './tenant-mixin.js';

/** What `withTenants(config, options)` takes. */
export interface TenantsOptions<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> {
  /** The entity that has a row for each tenant. It extends `TenantMixin` and lives in the public schema. */
  readonly tenant: EntityClass<Tenant>;

  /**
   * The tenant set: MikroORM's own migration options, for the migrations that run once in each tenant's schema.
   * What is not given is taken from the config's `migrations`, except the folder: the two sets never share one.
   * `snapshotOnMigrate` and `allOrNothing` have no effect here: a tenant is always migrated whole or not at all.
   *
   * @default { path: './migrations/tenant' }
   */
  readonly migrations?: MigrationsOptions;

  /**
   * The schema that shared entities live in, the tenants' table among them.
   * Changing it later means moving those tables by hand.
   *
   * @default the config's `schema`, else 'public'
   */
  readonly publicSchema?: string;

  /**
   * Whether persisting a tenant creates its schema. With `false` the row stands alone until `tenants().provision(tenant)`,
   * and its host answers with database errors until then. A tenant class or instance can say otherwise.
   *
   * @default true
   */
  readonly autoCreateSchema?: boolean;

  /**
   * Whether deleting a tenant drops its schema with all that is in it, in the same transaction.
   * There is no way back but a backup. A tenant class or instance can say otherwise.
   *
   * @default false
   */
  readonly autoDropSchema?: boolean;

  /**
   * Schema names no tenant may have, beside `public`, `pg_*` and `information_schema`.
   * A pattern has to be anchored, or it refuses every name it occurs in.
   *
   * @default []
   */
  readonly reservedSchemaNames?: readonly (string | RegExp)[];

  /**
   * Hosts that serve the public routes. They win over a tenant's row, so that a row cannot take the front door.
   *
   * @default ['localhost', '127.0.0.1', '[::1]']
   */
  readonly publicHosts?: readonly string[];

  /**
   * Whether `www.acme.com` and `acme.com` are one host. With `false` each needs a tenant of its own.
   * Rows stored under one setting are not found under the other.
   *
   * @default true
   */
  readonly stripWww?: boolean;

  /**
   * Schemas that raw SQL finds after the tenant's own and the public one, and the tenant set's migrations after the tenant's own, in this
   * order: where extensions live, for example. A table that the tenant lacks is then looked for there too, so name a schema without tables
   * of the tenants' names.
   *
   * @default []
   */
  readonly searchPath?: readonly string[];

  /**
   * A database role for each tenant, which everything in its scope runs as: PostgreSQL itself then refuses another tenant's tables, also to
   * raw SQL that names them. Each query outside a transaction becomes a transaction of its own, at three more round trips.
   *
   * @default none: everything runs as the role that the ORM is connected as
   */
  readonly roles?: RolesOptions;

  /** The directory of tenants that `tenantContext()` looks hosts up in: what a process holds of it, and how it is told of changes. */
  readonly directory?: DirectoryOptions;
}

/** The roles of a database whose tenants have one each. */
export interface RolesOptions {
  /**
   * What the roles' names begin with; the schema name follows. Roles belong to the whole cluster, so that two databases with tenants of the
   * same names need two prefixes. Role names have 63 bytes: a schema name has what the prefix leaves.
   */
  readonly prefix: string;

  /**
   * A role of yours that every tenant's role is made a member of: what it may do in the public schema, tenants may. Without it shared
   * tables cannot be read in a tenant's scope, unless everybody may read them.
   */
  readonly shared?: string;

  /**
   * The role that makes tenants' schemas and tables, and so owns them. It needs `create` on the database and the attribute `createrole`, and
   * the role that the ORM is connected as has to be a member of it. Without it that role itself makes them, and may therefore read all
   * tenants outside of their scopes.
   */
  readonly ddl?: string;
}

/** The options with every default filled in. */
export type ResolvedTenantsOptions = Required<Omit<TenantsOptions, 'roles'>> & {
  readonly migrations: MigrationsOptions;
  readonly roles: RolesOptions | undefined;
  readonly directory: Required<DirectoryOptions>;
};

/** A MikroORM config of whatever driver. */
export type AnyConfig = Partial<Options<any, any, any>>;

/** Which tenants: a condition on the tenant entity, in MikroORM's terms. */
export type TenantFilter = Readonly<Record<string, unknown>>;

export const DEFAULTS = {
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
} as const satisfies Omit<ResolvedTenantsOptions, 'tenant' | 'publicSchema'>;

/** Where the tenant set lives when nothing is said. */
export const DEFAULT_TENANT_MIGRATIONS_PATH = './migrations/tenant';

/** Fills in the defaults; an explicit `undefined` means absent. */
export function resolveOptions(options: TenantsOptions, configSchema: string | undefined): ResolvedTenantsOptions {
  return {
    tenant: options.tenant,
    migrations: options.migrations ?? DEFAULTS.migrations,
    publicSchema: options.publicSchema ?? configSchema ?? 'public',
    autoCreateSchema: options.autoCreateSchema ?? DEFAULTS.autoCreateSchema,
    autoDropSchema: options.autoDropSchema ?? DEFAULTS.autoDropSchema,
    reservedSchemaNames: options.reservedSchemaNames ?? DEFAULTS.reservedSchemaNames,
    publicHosts: options.publicHosts ?? DEFAULTS.publicHosts,
    stripWww: options.stripWww ?? DEFAULTS.stripWww,
    searchPath: options.searchPath ?? DEFAULTS.searchPath,
    roles: options.roles ?? DEFAULTS.roles,
    directory: { ...DEFAULTS.directory, ...definedOf(options.directory ?? {}) },
  };
}

function definedOf(options: DirectoryOptions): DirectoryOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
