import type { EntityMetadata, RawQueryFragment } from '@mikro-orm/core';
import { QueryBuilder, QueryType, type SqlEntityManager } from '@mikro-orm/postgresql';
import { TenantWriteRefusedError } from '../errors/index.js';
import { readInScope, readInThisContext } from '../scope/read-in-scope.js';
import { innermostScope, withScope } from '../scope/scope.js';
import type { TenantRef } from '../scope/tenant-identity.js';
import { tenantOfEm } from '../scope/tenant-of-em.js';
import type { GuardContext } from '../scope/guard-context.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import { CARRIED, carriedBy, carry, carryInFragment, refuseTenants } from '../scope/carried-tenants.js';
import { explainSharedWrite } from '../entities/flush-errors.js';
import { mayHoldEntities, refuseForeignEntities } from '../entities/foreign-entities.js';
import { entityOfTable } from './named-tables.js';
import { createHelper, guardHelper, type GuardedQueryHelper, resolve, tenantSchemaFrom } from './guarded-query-helper.js';
import { refuseForeignCollectionsOfQuery } from '../entities/shared-relations.js';
import { forTenant } from '../connection/sql-target.js';
import { refuseNamedSchema, refuseTruncation } from './refuse-by-type.js';
import { takeQueries } from './carrying-queries.js';
import type { Args, OpenQueryBuilderClass, Result } from './open-query-builder.js';
import { updateTenants } from './update-tenants.js';

/**
 * The QueryBuilder of which every table is one that its scope may use. Every table of a query gets its schema in one of two
 * places, the query's own table in `getSchema` and a joined one in `createJoinExpression`; both are overridden here, and both
 * qualify the default schema too, which MikroORM leaves out: what is left out would be looked up on the `search_path`.
 *
 * Relies on these two methods, on `createQueryBuilderHelper`, and on `clone` making a plain QueryBuilder. None is documented API
 * of MikroORM 7; `spec/orm/query-builder.spec.ts` fails if one of them changes.
 */
export class TenantQueryBuilder extends (QueryBuilder as unknown as OpenQueryBuilderClass) {
  // nothing here is `#private`: a clone never went through this constructor
  declare guard: GuardContext;

  /** The tenants of the queries that this one is made of. */
  declare taken: readonly string[] | undefined;

  /** The tenant that this one was cloned from, whose schema a clone may have lost. */
  declare clonedFrom: string | undefined;

  /** The tenants that it was built for: its own, or if it has none those of the queries in it. */
  get [CARRIED](): readonly string[] {
    const own = this.ownTenant();

    return own === undefined ? (this.taken ?? []) : [own];
  }

  override clone(...args: Args<'clone'>): this {
    const clone = guardQuery(super.clone(...args), this.guard) as this;
    clone.taken = this.taken;
    clone.clonedFrom = this.ownTenant();

    return clone;
  }

  override toRaw(...args: Args<'toRaw'>): RawQueryFragment {
    return carryInFragment(super.toRaw(...args), this[CARRIED]);
  }

  override toQuery(...args: Args<'toQuery'>): Result<'toQuery'> {
    this.refuseTaken();

    return super.toQuery(...args);
  }

  /** Is shown all that MikroORM's methods are given. @throws CrossTenantError for a query of another tenant */
  take(given: readonly unknown[]): void {
    const carried = carriedBy(given);

    if (carried.length > 0) {
      this.taken = [...new Set([...(this.taken ?? []), ...carried])];

      // what it is made of is shown to it before it has a guard, and again
      if (this.guard !== undefined) {
        this.refuseTaken();
      }
    }
  }

  override getSchema(...args: Args<'getSchema'>): string | undefined {
    const { meta } = args[0];

    return isTenantEntity(meta)
      ? resolve(this.guard, meta, super.getSchema(...args) ?? this.schemaOfDriverQuery())
      : (meta.schema ?? super.getSchema(...args));
  }

  override update(...args: Args<'update'>): this {
    const [data] = args;

    if (this.writesTenants() && this.guard.rules.hasIdentity(data)) {
      throw new TenantWriteRefusedError(
        `em.qb(${this.mainAlias.meta.className}) with ${QueryType.UPDATE}`,
        'em.flush() on the loaded tenant',
      );
    }

    this.refuseForeignEntities(data);

    return super.update(...args);
  }

  override insert(...args: Args<'insert'>): this {
    this.refuseForeignEntities(args[0]);

    return super.insert(...args);
  }

  override merge(...args: Args<'merge'>): this {
    this.refuseForeignEntities(args[0]);

    return super.merge(...args);
  }

  override where(...args: Args<'where'>): this {
    this.refuseForeignEntities(args[0], args[1]);

    return super.where(...args);
  }

  override having(...args: Args<'having'>): this {
    this.refuseForeignEntities(args[0], args[1]);

    return super.having(...args);
  }

  override joinReference(...args: Args<'joinReference'>): object {
    this.refuseForeignEntities(args[2]);

    return super.joinReference(...args);
  }

  override createQueryBuilderHelper(...args: Args<'createQueryBuilderHelper'>): GuardedQueryHelper {
    // MikroORM gives it nothing
    return guardHelper((args.length === 0 ? createHelper(this) : undefined) ?? super.createQueryBuilderHelper(...args), this);
  }

  override getNativeQuery(...args: Args<'getNativeQuery'>): object {
    this.refuseTaken();
    const entity = this.entityInUse();
    this.refuseTenantWrites(entity);
    refuseTruncation(this.type, entity, this.guard);
    refuseNamedSchema(this);

    if (this.state.populate.length > 0) {
      refuseForeignCollectionsOfQuery(this, asked => tenantSchemaFrom([asked], this.guard));
    }

    return carry(super.getNativeQuery(...args), this[CARRIED]);
  }

  // what is run later, or in another scope, is run as if in the scope the query was made in
  override execute(...args: Args<'execute'>): Promise<unknown> {
    const { rules, scope } = this.guard;
    const { meta } = this.mainAlias;

    try {
      const tenant = this.tenantOfSql();
      // most queries are run where they were made, and for the tenant of that scope
      const isAtHome = scope !== undefined && tenant === scope && scope.config === rules.config && innermostScope() === scope;
      const done = isAtHome ? this.send(args) : withScope(scope, () => forTenant(rules, tenant, () => this.send(args)));

      // no other error is explained
      return isTenantEntity(meta.root) ? done : done.catch(async error => Promise.reject(await explainSharedWrite(error, meta, rules)));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  override getResultList(...args: Args<'getResultList'>): Promise<unknown> {
    return withScope(this.guard.scope, () => super.getResultList(...args));
  }

  override getSingleResult(...args: Args<'getSingleResult'>): Promise<unknown> {
    return withScope(this.guard.scope, () => super.getSingleResult(...args));
  }

  override getCount(...args: Args<'getCount'>): Promise<unknown> {
    return withScope(this.guard.scope, () => super.getCount(...args));
  }

  override stream(...args: Args<'stream'>): AsyncGenerator<unknown> {
    return withScope(this.guard.scope, () =>
      forTenant(this.guard.rules, this.tenantOfSql(), () => readInThisContext(readInScope(super.stream(...args), this.guard.scope))),
    );
  }

  // whose raw SQL in the query is: a name without a schema in it is that tenant's
  private tenantOfSql(): TenantRef | undefined {
    const { meta } = this.mainAlias;
    const own = tenantOfEm(this.em);
    const schemaName = isTenantEntity(meta) ? tenantSchemaFrom([this.state.schema, own?.schemaName], this.guard) : own?.schemaName;

    return schemaName === undefined || schemaName === own?.schemaName ? own : { schemaName };
  }

  /**
   * The schema of the table that a formula is of. MikroORM gives the one of the query's own table, which is the public one where
   * that is shared and a tenant's where the formula's entity is; for the tables of an inheritance tree it gives none.
   */
  schemaOfFormula(meta: EntityMetadata, given: string | undefined): string | undefined {
    if (!isTenantEntity(meta)) {
      return meta.schema ?? given;
    }

    return resolve(this.guard, meta, tenantSchemaFrom([given, this.state.schema, this.em?.schema], this.guard));
  }

  // a query of the driver's own has no EntityManager, so nothing that it reads ends in an identity map
  private schemaOfDriverQuery(): string | undefined {
    const { scope } = this.guard;

    return this.em === undefined && scope?.kind === 'tenant' ? scope.schemaName : undefined;
  }

  private send(args: Args<'execute'>): Promise<unknown> {
    return this.type === QueryType.UPDATE && this.writesTenants() ? this.updateTenants(args) : super.execute(...args);
  }

  private updateTenants(args: Args<'execute'>): Promise<unknown> {
    const { context } = this;

    return updateTenants(this.em as SqlEntityManager, { ctx: context }, async ctx => {
      this.context = ctx;

      try {
        return await super.execute(...args);
      } finally {
        this.context = context;
      }
    });
  }

  private ownTenant(): string | undefined {
    const { scope } = this.guard;

    return scope?.kind === 'tenant'
      ? scope.schemaName
      : tenantSchemaFrom([this.state.schema, this.clonedFrom, this.em?.schema], this.guard);
  }

  // asked again when the query is written out: which tenant it is of may have been said after what it is made of
  private refuseTaken(): void {
    if (this.taken !== undefined) {
      refuseTenants(this.taken, this.ownTenant());
    }
  }

  private refuseForeignEntities(given: unknown, other?: unknown): void {
    if (mayHoldEntities(given) || mayHoldEntities(other)) {
      refuseForeignEntities([given, other], this.ownTenant(), { ...this.guard, entity: this.mainAlias.meta.className });
    }
  }

  /** The entity that is read or written, also where it is named by its table. */
  private entityInUse(): EntityMetadata {
    const { meta, rawTableName } = this.mainAlias;
    const isTable = rawTableName !== undefined && !this.state.ctes.some(({ name }) => name === rawTableName);

    // a bare name is found on the path, which `withSchema()` does not change
    const own = this.em === undefined ? this.ownTenant() : this.em.schema;

    return (isTable ? entityOfTable(rawTableName, own, this.guard) : undefined) ?? meta;
  }

  private refuseTenantWrites(entity: EntityMetadata): void {
    if (WRITES.has(this.type) && this.writesTenants(entity)) {
      throw new TenantWriteRefusedError(
        `em.qb(${this.mainAlias.meta.className}) with ${this.type}`,
        'em.persistAndFlush(…) or em.removeAndFlush(…)',
      );
    }
  }

  // only queries of users have an EntityManager and write; the unit of work's own writes have none
  private writesTenants(entity: EntityMetadata = this.mainAlias.meta): boolean {
    return this.em !== undefined && this.guard.rules.isTenantClass(entity);
  }
}

takeQueries(TenantQueryBuilder.prototype, (query: TenantQueryBuilder, given) => query.take(given));

/** A query as MikroORM's driver makes it. Undefined if it is made of something else by now. */
export function createTenantQuery(...args: ConstructorParameters<typeof QueryBuilder>): TenantQueryBuilder | undefined {
  return MAKES_QUERY_AS_HERE ? new TenantQueryBuilder(...args) : undefined;
}

const MAKES_QUERY_AS_HERE = QueryBuilder.length === 8;

/** Puts a query under guard. A clone is made by MikroORM as a plain QueryBuilder, and becomes a guarded one here. */
export function guardQuery(query: object, guard: GuardContext): TenantQueryBuilder {
  const guarded = (
    query instanceof TenantQueryBuilder ? query : Object.setPrototypeOf(query, TenantQueryBuilder.prototype)
  ) as TenantQueryBuilder;
  guarded.guard = guard;
  guardHelper(guarded.helper, guarded);

  return guarded;
}

const WRITES: ReadonlySet<QueryType> = new Set([QueryType.INSERT, QueryType.DELETE, QueryType.TRUNCATE, QueryType.UPSERT]);
