import { EntityManager as MikroEntityManager, QueryHelper, Utils, type Dictionary, type EntityName, type FilterDef } from '@mikro-orm/core';
import { entitiesIn, guardCondition, refuseForeignIn, takesParams } from '../entities/filter-conditions.js';
import type { Others } from '../tenant/other-arguments.js';
import type { Args, OpenEntityManager, OpenEntityManagerClass, Result } from './open-entity-manager.js';

/**
 * The methods of an EntityManager that use filters. An entity in a filter is checked when it is passed, and again when the filter is used: a fork
 * inherits filters and parameters, and the fork of a nested scope belongs to another tenant.
 *
 * Relies on MikroORM 7 choosing the active filters by `QueryHelper.getActiveFilters`.
 */
export function guardFilters(EntityManagerOfMikro: OpenEntityManagerClass): OpenEntityManagerClass {
  return class GuardedFilters extends EntityManagerOfMikro {
    // declared without a value, because the base constructor runs before fields exist
    declare given: GivenToFilters | undefined;

    override addFilter(...[options, ...rest]: Args<'addFilter'>) {
      const filter = { ...options } as FilterDef;
      const em: Given = this.getContext(false);
      refuseForeignIn(filter.cond, em, undefined);
      guardCondition(filter);
      super.addFilter(filter as typeof options, ...rest);
      // as MikroORM stores it
      const entity = filter.entity === undefined ? {} : { entity: Utils.asArray(filter.entity).map(each => Utils.classOrName(each)) };
      const added = { default: true, ...filter, ...entity } as FilterDef;
      em.given = { added: { ...em.given?.added, [filter.name]: added }, params: em.given?.params ?? {} };
    }

    override setFilterParams(...[name, args, ...rest]: Args<'setFilterParams'>) {
      const em: Given = this.getContext(false);
      refuseForeignIn(args, em, undefined);
      const entities = entitiesIn(args);
      super.setFilterParams(name, entities.length === 0 ? args : sharedWithForks(args), ...rest);
      em.given = { added: em.given?.added ?? {}, params: { ...em.given?.params, [name]: entities } };
    }

    override fork(options?: Args<'fork'>[0], ...rest: Others<Args<'fork'>, 1>) {
      const em: Given = options?.disableContextResolution === true ? this : this.getContext(false);
      const fork = super.fork(options, ...rest);

      if (em.given !== undefined) {
        (fork as Given).given = em.given;
      }

      return fork;
    }

    override applyFilters(
      entityName: Args<'applyFilters'>[0],
      where: Args<'applyFilters'>[1],
      options: Args<'applyFilters'>[2],
      type: Args<'applyFilters'>[3],
      findOptions?: Args<'applyFilters'>[4],
      ...rest: Others<Args<'applyFilters'>, 5>
    ): Result<'applyFilters'> {
      const em = this.getContext(false);

      // MikroORM asks the EntityManager that was called for the filters of joined relations, and the one of the context for all others
      if (em !== this) {
        return em.applyFilters(entityName, where, options, type, findOptions, ...rest);
      }

      try {
        if (this.given !== undefined) {
          refuseForeignInActive(this, this.given, entityName, options);
        }
      } catch (error) {
        return Promise.reject(error);
      }

      return super.applyFilters(entityName, where, options, type, findOptions, ...rest);
    }
  };
}

/** Whether the guarded class adds to a condition what MikroORM's adds. */
export function addsFiltersAsMikro(Guarded: OpenEntityManagerClass): boolean {
  const { applyFilters } = Object.getPrototypeOf(Guarded.prototype) as { readonly applyFilters?: unknown };

  return applyFilters === MikroEntityManager.prototype.applyFilters;
}

/** Whether there is a filter that may add a condition to a read or a write of the entity. */
export function mayHaveFilters(em: OpenEntityManager, entityName: EntityName): boolean {
  const { given } = em.getContext(false) as { readonly given?: GivenToFilters | undefined };

  return given !== undefined || hasKeys(em.config.get('filters')) || hasKeys(em.getMetadata().find(entityName)?.filters);
}

function hasKeys(filters: object | undefined): boolean {
  for (const name in filters) {
    return name !== undefined;
  }

  return false;
}

// not a private method, which would make every EntityManager slower to make
function refuseForeignInActive(
  em: OpenEntityManager,
  { added, params }: GivenToFilters,
  entityName: EntityName,
  options: Args<'applyFilters'>[2],
): void {
  const meta = em.getMetadata().get(entityName);

  for (const filters of [em.config.get('filters'), added, meta.filters] as Dictionary<FilterDef>[]) {
    for (const filter of QueryHelper.getActiveFilters(meta, options, filters)) {
      if (takesParams(filter) && !Utils.isPlainObject(paramsIn(options, filter.name))) {
        refuseForeignIn(params[filter.name], em, meta.className);
      }
    }
  }
}

function paramsIn(options: Args<'applyFilters'>[2], name: string): unknown {
  return (options as Readonly<Record<string, unknown>> | undefined)?.[name];
}

/**
 * Returns parameters that forks do not copy. MikroORM 7 copies the parameters of a fork deeply. The copy of an entity has lost its schema, and its
 * collections cannot be read. MikroORM uses the method `clone` of an object that has one.
 */
function sharedWithForks(args: Dictionary): Dictionary {
  return Object.defineProperty({ ...args }, 'clone', { value: () => sharedWithForks(args) });
}

type Given = Pick<OpenEntityManager, 'config' | 'schema'> & { given?: GivenToFilters | undefined };

/** The filters that were added, and the entities in the parameters of filters. */
interface GivenToFilters {
  readonly added: Readonly<Record<string, FilterDef>>;
  readonly params: Readonly<Record<string, readonly object[]>>;
}
