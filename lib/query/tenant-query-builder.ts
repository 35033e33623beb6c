import type { EntityMetadata, Transaction } from '@mikro-orm/core';
import { QueryBuilder, QueryType, type SqlEntityManager } from '@mikro-orm/postgresql';
import { SharedTableInUseError, TenantWriteRefusedError } from '../errors/index.js';
import { readInScope, readThere } from '../scope/read-in-scope.js';
import { withScope } from '../scope/scope.js';
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

  override clone(...args: Args<'clone'>): this {
    return guardQuery(super.clone(...args), this.guard) as this;
  }

  override getSchema(...args: Args<'getSchema'>): string | undefined {
    const [{ meta }] = args;

    if (isTenantEntity(meta)) {
      return resolve(this.guard, meta, super.getSchema(...args) ?? this.scopesOwn());
    }

    return meta.schema ?? super.getSchema(...args);
  }

  override update(...args: Args<'update'>): this {
    const [data] = args;

    if (this.writesTenants() && this.guard.rules.hasIdentity(data)) {
      throw new TenantWriteRefusedError(
        `em.qb(${this.mainAlias.meta.className}) with ${QueryType.UPDATE}`,
        'em.flush() on the loaded tenant',
      );
    }

    this.refuseForeign(data);

    return super.update(...args);
  }

  override insert(...args: Args<'insert'>): this {
    this.refuseForeign(args[0]);

    return super.insert(...args);
  }

  override merge(...args: Args<'merge'>): this {
    this.refuseForeign(args[0]);

    return super.merge(...args);
  }

  override where(...args: Args<'where'>): this {
    this.refuseForeign(args[0], args[1]);

    return super.where(...args);
  }

  override having(...args: Args<'having'>): this {
    this.refuseForeign(args[0], args[1]);

    return super.having(...args);
  }

  override joinReference(...args: Args<'joinReference'>): object {
    this.refuseForeign(args[2]);

    return super.joinReference(...args);
  }

  override createQueryBuilderHelper(...args: Args<'createQueryBuilderHelper'>): GuardedQueryHelper {
    return guardHelper(super.createQueryBuilderHelper(...args), this);
  }

  override getNativeQuery(...args: Args<'getNativeQuery'>): unknown {
    this.refuseTenantWrites();
    this.refuseTruncation();
    refuseForeignCollectionsOfQuery(this, asked => tenantAmong([asked], this.guard));

    return super.getNativeQuery(...args);
  }

  // what is run later, or in another scope, is run as if in the scope the query was made in
  override async execute(...args: Args<'execute'>): Promise<unknown> {
    try {
      return await withScope(this.guard.scope, () => forTenant(this.guard.rules, this.tenantOfSql(), () => this.send(args)));
    } catch (error) {
      throw explainSharedWrite(error, this.mainAlias.meta, this.guard.rules);
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
      forTenant(this.guard.rules, this.tenantOfSql(), () => readThere(readInScope(super.stream(...args), this.guard.scope))),
    );
  }

  // whose raw SQL in the query is: a name without a schema in it is that tenant's
  private tenantOfSql(): string | undefined {
    const { meta } = this.mainAlias;

    return isTenantEntity(meta) ? tenantAmong([this.state.schema, this.em?.schema], this.guard) : this.em?.schema;
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
interface OpenQueryBuilder extends OverriddenMethods {
  context: Transaction | undefined;
  readonly em: { readonly schema: string | undefined } | undefined;
  readonly helper: object;
  readonly mainAlias: { readonly meta: EntityMetadata };
  readonly state: {
    readonly joins: Readonly<Record<string, Join>>;
    readonly populate: readonly PopulateHint[];
    readonly schema?: string;
  };
  readonly type: QueryType;
}

/** Typed like `OpenEntityManager` in `lib/orm/open-entity-manager.ts`. */
interface OverriddenMethods {
  clone(...args: Parameters<Mikro['clone']>): object;
  execute(...args: Parameters<Mikro['execute']>): Promise<unknown>;
  getCount(...args: Parameters<Mikro['getCount']>): Promise<unknown>;
  getNativeQuery(...args: Parameters<Mikro['getNativeQuery']>): unknown;
  getResultList(...args: Parameters<Mikro['getResultList']>): Promise<unknown>;
  getSingleResult(...args: Parameters<Mikro['getSingleResult']>): Promise<unknown>;
  having(...args: Parameters<Mikro['having']>): this;
  insert(...args: Parameters<Mikro['insert']>): this;
  merge(...args: Parameters<Mikro['merge']>): this;
  // MikroORM declares an iterator; it is a generator
  stream(...args: Parameters<Mikro['stream']>): AsyncGenerator<unknown>;
  update(...args: Parameters<Mikro['update']>): this;
  where(...args: Parameters<Mikro['where']>): this;
  // private: MikroORM declares no parameters for them
  createQueryBuilderHelper(...args: unknown[]): object;
  getSchema(alias: { readonly meta: EntityMetadata }, ...rest: unknown[]): string | undefined;
  joinReference(field: unknown, alias: string, condition: unknown, ...rest: unknown[]): object;
}

type Args<Name extends keyof OverriddenMethods> = Parameters<OverriddenMethods[Name]>;

type Mikro = QueryBuilder<object>;

type OpenQueryBuilderClass = new (...args: ConstructorParameters<typeof QueryBuilder>) => OpenQueryBuilder;
