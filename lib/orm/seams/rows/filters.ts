import { seamsOf } from '../seam.js';

const FILTERS = ['orm/guarded-filters.ts'];

const CONDITIONS = ['entities/filter-conditions.ts'];

/** How MikroORM chooses the filters of a query. */
export const QUERY_FILTER_SEAMS = seamsOf('QueryHelper', '@mikro-orm/core', {
  getActiveFilters: {
    use: 'call',
    arity: 3,
    by: 'EntityManager.applyFilters',
    protects: "another tenant's entity in a filter is refused when the filter is used",
    usedIn: FILTERS,
  },
});

/** A filter, as MikroORM stores and calls it. */
export const FILTER_SEAMS = seamsOf('Filter', '@mikro-orm/core', {
  cond: {
    use: 'write',
    reads: [2],
    by: 'EntityManager.applyFilters, with the EntityManager of the query as the third argument',
    protects: "another tenant's entity in the condition that a filter's function returns is refused",
    usedIn: [...CONDITIONS, ...FILTERS],
  },
});

/** The function of a filter. The library wraps it. */
export const FILTER_FUNCTION_SEAMS = seamsOf('FilterFunction', '@mikro-orm/core', {
  length: {
    use: 'give',
    by: 'EntityManager.applyFilters',
    protects: 'a filter that takes parameters is refused without them',
    usedIn: CONDITIONS,
  },
});

/** The parameters of a filter. */
export const FILTER_PARAMETER_SEAMS = seamsOf('FilterParameters', '@mikro-orm/core', {
  clone: {
    use: 'give',
    by: 'Utils.copy, which a fork copies the parameters with',
    protects: 'an entity in the parameters of a filter keeps its tenant in a fork',
    usedIn: FILTERS,
  },
});
