import { refuses, see, type Probe } from '../probe.js';
import { OTHER, OWN, type ProbeEm, type ProbeWorld } from '../probe-world.js';

/** Runs `ask` in the own tenant's scope, within a scope of the other tenant whose EntityManager `prepare` gives filters. */
function inherited(world: ProbeWorld, prepare: (em: ProbeEm) => void, ask: (em: ProbeEm) => unknown): unknown {
  return world.as(OTHER, em => {
    prepare(em);

    return world.as(OWN, ask);
  });
}

/** Adds a filter of authors. */
function addFilter(em: ProbeEm, { entities: { Author } }: ProbeWorld, cond: unknown, options: object = {}): void {
  em.addFilter({ name: 'probe', cond, entity: Author, ...options });
}

/** What shows at once, on every start: how parameters are copied is in a function that is not among the known code. */
export const FILTER_PROBES: readonly Probe[] = [
  {
    shows: ['EntityManager.setFilterParams'],
    run: ({ ownEm, foreign }) => refuses('CROSS_TENANT', () => ownEm.fork().setFilterParams('probe', { author: foreign })),
  },
  {
    shows: ['FilterParameters.clone'],
    run: world => {
      const em = world.ownEm.fork();
      const own = em.getReference(world.entities.Author, 11);
      em.setFilterParams('probe', { author: own });
      see(em.fork().getFilterParams('probe')?.author === own, 'a fork has a copy of the entity in the parameters of a filter');
    },
  },
];

/** What shows at once, on code that is not known. */
export const OTHER_FILTER_PROBES: readonly Probe[] = [
  {
    shows: ['EntityManager.addFilter'],
    run: world => refuses('CROSS_TENANT', () => addFilter(world.ownEm.fork(), world, { mentor: world.foreign })),
  },
];

/** What is awaited, on every start. */
export const RECORDED_FILTER_PROBES: readonly Probe[] = [
  {
    shows: ['EntityManager.applyFilters', 'EntityManager.setFilterParams', 'EntityManager.fork', 'QueryHelper.getActiveFilters'],
    run: world => {
      const { Author } = world.entities;
      const prepare = (em: ProbeEm): void => {
        // which leaves the parameter out of its condition, so that nothing else refuses it
        addFilter(em, world, (params: object) => ({ name: typeof params }));
        em.setFilterParams('probe', { author: world.foreign });
      };

      return inherited(world, prepare, em => refuses('CROSS_TENANT', () => em.fork().find(Author, {})));
    },
  },
];

/** What is awaited too, and shows on code that is not known. */
export const RECORDED_OTHER_FILTER_PROBES: readonly Probe[] = [
  {
    shows: ['EntityManager.applyFilters', 'EntityManager.addFilter', 'QueryHelper.getActiveFilters'],
    run: world => {
      const { Author } = world.entities;
      const prepare = (em: ProbeEm): void => {
        addFilter(em, world, (params: object) => ({ name: typeof params }), { default: false });
        em.setFilterParams('probe', { author: world.foreign });
      };

      return inherited(world, prepare, em => refuses('CROSS_TENANT', () => em.count(Author, {}, { filters: ['probe'] })));
    },
  },
  {
    shows: ['Filter.cond', 'EntityManager.addFilter'],
    run: world => {
      const { Author } = world.entities;
      const prepare = (em: ProbeEm): void => addFilter(em, world, { mentor: world.foreign });

      return inherited(world, prepare, em => refuses('CROSS_TENANT', () => em.count(Author, {})));
    },
  },
  {
    shows: ['Filter.cond', 'EntityManager.addFilter'],
    run: async world => {
      const { Author } = world.entities;
      const em = world.ownEm.fork();
      addFilter(em, world, () => ({ mentor: world.foreign }));
      await refuses('CROSS_TENANT', () => em.find(Author, {}));
      await refuses('CROSS_TENANT', () => em.nativeDelete(Author, {}));
    },
  },
  {
    shows: ['FilterFunction.length'],
    run: async world => {
      const em = world.ownEm.fork();
      addFilter(em, world, (params: object) => ({ name: typeof params }));
      const failure: unknown = await em.find(world.entities.Author, {}).catch((error: unknown) => error);
      world.take();
      see(failure instanceof Error, 'a filter that takes parameters was run without them');
    },
  },
];
