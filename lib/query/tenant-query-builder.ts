import type { EntityMetadata, RawQueryFragment } from '@mikro-orm/core';
import { QueryBuilder, QueryType, type SqlEntityManager } from '@mikro-orm/postgresql';
import { TenantWriteRefusedError } from '../errors/index.js';
import { readInThisContext } from '../scope/read-in-scope.js';
import { isInnermost, withScope } from '../scope/scope.js';
import type { TenantRef } from '../scope/tenant-identity.js';
import { tenantOfEm } from '../scope/tenant-of-em.js';
import type { GuardContext } from '../scope/guard-context.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import type { Others } from '../tenant/other-arguments.js';
import { CARRIED, carry, carryInFragment, carryInFragments, carryInParams } from '../scope/carried-tenants.js';
import { explainSharedWrite } from '../entities/flush-errors.js';
import { entityOfTable } from './named-tables.js';
import { createHelper, guardHelper, type GuardedQueryHelper, resolve, tenantSchemaFrom } from './guarded-query-helper.js';
import { mayHoldEntities } from '../entities/foreign-entities.js';
import { ownCopy } from '../entities/own-copies.js';
import { refuseForeignCollectionsOfQuery } from '../entities/shared-relations.js';
import { forTenant } from '../connection/statements/sql-target.js';
import { refuseNamedSchema, refuseTruncation } from './refuse-by-type.js';
import { takeQueries } from './carrying-queries.js';
import type { Args, OpenQueryBuilderClass, Result } from './open-query-builder.js';
import { takingQueries } from './taking-query-builder.js';
import { updateTenants } from './update-tenants.js';

/**
 * The QueryBuilder of which every table is one that its scope may use. Every table of a query gets its schema in one of two
 * places, the query's own table in `getSchema` and a joined one in `createJoinExpression`; both are overridden here, and both
 * qualify the default schema too, which MikroORM leaves out: what is left out would be looked up on the `search_path`.
 *
 * Relies on these two methods, on `createQueryBuilderHelper`, and on `clone` making a plain QueryBuilder. None is documented API
 * of MikroORM 7; `spec/orm/query-builder.spec.ts` fails if one of them changes.
 */
export class TenantQueryBuilder extends takingQueries(QueryBuilder as unknown as OpenQueryBuilderClass) {
  override clone(...args: Args<'clone'>): this {
    const clone = guardQuery(super.clone(...args), this.guard) as this;
    clone.taken = this.taken;
    clone.clonedFrom = this.ownTenant();

    return clone;
  }

  override toRaw(...args: Args<'toRaw'>): RawQueryFragment {
    return carryInFragment(super.toRaw(...args), this[CARRIED]);
  }

  // `raw()` of a query asks for this
  override toQuery(...args: Args<'toQuery'>): Result<'toQuery'> {
    this.refuseTaken();
    const query = super.toQuery(...args);

    if (sent !== this) {
      carryInParams(query.params, this[CARRIED]);
    }

    return query;
  }

  override getSchema(alias: Args<'getSchema'>[0], ...rest: Others<Args<'getSchema'>, 1>): string | undefined {
    const { meta } = alias;

    return isTenantEntity(meta)
      ? resolve(this.guard, meta, super.getSchema(alias, ...rest) ?? this.schemaOfDriverQuery())
      : (meta.schema ?? super.getSchema(alias, ...rest));
  }

  override update(...args: Args<'update'>): this {
    const [data, ...rest] = args;

    if (this.writesTenants() && this.guard.rules.hasIdentity(data)) {
      throw new TenantWriteRefusedError(
        `em.qb(${this.mainAlias.meta.className}) with ${QueryType.UPDATE}`,
        'em.flush() on the loaded tenant',
      );
    }

    // most hold nothing but values
    if (!mayHoldEntities(args)) {
      return super.update(...args);
    }

    this.refuseForeignEntities([data], args);

    return super.update(ownCopy(data), ...rest);
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

    const query = super.getNativeQuery(...args);

    return sent === this ? query : carry(query, this[CARRIED]);
  }

  // what is run later, or in another scope, is run as if in the scope the query was made in
  override execute(method?: Args<'execute'>[0], options?: Args<'execute'>[1], ...rest: Others<Args<'execute'>, 2>): Promise<unknown> {
    const { rules, scope } = this.guard;
    const { meta } = this.mainAlias;

    try {
      const tenant = this.tenantOfSql();
      // most queries are run where they were made, and for the tenant of that scope
      const isAtHome = tenant === scope && isInnermost(scope, rules.config);
      const done =
        isAtHome && !this.updatesTenants()
          ? this.sendAtHome([method, options, ...rest])
          : withScope(scope, () => forTenant(rules, tenant, () => this.send([method, options, ...rest])));

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
      forTenant(this.guard.rules, this.tenantOfSql(), () => readInThisContext(super.stream(...args))),
    );
  }

  // whose raw SQL in the query is: a name without a schema in it is that tenant's
  private tenantOfSql(): TenantRef | undefined {
    const own = tenantOfEm(this.em);
    const { scope } = this.guard;
    const { schema } = this.state;

    // most queries are for the scope that they were made in, and name no other
    if (scope !== undefined && own === scope && (schema === undefined || schema === own.schemaName)) {
      return own;
    }

    const { meta } = this.mainAlias;

    // one of the driver's own has no EntityManager, and knows the tenant by its name alone
    if (scope?.kind === 'tenant' && own === undefined && schema === scope.schemaName && isTenantEntity(meta)) {
      return scope;
    }

    const schemaName = isTenantEntity(meta) ? tenantSchemaFrom([schema, own?.schemaName], this.guard) : own?.schemaName;

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

  private sendAtHome(args: Args<'execute'>): Promise<unknown> {
    const outer = nowSending(this);

    try {
      return super.execute(...args);
    } finally {
      sent = outer;
    }
  }

  private send(args: Args<'execute'>): Promise<unknown> {
    return this.updatesTenants() ? this.updateTenants(args) : super.execute(...args);
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

  /** The entity that is read or written, also where it is named by its table. */
  private entityInUse(): EntityMetadata {
    const { meta, rawTableName } = this.mainAlias;

    return (rawTableName === undefined ? undefined : this.tableInUse(rawTableName)) ?? meta;
  }

  /** The entity of a table that is named by its text. Undefined if none has it, or it is a CTE. */
  tableInUse(table: string): EntityMetadata | undefined {
    // a bare name is found on the path, which `withSchema()` does not change
    const own = this.em === undefined ? this.ownTenant() : this.em.schema;

    return this.state.ctes.some(({ name }) => name === table) ? undefined : entityOfTable(table, own, this.guard);
  }

  private refuseTenantWrites(entity: EntityMetadata): void {
    if (WRITES.has(this.type) && this.writesTenants(entity)) {
      throw new TenantWriteRefusedError(
        `em.qb(${this.mainAlias.meta.className}) with ${this.type}`,
        'em.persistAndFlush(…) or em.removeAndFlush(…)',
      );
    }
  }

  private updatesTenants(): boolean {
    return this.type === QueryType.UPDATE && this.writesTenants();
  }

  // only queries of users have an EntityManager and write; the unit of work's own writes have none
  private writesTenants(entity: EntityMetadata = this.mainAlias.meta): boolean {
    return this.em !== undefined && this.guard.rules.isTenantClass(entity);
  }
}

carryInFragments();
takeQueries(TenantQueryBuilder.prototype, (query: TenantQueryBuilder, given) => query.take(given));

/** The query whose text MikroORM is making to send it. No work is interleaved with that, and what is sent at once is given to nobody. */
let sent: object | undefined;

function nowSending(query: object): object | undefined {
  const outer = sent;
  sent = query;

  return outer;
}

/** A query as MikroORM's driver makes it. Undefined if it is made of something else by now. */
export function createTenantQuery(...args: ConstructorParameters<typeof QueryBuilder>): TenantQueryBuilder | undefined {
  return MAKES_QUERY_AS_HERE ? new TenantQueryBuilder(...args) : undefined;
}

const MAKES_QUERY_AS_HERE = QueryBuilder.length === 8;

/** Puts a query under guard. A clone is made by MikroORM as a plain QueryBuilder, and becomes a guarded one here. */
export function guardQuery(query: object, guard: GuardContext): TenantQueryBuilder {
  if (query instanceof TenantQueryBuilder) {
    // it has made its helper itself
    query.guard = guard;

    return query;
  }

  const guarded = Object.setPrototypeOf(query, TenantQueryBuilder.prototype) as TenantQueryBuilder;
  guarded.guard = guard;
  guardHelper(guarded.helper, guarded);

  return guarded;
}

const WRITES: ReadonlySet<QueryType> = new Set([QueryType.INSERT, QueryType.DELETE, QueryType.TRUNCATE, QueryType.UPSERT]);
