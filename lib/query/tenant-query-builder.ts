import type { EntityMetadata, QueryFlag, Transaction } from '@mikro-orm/core';
import { QueryBuilder, QueryType, type SqlEntityManager } from '@mikro-orm/sql';
import { SharedTableInUseError, TenantWriteRefusedError } from '../errors/index.js';
import { readInScope, readThere } from '../scope/read-in-scope.js';
import { withScope } from '../scope/scope.js';
import type { TenantRef } from '../scope/tenant-identity.js';
import { tenantOfEm, type ScopedEm } from '../scope/tenant-of-em.js';
import type { GuardContext } from '../scope/guard-context.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import { explainSharedWrite } from '../entities/flush-errors.js';
import { refuseForeign } from '../entities/foreign-entities.js';
import { guardHelper, type GuardedQueryHelper, resolve, tenantAmong, type Join } from './guarded-query-helper.js';
import { refuseForeignCollectionsOfQuery, tenantsThatReferTo, type PopulateHint } from '../entities/shared-relations.js';
import { forTenant } from '../connection/sql-target.js';
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

  override clone(...args: unknown[]): this {
    return guardQuery(super.clone(...args), this.guard) as this;
  }

  override getSchema(alias: { readonly meta: EntityMetadata }): string | undefined {
    if (isTenantEntity(alias.meta)) {
      return resolve(this.guard, alias.meta, super.getSchema(alias) ?? this.scopesOwn());
    }

    return alias.meta.schema ?? super.getSchema(alias);
  }

  override update(data: object): this {
    if (this.writesTenants() && this.guard.rules.hasIdentity(data)) {
      throw new TenantWriteRefusedError(
        `em.qb(${this.mainAlias.meta.className}) with ${QueryType.UPDATE}`,
        'em.flush() on the loaded tenant',
      );
    }

    this.refuseForeign(data);

    return super.update(data);
  }

  override insert(data: object): this {
    this.refuseForeign(data);

    return super.insert(data);
  }

  override merge(data?: object): this {
    this.refuseForeign(data);

    return super.merge(data);
  }

  override where(condition: unknown, ...rest: unknown[]): this {
    this.refuseForeign(condition, rest[0]);

    return super.where(condition, ...rest);
  }

  override having(condition?: unknown, ...rest: unknown[]): this {
    this.refuseForeign(condition, rest[0]);

    return super.having(condition, ...rest);
  }

  override joinReference(field: unknown, alias: string, condition: unknown, ...rest: unknown[]): object {
    this.refuseForeign(condition);

    return super.joinReference(field, alias, condition, ...rest);
  }

  override createQueryBuilderHelper(): GuardedQueryHelper {
    return guardHelper(super.createQueryBuilderHelper(), this);
  }

  override getNativeQuery(...args: unknown[]): unknown {
    this.refuseTenantWrites();
    this.refuseTruncation();
    refuseForeignCollectionsOfQuery(this, asked => tenantAmong([asked], this.guard));

    return super.getNativeQuery(...args);
  }

  // what is run later, or in another scope, is run as if in the scope the query was made in
  override async execute(...args: unknown[]): Promise<unknown> {
    try {
      return await withScope(this.guard.scope, () => forTenant(this.guard.rules, this.tenantOfSql(), () => this.send(args)));
    } catch (error) {
      throw explainSharedWrite(error, this.mainAlias.meta, this.guard.rules);
    }
  }

  override getResultList(...args: unknown[]): Promise<unknown> {
    return withScope(this.guard.scope, () => super.getResultList(...args));
  }

  override getSingleResult(...args: unknown[]): Promise<unknown> {
    return withScope(this.guard.scope, () => super.getSingleResult(...args));
  }

  override getCount(...args: unknown[]): Promise<unknown> {
    return withScope(this.guard.scope, () => super.getCount(...args));
  }

  override stream(...args: unknown[]): AsyncGenerator<unknown> {
    return withScope(this.guard.scope, () =>
      forTenant(this.guard.rules, this.tenantOfSql(), () => readThere(readInScope(super.stream(...args), this.guard.scope))),
    );
  }

  // whose raw SQL in the query is: a name without a schema in it is that tenant's
  private tenantOfSql(): TenantRef | undefined {
    const { meta } = this.mainAlias;
    const own = tenantOfEm(this.em);
    const schemaName = isTenantEntity(meta) ? tenantAmong([this.state.schema, own?.schemaName], this.guard) : own?.schemaName;

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

    return resolve(this.guard, meta, tenantAmong([given, this.state.schema, this.em?.schema], this.guard));
  }

  // a query of the driver's own has no EntityManager, so nothing that it reads ends in an identity map
  private scopesOwn(): string | undefined {
    const { scope } = this.guard;

    return this.em === undefined && scope?.kind === 'tenant' ? scope.schemaName : undefined;
  }

  private send(args: unknown[]): Promise<unknown> {
    return this.type === QueryType.UPDATE && this.writesTenants() ? this.updateTenants(args) : super.execute(...args);
  }

  private updateTenants(args: unknown[]): Promise<unknown> {
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

  private refuseForeign(...given: unknown[]): void {
    refuseForeign(given, this.em?.schema, { ...this.guard, entity: this.mainAlias.meta.className });
  }

  private refuseTenantWrites(): void {
    if (WRITES.has(this.type) && this.writesTenants()) {
      throw new TenantWriteRefusedError(
        `em.qb(${this.mainAlias.meta.className}) with ${this.type}`,
        'em.persistAndFlush(…) or em.removeAndFlush(…)',
      );
    }
  }

  // MikroORM's `truncate` ends in `cascade`, which PostgreSQL carries out in every tenant
  private refuseTruncation(): void {
    const { meta } = this.mainAlias;

    if (this.type !== QueryType.TRUNCATE || isTenantEntity(meta)) {
      return;
    }

    const referring = tenantsThatReferTo(meta, this.guard.rules.metadata);

    if (referring.length > 0) {
      throw new SharedTableInUseError(meta.className, [...new Set(referring.map(({ className }) => className))]);
    }
  }

  // only queries of users have an EntityManager and write; the unit of work's own writes have none
  private writesTenants(): boolean {
    return this.em !== undefined && this.guard.rules.isTenantClass(this.mainAlias.meta);
  }
}

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

/** The parts of MikroORM's QueryBuilder that are overridden or read here, private ones among them. */
interface OpenQueryBuilder {
  context: Transaction | undefined;
  readonly em: ScopedEm | undefined;
  readonly helper: object;
  readonly mainAlias: { readonly meta: EntityMetadata };
  readonly state: {
    readonly joins: Readonly<Record<string, Join>>;
    readonly populate: readonly PopulateHint[];
    readonly schema?: string;
  };
  readonly type: QueryType;
  clone(...args: unknown[]): object;
  createQueryBuilderHelper(): object;
  execute(...args: unknown[]): Promise<unknown>;
  getCount(...args: unknown[]): Promise<unknown>;
  getNativeQuery(...args: unknown[]): unknown;
  getResultList(...args: unknown[]): Promise<unknown>;
  getSchema(alias: { readonly meta: EntityMetadata }): string | undefined;
  getSingleResult(...args: unknown[]): Promise<unknown>;
  having(condition?: unknown, ...rest: unknown[]): this;
  insert(data: object): this;
  joinReference(field: unknown, alias: string, condition: unknown, ...rest: unknown[]): object;
  merge(data?: object): this;
  stream(...args: unknown[]): AsyncGenerator<unknown>;
  unsetFlag(flag: QueryFlag): this;
  update(data: object): this;
  where(condition: unknown, ...rest: unknown[]): this;
}

type OpenQueryBuilderClass = new (...args: ConstructorParameters<typeof QueryBuilder>) => OpenQueryBuilder;
