import { seamsOf } from '../seam.js';

const FLUSH_GUARD = ['entities/flush-guard.ts'];

const FLUSH_CHECK = ['entities/flush-check.ts'];

const LOADING = ['entities/lazy-loading.ts'];

const OF_ENTITIES = ['entities/relations.ts', 'entities/new-items.ts', 'entities/tenant-hydrator.ts'];

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
  getChangeSets: { use: 'call', arity: 0, protects: ONE_TENANT, usedIn: [...FLUSH_CHECK, 'provisioning/tenant-changes.ts'] },
  getCollectionUpdates: { use: 'call', arity: 0, protects: ONE_TENANT, usedIn: FLUSH_CHECK },
  getExtraUpdates: { use: 'call', arity: 0, protects: ONE_TENANT, usedIn: [...FLUSH_CHECK, 'provisioning/tenant-changes.ts'] },
  getPersistStack: { use: 'call', arity: 0, protects: ONE_TENANT, usedIn: [...FLUSH_CHECK, 'entities/new-items.ts'] },
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
    usedIn: ['entities/new-items.ts'],
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
    usedIn: [...FLUSH_CHECK, ...LOADING, ...OF_ENTITIES, 'orm/tenant-driver.ts', 'orm/guarded-reads.ts', 'orm/guarded-writes.ts'],
  },
  __meta: {
    use: 'read',
    protects: 'the library knows what an entity is',
    usedIn: [
      ...FLUSH_CHECK,
      ...LOADING,
      ...OF_ENTITIES,
      'entities/foreign-entities.ts',
      'orm/guarded-reads.ts',
      'orm/guarded-writes.ts',
      'directory/held-tenant.ts',
    ],
  },
  __em: {
    use: 'read',
    onObject: true,
    protects: 'the library knows whose entity it is',
    usedIn: [...FLUSH_CHECK, 'entities/tenant-hydrator.ts', 'entities/relations.ts', ...LOADING],
  },
  __initialized: { use: 'read', onObject: true, protects: 'what is loaded of an entity is not asked for again', usedIn: LOADING },
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
