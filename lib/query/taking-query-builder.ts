import { mayHoldEntities, refuseForeignEntities } from '../entities/foreign-entities.js';
import { CARRIED, carriedBy, holdsCarried, mayCarry, refuseTenants } from '../scope/carried-tenants.js';
import type { GuardContext } from '../scope/guard-context.js';
import type { Others } from '../tenant/other-arguments.js';
import { tenantSchemaFrom } from './guarded-query-helper.js';
import { ownCopy } from '../entities/own-copies.js';
import type { Args, OpenQueryBuilderClass } from './open-query-builder.js';

/**
 * A query builder that looks at what it is made of: queries and fragments that were built for a tenant, and entities. Other methods that take
 * queries are defined by `takeQueries()`. What every read calls is written out here, as V8 makes no fast one of a function that stands for many.
 */
export function takingQueries(Builder: OpenQueryBuilderClass): TakingClass {
  return class TakingQueryBuilder extends Builder {
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

    override select(fields: Args<'select'>[0], distinct?: Args<'select'>[1], ...rest: Others<Args<'select'>, 2>): this {
      if (holdsCarried(fields) || holdsCarried(distinct) || rest.length > 0) {
        this.take([fields, distinct, ...rest]);
      }

      return super.select(fields, distinct, ...rest);
    }

    override count(field?: Args<'count'>[0], distinct?: Args<'count'>[1], ...rest: Others<Args<'count'>, 2>): this {
      if (holdsCarried(field) || holdsCarried(distinct) || rest.length > 0) {
        this.take([field, distinct, ...rest]);
      }

      return super.count(field, distinct, ...rest);
    }

    override from(target: Args<'from'>[0], aliasName?: Args<'from'>[1], ...rest: Others<Args<'from'>, 2>): this {
      if (holdsCarried(target) || holdsCarried(aliasName) || rest.length > 0) {
        this.take([target, aliasName, ...rest]);
      }

      return super.from(target, aliasName, ...rest);
    }

    override populate(
      populate: Args<'populate'>[0],
      populateWhere?: Args<'populate'>[1],
      populateFilter?: Args<'populate'>[2],
      ...rest: Others<Args<'populate'>, 3>
    ): this {
      if (holdsCarried(populate) || holdsCarried(populateWhere) || holdsCarried(populateFilter) || rest.length > 0) {
        this.take([populate, populateWhere, populateFilter, ...rest]);
      }

      return super.populate(populate, populateWhere, populateFilter, ...rest);
    }

    override insert(...args: Args<'insert'>): this {
      if (!mayHoldEntities(args)) {
        return super.insert(...args);
      }

      const [data, ...rest] = args;
      this.refuseForeignEntities([data], args);

      return super.insert(ownCopy(data), ...rest);
    }

    override merge(...args: Args<'merge'>): this {
      if (!mayHoldEntities(args)) {
        return super.merge(...args);
      }

      const [data, ...rest] = args;
      this.refuseForeignEntities([data], args);

      return super.merge(ownCopy(data), ...rest);
    }

    override where(
      cond: Args<'where'>[0],
      params?: Args<'where'>[1],
      operator?: Args<'where'>[2],
      ...rest: Others<Args<'where'>, 3>
    ): this {
      // most hold nothing but values
      if (mayHoldEntities(cond) || mayHoldEntities(params) || mayCarry(operator) || rest.length > 0) {
        this.refuseForeignEntities([cond, params], [cond, params, operator, ...rest]);

        return super.where(ownCopy(cond), ownCopy(params), operator, ...rest);
      }

      return super.where(cond, params, operator, ...rest);
    }

    override having(
      cond?: Args<'having'>[0],
      params?: Args<'having'>[1],
      operator?: Args<'having'>[2],
      ...rest: Others<Args<'having'>, 3>
    ): this {
      if (mayHoldEntities(cond) || mayHoldEntities(params) || mayCarry(operator) || rest.length > 0) {
        this.refuseForeignEntities([cond, params], [cond, params, operator, ...rest]);

        return super.having(ownCopy(cond), ownCopy(params), operator, ...rest);
      }

      return super.having(cond, params, operator, ...rest);
    }

    override groupBy(fields: Args<'groupBy'>[0], ...rest: Others<Args<'groupBy'>, 1>): this {
      if (holdsCarried(fields) || rest.length > 0) {
        this.take([fields, ...rest]);
      }

      return super.groupBy(fields, ...rest);
    }

    override orderBy(orderBy: Args<'orderBy'>[0], ...rest: Others<Args<'orderBy'>, 1>): this {
      if (holdsCarried(orderBy) || rest.length > 0) {
        this.take([orderBy, ...rest]);
      }

      return super.orderBy(orderBy, ...rest);
    }

    override joinReference(...args: Args<'joinReference'>): object {
      const [field, alias, condition, ...rest] = args;
      this.refuseForeignEntities([condition], args);

      return super.joinReference(field, alias, ownCopy(condition), ...rest);
    }

    ownTenant(): string | undefined {
      const { scope } = this.guard;

      return scope?.kind === 'tenant'
        ? scope.schemaName
        : tenantSchemaFrom([this.state.schema, this.clonedFrom, this.em?.schema], this.guard);
    }

    // asked again when the query is written out: which tenant it is of may have been said after what it is made of
    refuseTaken(): void {
      if (this.taken !== undefined) {
        refuseTenants(this.taken, this.ownTenant());
      }
    }

    // `given` is what may hold entities of all the arguments
    refuseForeignEntities(given: readonly unknown[], args: readonly unknown[]): void {
      // what holds no entity holds no query either
      if (!mayHoldEntities(args)) {
        return;
      }

      this.take(args);

      if (given.some(mayHoldEntities)) {
        refuseForeignEntities(given, this.ownTenant(), { ...this.guard, entity: this.mainAlias.meta.className });
      }
    }
  };
}

type TakingClass = new (...args: ConstructorParameters<OpenQueryBuilderClass>) => TakingQuery;

/** What such a query builder has besides MikroORM's. */
export interface TakingQuery extends InstanceType<OpenQueryBuilderClass> {
  guard: GuardContext;
  taken: readonly string[] | undefined;
  clonedFrom: string | undefined;
  readonly [CARRIED]: readonly string[];
  take(given: readonly unknown[]): void;
  ownTenant(): string | undefined;
  refuseTaken(): void;
  refuseForeignEntities(given: readonly unknown[], args: readonly unknown[]): void;
}
