import type { Configuration, EntityMetadata, MikroORM, Transaction } from '@mikro-orm/core';
import type { AbstractSqlDriver } from '@mikro-orm/postgresql';
import type { Directory, DirectoryKey } from './directory/directory.js';
import type { HeldRow } from './directory/held-tenant.js';
import { openDirectory } from './directory/open-directory.js';
import { OrmSelectionError } from './errors/index.js';
import { canonicalHostname } from './tenant/hostname.js';
import type { ResolvedTenantsOptions, TenantFilter } from './tenant/options.js';
import { isTenantEntity } from './tenant/entity-kinds.js';
import { enterScope } from './orm/mikro-context.js';
import { withoutGuard, forLibrary, forPublic, inLibraryTransaction } from './connection/sql-target.js';
import type { TenantEntityManager } from './orm/tenant-entity-manager.js';
import { parseSchemaName, type SchemaName } from './postgres/schema-name.js';
import type { ScopeHost } from './scope/live-orms.js';
import { currentScope, type Scope } from './scope/scope.js';
import { attachRollbackError } from './postgres/sql-state.js';
import type { TenantMixin } from './tenant/tenant-mixin.js';

export type WrappedOrm = MikroORM<AbstractSqlDriver, TenantEntityManager>;

/** One ORM with tenants: its options, and what the other parts ask of it. Kept as an extension of the ORM's config. */
export class Tenancy implements ScopeHost<TenantEntityManager> {
  static readonly EXTENSION = '@landlord/mikro-orm';

  readonly orm: WrappedOrm;
  readonly options: ResolvedTenantsOptions;
  #takesScripts: Promise<boolean> | undefined;
  #sharedSchemas: { readonly entities: number; readonly names: ReadonlySet<string> } | undefined;
  #session: Promise<Session> | undefined;
  #publicHosts: ReadonlySet<string | undefined> | undefined;
  #directory: Directory<HeldRow> | undefined;

  /** @throws OrmSelectionError `ORM_WITHOUT_TENANTS` */
  static of(config: Configuration): Tenancy {
    const tenancy = config.getExtension<Tenancy>(Tenancy.EXTENSION);

    if (tenancy === undefined) {
      throw OrmSelectionError.withoutTenants();
    }

    return tenancy;
  }

  constructor(orm: WrappedOrm, options: ResolvedTenantsOptions) {
    this.orm = orm;
    this.options = options;
  }

  get publicSchema(): string {
    return this.options.publicSchema;
  }

  get scope(): Scope | undefined {
    return currentScope(this);
  }

  /** The metadata of the tenants' entity. */
  get tenantMeta(): EntityMetadata<TenantMixin<unknown>> {
    return this.orm.getMetadata().get(this.options.tenant);
  }

  /** Who is meant by a request. It does nothing until it is first asked. */
  get directory(): Directory<HeldRow> {
    return (this.#directory ??= openDirectory(this));
  }

  checkSchemaName(schemaName: unknown): SchemaName {
    return parseSchemaName(schemaName, {
      publicSchema: this.publicSchema,
      reserved: this.options.reservedSchemaNames,
      shared: this.sharedSchemas,
    });
  }

  /** The schemas that shared entities live in. */
  get sharedSchemas(): ReadonlySet<string> {
    const all = this.orm.getMetadata().getAll();

    // `orm.discoverEntity()` adds entities later
    if (this.#sharedSchemas?.entities !== all.size) {
      const names = [...all.values()].flatMap(meta => (meta.schema === undefined || isTenantEntity(meta) ? [] : [meta.schema]));
      this.#sharedSchemas = { entities: all.size, names: new Set(names) };
    }

    return this.#sharedSchemas.names;
  }

  canonicalHost(host: string): string | undefined {
    return canonicalHostname(host, { stripWww: this.options.stripWww });
  }

  isPublicHost(canonicalHost: string): boolean {
    this.#publicHosts ??= new Set(this.options.publicHosts.map(host => this.canonicalHost(host)));

    return this.#publicHosts.has(canonicalHost);
  }

  /** Whether the tenant is the public one: its host serves the public routes, and it has no schema of its own. */
  isPublicTenant(tenant: Pick<TenantMixin<unknown>, 'schemaName'>): boolean {
    return tenant.schemaName === this.publicSchema;
  }

  /** Whether the metadata is the tenants' entity or of its inheritance tree. */
  isTenantClass(meta: Pick<EntityMetadata, 'class' | 'root'>): boolean {
    return meta.root.class === this.tenantMeta.root.class;
  }

  /** Whether the data for tenants has a `schemaName` or `domainUrl`, under the name of the property or of its column. */
  hasIdentity(data: object): boolean {
    const { properties } = this.tenantMeta;
    const names = (['schemaName', 'domainUrl'] as const).flatMap(name => [name, ...properties[name].fieldNames]);

    return names.some(name => name in data);
  }

  /** What holds for this tenant: its own word, else its class's, else the option. */
  settingOf(tenant: TenantMixin<unknown>, name: 'autoCreateSchema' | 'autoDropSchema'): boolean {
    return tenant[name] ?? (tenant.constructor as typeof TenantMixin)[name] ?? this.options[name];
  }

  /** Runs one statement of the library's own, in the transaction if there is one. */
  async execute<Row = unknown>(sql: string, params: readonly unknown[], ctx: Transaction | undefined): Promise<Row[]> {
    return forLibrary(this, () => this.orm.em.getDriver().execute<Row[]>(sql, [...params], 'all', ctx));
  }

  /**
   * Runs `fn` on one connection that is its alone meanwhile, and sets on it what it needs. Relies on Kysely's `connection()`, which MikroORM 7 gives as the connection's
   * client; what it gives is taken wherever a transaction is.
   */
  async onOneConnection<Result>(fn: (ctx: Transaction) => Promise<Result>): Promise<Result> {
    const connection = this.orm.em.getConnection('write');
    await connection.ensureConnection();

    return connection
      .getClient()
      .connection()
      .execute((ctx: Transaction) => withoutGuard(this, () => fn(ctx)));
  }

  /**
   * Runs `fn` in a transaction of its own, on the given connection where there is one. Not by MikroORM 7's `transactional()`: where the
   * connection is lost its rollback fails, and Kysely then never gives that connection's place in the pool back, unless `lost-connections.ts`
   * could see to it, which it cannot in a Kysely of the user's own. Here it is of a connection that is given back whatever happens.
   */
  async inTransaction<Result>(fn: (ctx: Transaction) => Promise<Result>, on?: Transaction): Promise<Result> {
    if (on === undefined) {
      return this.onOneConnection(connection => this.inTransaction(fn, connection));
    }

    return inLibraryTransaction(this, () => this.#inTransactionOn(on, fn));
  }

  async #inTransactionOn<Result>(on: Transaction, fn: (ctx: Transaction) => Promise<Result>): Promise<Result> {
    const connection = this.orm.em.getConnection('write');
    const ctx: Transaction = await on.startTransaction().execute();

    try {
      const result = await fn(ctx);
      await connection.commit(ctx);

      return result;
    } catch (error) {
      try {
        await connection.rollback(ctx);
      } catch (rollbackError) {
        // it may have no connection to roll back on, which whoever tries again has to know
        attachRollbackError(error, rollbackError);
      }

      throw error;
    }
  }

  /** What the connections of this ORM are: their role, and the schemas on the path that they begin with. */
  session(ctx: Transaction | undefined): Promise<Session> {
    this.#session ??= this.#readSession(ctx).catch((error: unknown) => {
      this.#session = undefined;
      throw error;
    });

    return this.#session;
  }

  /**
   * The schema names of the tenants that match, in order, without the public one; names alone, as there may be many. The filters of
   * MikroORM leave out the tenants they leave out of `findTenants`, unless the names of all rows are asked for.
   */
  async findSchemaNames(where: TenantFilter = {}, { filters = true }: { readonly filters?: boolean } = {}): Promise<string[]> {
    const query = this.#registry()
      .createQueryBuilder(this.options.tenant)
      .select('schemaName')
      .where(where)
      .orderBy({ schemaName: 'asc' })
      .cache(NOT_CACHED.cache);

    if (filters) {
      await query.applyFilters();
    }

    // mapped to property names, but not to entities
    const rows = await forPublic(this, () => query.execute<{ schemaName: string }[]>('all'));

    return rows.map(({ schemaName }) => schemaName).filter(schemaName => schemaName !== this.publicSchema);
  }

  /**
   * Whether the database takes several commands in one message. PGlite does not, nor does Citus, where a message of several commands that
   * make distributed tables fails; which is there is asked of the database, not of a setting.
   */
  takesScripts(ctx: Transaction | undefined): Promise<boolean> {
    this.#takesScripts ??= this.#askForScripts(ctx).catch((error: unknown) => {
      this.#takesScripts = undefined;
      throw error;
    });

    return this.#takesScripts;
  }

  /** How many connections work may take at once: what the pool has, but one on PGlite and inside a transaction. */
  connectionsAtOnce(): number {
    const { config } = this.orm;
    const hasOne = this.#isPglite() || this.isInTransaction();

    // `pg` has ten connections in a pool that says nothing
    return hasOne ? 1 : (config.get('pool').max ?? 10);
  }

  enter<Result>(scope: Scope, fn: (em: TenantEntityManager) => Result): Result {
    return enterScope(this.orm.em, scope, fn);
  }

  isInTransaction(): boolean {
    return this.orm.em.isInTransaction();
  }

  findTenant(schemaName: string): Promise<TenantMixin<unknown> | undefined> {
    return this.#findOne({ schemaName });
  }

  /**
   * Who is meant by a request. At once where the directory knows.
   *
   * @throws DirectoryUnavailableError `DIRECTORY_UNAVAILABLE`
   */
  findHeld(key: DirectoryKey): HeldRow | undefined | Promise<HeldRow | undefined> {
    // what a transaction has done is seen in it, and by nobody else
    return this.isInTransaction() ? this.#findInTransaction(key) : this.directory.find(key);
  }

  async findTenants(where: TenantFilter = {}): Promise<readonly TenantMixin<unknown>[]> {
    return forPublic(this, () => this.#registry().find(this.options.tenant, where, { orderBy: { schemaName: 'asc' }, ...NOT_CACHED }));
  }

  // by name, as the package may not be installed; a bundler must not shorten it
  #isPglite(): boolean {
    return this.orm.config.get('driver')?.name.startsWith('Pglite') === true;
  }

  async #readSession(ctx: Transaction | undefined): Promise<Session> {
    // what a session begins with, as this transaction may have set another
    const [row] = await this.execute<{ role: string; path: string }>(
      `select session_user::text as role, reset_val as path from pg_settings where name = 'search_path'`,
      [],
      ctx,
    );

    return { role: row?.role, path: (row?.path ?? '').split(',').map(name => name.replaceAll(/[\s"]/g, '').toLowerCase()) };
  }

  async #askForScripts(ctx: Transaction | undefined): Promise<boolean> {
    if (this.#isPglite()) {
      return false;
    }

    return (await this.execute(`select 1 from pg_extension where extname = 'citus'`, [], ctx)).length === 0;
  }

  async #findInTransaction({ property, value }: DirectoryKey): Promise<HeldRow | undefined> {
    const row = await this.#findOne({ [property]: value });

    return row && { schemaName: row.schemaName, copy: () => row };
  }

  async #findOne(where: TenantFilter): Promise<TenantMixin<unknown> | undefined> {
    return (await forPublic(this, () => this.#registry().findOne(this.options.tenant, where, NOT_CACHED))) ?? undefined;
  }

  // a fork of its own: what a scope is entered with must not sit in the identity map of somebody's request
  #registry(): TenantEntityManager {
    return this.orm.em.fork({ keepTransactionContext: true });
  }
}

/** Which tenants there are is never out of the user's result cache, also where that has every query's. */
export const NOT_CACHED = { cache: false } as const;

interface Session {
  readonly role: string | undefined;
  readonly path: readonly string[];
}
