import { QueryHelper, Utils, type FilterDef } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import { entitiesAmong, guardFilter, refuseForeignIn } from '../entities/guarded-filters.js';

type EntityManagerClass = new (...args: any[]) => SqlEntityManager;

/**
 * The part of the EntityManager with tenants that holds filters to its tenant. What a filter is given is looked at when it is given, and again
 * when it is used: a fork takes it over, and a scope's fork is another tenant's than the EntityManager that it is made from.
 */
export function extendFilters<Base extends EntityManagerClass>(EntityManagerOfMikro: Base): Base {
  class FilteringEntityManager extends EntityManagerOfMikro {
    // no initial value: the base constructor makes forks of its own kind
    declare givenFilters: GivenFilters | undefined;

    override addFilter(options: any): void {
      const filter = { ...options } as FilterDef;
      refuseForeignIn(filter.cond, this.getContext(false), undefined);
      guardFilter(filter);
      super.addFilter(filter as never);
      // as MikroORM keeps it
      const entity = filter.entity === undefined ? {} : { entity: Utils.asArray(filter.entity).map(each => Utils.classOrName(each)) };
      const added = { default: true, ...filter, ...entity, given: entitiesAmong(filter.cond) } as AddedFilter;
      this.#give({ added: { [filter.name]: added } });
    }

    override setFilterParams(name: string, args: any): void {
      refuseForeignIn(args, this.getContext(false), undefined);
      const entities = entitiesAmong(args);
      super.setFilterParams(name, entities.length === 0 ? args : asItIs(args));
      this.#give({ params: { [name]: entities } });
    }

    override fork(options: any = {}): this {
      const em = options.disableContextResolution === true ? this : this.getContext(false);
      const fork = super.fork(options);
      fork.givenFilters = em.givenFilters;

      return fork;
    }

    override async applyFilters(entityName: any, where: any, options: any, ...rest: any[]): Promise<any> {
      if (this.givenFilters !== undefined) {
        this.#refuseForeign(this.givenFilters, entityName, options);
      }

      return (super.applyFilters as any)(entityName, where, options, ...rest);
    }

    #give({ added, params }: Partial<GivenFilters>): void {
      const em = this.getContext(false);
      em.givenFilters = { added: { ...em.givenFilters?.added, ...added }, params: { ...em.givenFilters?.params, ...params } };
    }

    // as MikroORM chooses those that are active
    #refuseForeign({ added, params }: GivenFilters, entityName: any, options: any): void {
      const meta = this.metadata.get(entityName);

      for (const filters of [this.config.get('filters'), added, meta.filters]) {
        for (const filter of QueryHelper.getActiveFilters(meta, options, filters as never)) {
          const { name, cond, given } = filter as Partial<AddedFilter> & FilterDef;
          const takesParams = typeof cond === 'function' && !Utils.isPlainObject<Record<string, unknown>>(options?.[name]);
          [given, takesParams ? params[name] : undefined].forEach(each => refuseForeignIn(each, this, meta.className));
        }
      }
    }
  }

  return FilteringEntityManager;
}

/**
 * Parameters of which a fork gets the entities themselves. MikroORM 7 makes deep copies for a fork, and the copy of an entity does not say whose
 * it is, nor can its collections be read; it asks what has a method `clone` to make its own.
 */
function asItIs(args: object): object {
  return Object.defineProperty({ ...args }, 'clone', { value: () => asItIs(args) });
}

type AddedFilter = FilterDef & { readonly given: readonly object[] };

/** The filters that were added and the parameters that were set, with the entities that each was given. */
interface GivenFilters {
  readonly added: Readonly<Record<string, AddedFilter>>;
  readonly params: Readonly<Record<string, readonly object[]>>;
}
