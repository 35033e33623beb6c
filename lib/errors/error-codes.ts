import type { OrmSelectionError, TenantConfigError } from './config-errors.js';
import type { HostConflictError, HostIsolationError, HostTakenError, RedirectToPrimaryError } from './domain-errors.js';
import type { OnlyConnectionError } from './only-connection-error.js';
import type { TenantOverloadedError } from './overload-error.js';
import type { PoolerModeError } from './pooler-errors.js';
import type { TenantRoleError } from './role-errors.js';
import type { ProvisioningError, SchemaExistsError, SchemaInUseError, SchemaMissingError, SchemaProtectedError } from './schema-errors.js';
import type {
  CrossTenantError,
  PublicContextRequiredError,
  TenantChangedError,
  TenantContextRequiredError,
  TenantVisitsError,
} from './scope-errors.js';
import type { SharedRowInUseError, SharedSchemaError, SharedTableInUseError } from './shared-row-errors.js';
import type {
  InvalidDomainError,
  InvalidSchemaNameError,
  ReservedDomainError,
  TenantConflictError,
  TenantExistsError,
  TenantSettingError,
  TenantWriteRefusedError,
  UnknownTenantError,
} from './tenant-row-errors.js';
import type { TenantMaintenanceError, TenantSuspendedError } from './state-errors.js';
import type { UnsupportedValueError } from './value-errors.js';
import type {
  DirectoryUnavailableError,
  InvalidHostError,
  ResolverError,
  RoutingError,
  TenantForbiddenError,
  TenantMismatchError,
  TenantNotServedError,
  TenantUrlError,
  UnknownHostError,
} from './web-errors.js';

/** The class of each code, with the cause and the remedy, from which docs/reference/errors.md is written. Those of migrations are in migration-codes.ts. */
export interface ErrorCodes {
  /**
   * The configuration cannot work, or an installed package is not as the guards of this library need it. `problems` lists everything that is wrong.
   * @remedy Fix what the message lists, and start again.
   */
  TENANT_CONFIG: TenantConfigError;
  /**
   * The ORM was initialised with a config that is not wrapped in `withTenants()`, or by another copy of this package.
   * @remedy Wrap the config, and pass the result to `MikroORM.init()`. Load the package once: make it external where there are several
   * bundles.
   */
  ORM_WITHOUT_TENANTS: OrmSelectionError;
  /**
   * No ORM with tenants is open: none was initialised yet, or it was closed, or the process has loaded this package twice and the other copy has
   * opened it.
   * @remedy Call `MikroORM.init()` before the first scope, and close the ORM when all work is done. Load the package once: make it external where
   * there are several bundles, and load it together with what opens the ORM where a test resets modules.
   */
  NO_ORM: OrmSelectionError;
  /**
   * Several ORMs with tenants are open, and it is not clear which one is meant. A module that opens one may have been loaded twice, as test
   * runners do when they mock or reset modules, or two calls may have opened one each before the first was there.
   * @remedy Pass `{ orm }`, or close the others. Keep the promise of `MikroORM.init()`, so that all calls share it.
   */
  SEVERAL_ORMS: OrmSelectionError;
  /**
   * The schema name does not match `^[a-z_][a-z0-9_]*$`, or has more than 63 bytes. `status` is 400.
   * @remedy Choose another name. If visitors choose it, show them the rule.
   */
  SCHEMA_NAME_INVALID: InvalidSchemaNameError;
  /**
   * No tenant may have this schema name: it belongs to PostgreSQL, to `searchPath`, to a role, or is one of `reservedSchemaNames`. `status` is 400.
   * @remedy Choose another name.
   */
  SCHEMA_NAME_RESERVED: InvalidSchemaNameError;
  /**
   * `domainUrl`, or the `domain` of an entity of domains, is not a host name. `status` is 400.
   * @remedy Set it to a host name without scheme, port, path and spaces, such as `acme.example.com`.
   */
  DOMAIN_INVALID: InvalidDomainError;
  /**
   * The host is one of `publicHosts`, so the tenant would never get a request. `status` is 400.
   * @remedy Give the tenant another host, or take the host out of `publicHosts`.
   */
  DOMAIN_RESERVED: ReservedDomainError;
  /**
   * Another tenant has the host, as its `domainUrl` or as one of its domains, or the domain is stored already. `status` is 409.
   * @remedy Choose another host, or remove it from the tenant that has it.
   */
  HOST_TAKEN: HostTakenError;
  /**
   * Hosts were written in a transaction of the isolation level repeatable read or serializable, with the option `domains`.
   * @remedy Write them in a transaction of the default level, read committed.
   */
  HOST_ISOLATION: HostIsolationError;
  /**
   * Two transactions that write hosts or lock tenants have waited for each other, and PostgreSQL has ended one of them. Its `cause` is MikroORM's `DeadlockException`.
   * @remedy Run the whole transaction again. Lock tenants before you write the first of their domains.
   */
  HOST_CONFLICT: HostConflictError;
  /**
   * A schema of that name exists already. It was left as it was, and nothing was stored. `status` is 409.
   * @remedy Choose another `schemaName`. To give the tenant a schema that this library made, call `tenants().create(data, { adoptSchema: true })`.
   */
  SCHEMA_ALREADY_EXISTS: SchemaExistsError;
  /**
   * The tenant has a row, and no schema in the database.
   * @remedy Call `tenants().provision(tenant)` or run `mikro-orm tenant:provision`, or delete the row.
   */
  SCHEMA_MISSING: SchemaMissingError;
  /**
   * This library did not make the schema, so it does not drop, rename, migrate or adopt it.
   * @remedy Do it by hand. If you made a tenant's schema by hand, mark it with the comment `SCHEMA_COMMENT`.
   */
  SCHEMA_PROTECTED: SchemaProtectedError;
  /**
   * Something outside of the schema depends on it, or has its name in its text. `dependents` lists it all, and nothing was changed.
   * @remedy Change that first. Or use `tenants().drop(tenant, { cascade: true })`, or `.rename(tenant, schemaName, { force: true })`.
   */
  SCHEMA_IN_USE: SchemaInUseError;
  /**
   * Another tenant has this `schemaName` or `domainUrl`; `property` says which. `status` is 409.
   * @remedy Choose another value.
   */
  TENANT_ALREADY_EXISTS: TenantExistsError;
  /**
   * No tenant has this schema name or key, or what was given is neither a row nor a name. For a request, `status` is 404.
   * @remedy Look at `tenants().list()` or `mikro-orm tenant:list`. Pass the row of a tenant, or its schema name.
   */
  TENANT_UNKNOWN: UnknownTenantError;
  /**
   * Visits of `forEachTenant()` failed. All tenants were visited. It is an `AggregateError` with `schemaNames`, `errors` and all `outcomes`.
   * @remedy Read `outcomes`. With `settle: true`, `forEachTenant()` resolves to them without this error.
   */
  TENANT_VISITS_FAILED: TenantVisitsError;
  /**
   * Creating the tenant failed. Row, schema, tables and history were rolled back. `cause` says why, and `migration` where.
   * @remedy Fix the cause. Then create the tenant again in a new fork: MikroORM takes the entity of a failed flush for stored.
   */
  TENANT_NOT_PROVISIONED: ProvisioningError;
  /**
   * The pooler in front of PostgreSQL is in statement mode, and refuses the transaction that the work needs.
   * @remedy Set `pool_mode = transaction` or `session` in PgBouncer, or connect to PostgreSQL itself.
   */
  POOLER_WITHOUT_TRANSACTIONS: PoolerModeError;
  /**
   * With `roles`: the role of the tenant does not exist, or the role of the connection is not a member of it.
   * @remedy Grant the role to that of the connection. For a tenant that is older than the option, call `tenants().createRole(tenant)`.
   */
  TENANT_ROLE_REFUSED: TenantRoleError;
  /**
   * With `roles`: a role of that name exists already. Roles belong to the whole cluster.
   * @remedy Give each database a `roles.prefix` of its own, or drop the role if nothing uses it.
   */
  TENANT_ROLE_EXISTS: TenantRoleError;
  /**
   * A tenant entity was used without a tenant. No SQL was sent.
   * @remedy Run the code in `runInTenant(tenant, …)`, serve the request behind `tenantContext()`, or use the `em` of the scope.
   */
  TENANT_CONTEXT_REQUIRED: TenantContextRequiredError;
  /**
   * A tenant was to be created, renamed or deleted in the scope of a tenant. Nothing was stored.
   * @remedy Do it in `runInPublic(…)`, or outside any scope.
   */
  PUBLIC_CONTEXT_REQUIRED: PublicContextRequiredError;
  /**
   * In the scope of one tenant, another tenant was asked for, or its entity was used. Or, in Nest, an event that was sent in its scope has reached an answer of another. `schemaNames` are the current and the other tenant, and `property` says where, such as `Book.author`.
   * @remedy Load the entity of the current tenant. To work on the other one, enter its scope: `runInTenant(other, …)`. Give each tenant a channel of its own for events: `tenantKey(…)`.
   */
  CROSS_TENANT: CrossTenantError;
  /**
   * The tenant of the scope was renamed or dropped meanwhile, so the name may be another tenant's. The statement was not sent, or it was rolled back. For a request, `status` is 503.
   * @remedy Look the tenant up again by its key, and start again.
   */
  TENANT_CHANGED: TenantChangedError;
  /**
   * The change of a tenant and another transaction, such as one that renames the same tenants in another order, have waited for each other, and PostgreSQL has
   * ended one of them. The methods of `tenants()` have tried it again, unless they were called in a transaction. Its `cause` is MikroORM's `DeadlockException`.
   * @remedy Run the whole transaction again. If you change several tenants in one transaction, do so in the order of their names.
   */
  TENANT_CONFLICT: TenantConflictError;
  /**
   * The tenant has as much work under way and waiting as `limits` allows. Nothing was sent to the database. `status` is 503, with `Retry-After`.
   * @remedy Try again later. If it happens in normal use, raise `limits`.
   */
  TENANT_OVERLOADED: TenantOverloadedError;
  /**
   * What needs a connection of its own was called in a transaction, and the pool has no other connection. It would wait for itself. Nothing was done.
   * @remedy Call it outside of the transaction, or allow more connections with `pool.max`. PGlite has one.
   */
  ONLY_CONNECTION_TAKEN: OnlyConnectionError;
  /**
   * A write to the tenant entity would leave rows without schemas, or schemas without rows. Nothing was stored.
   * @remedy Use the unit of work, `em.persistAndFlush(tenant)` or `em.removeAndFlush(tenant)`, or the methods of `tenants()`.
   */
  TENANT_WRITE_REFUSED: TenantWriteRefusedError;
  /**
   * The data for a tenant contains `autoCreateSchema` or `autoDropSchema`. Data often comes from a request. `status` is 400.
   * @remedy Take it out of the data. Set it on the tenant itself, on its class or in the options.
   */
  TENANT_SETTING_REFUSED: TenantSettingError;
  /**
   * A value is an object without a text of its own, a function or a symbol, so it cannot be written as a literal. No SQL was sent.
   * @remedy Give a string, a number, a boolean, a bigint, a `Date`, a `Buffer`, a plain object or an array, or map the property with a custom type.
   */
  VALUE_UNSUPPORTED: UnsupportedValueError;
  /**
   * A shared row cannot be deleted or get another key, because rows of a tenant refer to it: `schemaName`, `table`, `constraint`.
   * @remedy Change or delete the referring rows first, with `forEachTenant(…)`, or give the foreign key a `deleteRule`.
   */
  SHARED_ROW_IN_USE: SharedRowInUseError;
  /**
   * A shared table cannot be truncated, because tables of tenants refer to it. PostgreSQL would truncate them too. `entities` lists them.
   * @remedy Delete the rows instead.
   */
  SHARED_TABLE_IN_USE: SharedTableInUseError;
  /**
   * Another schema was named for a shared entity than that of its table.
   * @remedy Leave the schema out, or declare an entity of its own for the table in that schema.
   */
  SHARED_SCHEMA: SharedSchemaError;
  /**
   * The `Host` header is no valid host name, or the request names two hosts. `status` is 400.
   * @remedy This is an answer to a visitor. If your proxy causes it, let it send one host.
   */
  HOST_INVALID: InvalidHostError;
  /**
   * No tenant has the host, and it is no public host. `status` is 404, or `notFoundStatus`.
   * @remedy This is an answer to a visitor. If the host is to be served, create the tenant, or add the host to `publicHosts`.
   */
  HOST_UNKNOWN: UnknownHostError;
  /**
   * The request names no tenant that is served, in another way than by its host. `status` is 404, or `notFoundStatus`.
   * @remedy This is an answer to a visitor. If the tenant is to be served, create it, or look at what your resolvers return.
   */
  TENANT_NOT_SERVED: TenantNotServedError;
  /**
   * `authorize` has refused the request, and `forbiddenStatus` tells the visitor so.
   * @remedy This is an answer to a visitor. Leave `forbiddenStatus` out if visitors must not learn which tenants exist.
   */
  TENANT_FORBIDDEN: TenantForbiddenError;
  /**
   * A session or a token is bound to another tenant, or to none: it was made before sessions were bound, or for another host. `status` is 401.
   * @remedy This is an answer to a visitor, who signs in again. If all of them get it, see that `boundToTenant()` is called wherever sessions or tokens are made.
   */
  TENANT_MISMATCH: TenantMismatchError;
  /**
   * `tenantUrl()` got a path that could lead to another host or another tenant, or a base that makes no URL.
   * @remedy Pass a path that begins with one slash, and a base whose host is made of properties that are valid in a host name.
   */
  TENANT_URL: TenantUrlError;
  /**
   * A resolver cannot work as it was made: `byHeader()` without `trusted`, a pattern or a domain that cannot be read, or a property that is not unique.
   * @remedy Change the resolver as the message says.
   */
  RESOLVER_INVALID: ResolverError;
  /**
   * A resolver has thrown, or has returned what names no tenant. Nothing was served. `status` is 500.
   * @remedy Read the `cause`, and let the resolver return undefined for a request that it knows nothing of.
   */
  RESOLVER_FAILED: ResolverError;
  /**
   * The tenant is suspended. `status` is 403, or `suspendedStatus`. Without `suspendedStatus` a visitor gets `HOST_UNKNOWN` instead.
   * @remedy This is an answer to a visitor, or to `runInTenant()` with `onlyActive`. To serve the tenant again, set its `state` to `active`.
   */
  TENANT_SUSPENDED: TenantSuspendedError;
  /**
   * The tenant is in maintenance. `status` is 503, with `Retry-After`.
   * @remedy This is an answer to a visitor, or to `runInTenant()` with `onlyActive`. Set the tenant's `state` to `active` when the work is done. `maintenance.bypass` lets operators in before.
   */
  TENANT_IN_MAINTENANCE: TenantMaintenanceError;
  /**
   * The request came on a host of the tenant that is not its primary domain, and `redirectToPrimary` is set. `status` is 308, with `Location`.
   * @remedy This is an answer to a visitor. To serve every host itself, leave out `redirectToPrimary`.
   */
  HOST_NOT_PRIMARY: RedirectToPrimaryError;
  /**
   * The tenant of a request cannot be looked up, because the database cannot be reached. `status` is 503, with `Retry-After`.
   * @remedy Bring the database back. The next request then looks the tenant up.
   */
  DIRECTORY_UNAVAILABLE: DirectoryUnavailableError;
  /**
   * `schemaRouter()` was given something else than a router or a middleware.
   * @remedy Pass `router.routes()`, the router, or any middleware.
   */
  NOT_A_ROUTER: RoutingError;
  /**
   * `schemaRouter()` comes before `tenantContext()`, or `tenantContext` was given to `koa.use()` without being called.
   * @remedy Write `koa.use(tenantContext())` first.
   */
  NO_TENANT_CONTEXT: RoutingError;
}
