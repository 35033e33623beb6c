import { seamsOf } from '../seam.js';

const FLUSH_GUARD = ['entities/flush-guard.ts'];

const FLUSH_CHECK = ['entities/flush-check.ts'];

const PLANNED = ['entities/planned-changes.ts'];

const LOADING = ['entities/lazy-loading.ts'];

const OF_ENTITIES = ['entities/relations.ts', 'entities/new-items.ts', 'entities/tenant-hydrator.ts'];

const ENTERING = ['entities/tenant-unit-of-work.ts'];

const FACTORY = ['entities/tenant-entity-factory.ts'];

const ONE_KEY = 'a new entity is in the identity map under its tenant, and comes back from nowhere when it was removed';

const ONE_TENANT = 'a flush writes one tenant, and no relation to another';

export const UNIT_OF_WORK_SEAMS = seamsOf('UnitOfWork', '@mikro-orm/core', {
  getChangeSetGroups: {
    use: 'replace',
    arity: 0,
    by: 'a flush, after every `onFlush` and before its transaction',
    protects: 'what a subscriber has changed in `onFlush` is looked at before anything is written',
    usedIn: FLUSH_GUARD,
  },
  commitCollectionUpdates: {
    use: 'replace',
    arity: 1,
    by: 'a flush, before collections are stored',
    protects: "another tenant's entity in a collection is not stored",
    usedIn: FLUSH_GUARD,
  },
  getChangeSetPersister: {
    use: 'call',
    arity: 0,
    protects: 'what a hook has changed is looked at before it is written',
    usedIn: FLUSH_GUARD,
  },
  getChangeSets: { use: 'call', arity: 0, protects: ONE_TENANT, usedIn: [...FLUSH_CHECK, ...PLANNED, 'provisioning/tenant-changes.ts'] },
  getCollectionUpdates: { use: 'call', arity: 0, protects: ONE_TENANT, usedIn: FLUSH_CHECK },
  getExtraUpdates: { use: 'call', arity: 0, protects: ONE_TENANT, usedIn: [...FLUSH_CHECK, ...PLANNED, 'provisioning/tenant-changes.ts'] },
  getPersistStack: { use: 'call', arity: 0, protects: ONE_TENANT, usedIn: [...FLUSH_CHECK, 'entities/new-items.ts', ...ENTERING] },
  getRemoveStack: { use: 'call', arity: 0, protects: 'a refusal of a flush names the way to the entity', usedIn: FLUSH_CHECK },
  dispatchOnLoadEvent: {
    use: 'call',
    arity: 0,
    protects: 'an entity of a cached result is loaded like any other',
    usedIn: ['orm/guarded-cache.ts'],
  },
  getIdentityMap: {
    use: 'call',
    arity: 0,
    protects: 'new rows in the collection of a shared entity are of the own tenant',
    usedIn: ['entities/new-items.ts', ...ENTERING],
  },
});

/** What decides whether a flush begins a transaction. */
export const FLUSH_SEAMS = seamsOf('Flush', '@mikro-orm/core', {
  isTransactionDisabled: {
    use: 'call',
    by: 'UnitOfWork.commit, from MikroORM 7.2.5 on; before, a flush began a transaction whatever a fork was told',
    protects: 'a tenant is renamed together with its schema',
    usedIn: ['orm/mikro-context.ts'],
  },
});

export const PERSISTER_SEAMS = seamsOf('ChangeSetPersister', '@mikro-orm/core', {
  runForEachSchema: {
    use: 'replace',
    arity: 3,
    reads: [0],
    by: 'every insert, update and delete of a flush, after its hooks',
    protects: 'what a hook has changed is looked at before it is written',
    usedIn: FLUSH_GUARD,
  },
});

/** What MikroORM keeps with each entity. */
export const ENTITY_SEAMS = seamsOf('WrappedEntity', '@mikro-orm/core', {
  __schema: {
    use: 'read',
    onObject: true,
    by: 'identity maps, change sets and relations',
    protects: 'the library knows which tenant an entity is of',
    usedIn: [
      ...FLUSH_CHECK,
      ...LOADING,
      ...OF_ENTITIES,
      ...ENTERING,
      ...FACTORY,
      'entities/foreign-entities.ts',
      'entities/property-functions.ts',
      'entities/removed-entities.ts',
      'orm/tenant-driver.ts',
      'orm/guarded-reads.ts',
      'orm/guarded-writes.ts',
      'scope/carried-tenants.ts',
      'testing/assertions.ts',
    ],
  },
  __meta: {
    use: 'read',
    protects: 'the library knows what an entity is',
    usedIn: [
      ...FLUSH_CHECK,
      ...LOADING,
      ...OF_ENTITIES,
      ...ENTERING,
      ...FACTORY,
      'entities/foreign-entities.ts',
      'entities/removed-entities.ts',
      'orm/guarded-reads.ts',
      'orm/guarded-writes.ts',
      'scope/carried-tenants.ts',
      'directory/held-tenant.ts',
      'testing/assertions.ts',
    ],
  },
  __em: {
    use: 'read',
    onObject: true,
    protects: 'the library knows whose entity it is',
    usedIn: [...FLUSH_CHECK, 'entities/tenant-hydrator.ts', 'entities/relations.ts', 'scope/same-database.ts', ...LOADING, ...ENTERING],
  },
  __initialized: {
    use: 'read',
    onObject: true,
    protects: 'what is loaded of an entity is not asked for again',
    usedIn: [...LOADING, ...ENTERING],
  },
});

export const COLLECTION_SEAMS = seamsOf('Collection', '@mikro-orm/core', {
  getEntityManager: {
    use: 'replace',
    arity: [0, 1],
    by: 'init, loadCount and matching',
    protects: "a collection of another tenant's entity asks the database for nothing",
    usedIn: LOADING,
  },
  matching: {
    use: 'replace',
    arity: 1,
    protects: "a caller's options never name the tenant that used them first",
    usedIn: LOADING,
  },
});

export const LOADER_SEAMS = seamsOf('EntityLoader', '@mikro-orm/core', {
  populate: {
    use: 'replace',
    arity: 4,
    protects: 'collections are loaded from the tenant of their owners',
    usedIn: LOADING,
  },
  findChildrenFromPivotTable: {
    use: 'replace',
    arity: 6,
    reads: [0, 2],
    by: "the dataloader's batches of m:n collections",
    protects: 'collections are loaded from the tenant of their owners',
    usedIn: LOADING,
  },
});

/** A dataloader, as MikroORM calls it. */
export const DATALOADER_SEAMS = seamsOf('DataLoader', '@mikro-orm/core', {
  load: {
    use: 'replace',
    reads: [0],
    by: 'Reference.load, Collection.load and Collection.loadCount, with an entity or collection and the options',
    protects: 'a dataloader asks for what belongs to an entity in the tenant of the entity',
    usedIn: LOADING,
  },
});

export const HYDRATOR_SEAMS = seamsOf('Hydrator', '@mikro-orm/core', {
  hydrate: {
    use: 'override',
    arity: [3, 9],
    reads: [0, 7],
    by: 'whatever fills an entity: queries, refresh and upsert',
    protects: "what a tenant's entity refers to is of its own tenant",
    usedIn: ['entities/tenant-hydrator.ts'],
  },
});

export const COMPARATOR_SEAMS = seamsOf('EntityComparator', '@mikro-orm/core', {
  prepareEntity: { use: 'call', arity: 1, protects: 'the tenant of a request is as its row was', usedIn: ['directory/held-tenant.ts'] },
});

/** What an entity enters the unit of work by, and is found by. */
export const ENTERING_SEAMS = seamsOf('UnitOfWork', '@mikro-orm/core', {
  persist: { use: 'override', arity: 2, reads: [0], by: 'em.persist, em.create and cascades', protects: ONE_KEY, usedIn: ENTERING },
  merge: { use: 'override', arity: 2, reads: [0], by: 'em.merge and cascades', protects: ONE_KEY, usedIn: ENTERING },
  register: { use: 'override', arity: 3, reads: [0], by: 'em.upsert, forks and flushes', protects: ONE_KEY, usedIn: ENTERING },
  computeChangeSet: {
    use: 'override',
    arity: 2,
    reads: [0],
    by: 'every deletion of a flush',
    protects: 'an entity that no EntityManager had is removed from the own tenant',
    usedIn: ENTERING,
  },
  getById: { use: 'override', arity: 4, reads: [0, 2], by: 'findOne, merge, upsert and references', protects: ONE_KEY, usedIn: ENTERING },
  getByKey: { use: 'override', arity: 5, reads: [0, 3], by: 'references by another key', protects: ONE_KEY, usedIn: ENTERING },
  cascade: {
    use: 'override',
    arity: 2,
    reads: [0, 1],
    by: 'flushes and em.merge',
    protects: 'what is changed on the tenant of a scope is not stored with what refers to it',
    usedIn: ENTERING,
  },
  fixMissingReference: {
    use: 'override',
    arity: 2,
    reads: [0, 1],
    by: 'cascades',
    protects: "another tenant's reference is never taken for a reference to the own row that has its key",
    usedIn: ENTERING,
  },
  unsetIdentity: {
    use: 'override',
    arity: 1,
    protects: "what another tenant's scope removes in the same transaction removes nothing here, and fails nothing there",
    usedIn: ENTERING,
  },
});

export const FACTORY_SEAMS = seamsOf('EntityFactory', '@mikro-orm/core', {
  create: {
    use: 'override',
    arity: 2,
    reads: [2],
    by: 'queries, em.create and em.merge',
    protects: 'a reference that a class has from the beginning is of the tenant that its entity is made for',
    usedIn: FACTORY,
  },
  createReference: {
    use: 'override',
    arity: 2,
    reads: [2],
    by: 'ref(), rel(), Reference.createFromPK() and the hydrator',
    protects: 'a reference that names no tenant is of the own one',
    usedIn: FACTORY,
  },
  mergeData: {
    use: 'override',
    arity: 3,
    reads: [1, 3],
    by: 'em.upsert() of an entity that is managed',
    protects: 'what an entity refers to is of its own tenant',
    usedIn: FACTORY,
  },
});
