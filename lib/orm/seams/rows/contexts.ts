import { seamsOf } from '../seam.js';

const CONTEXT = ['orm/mikro-context.ts'];

export const REQUEST_CONTEXT_SEAMS = seamsOf('RequestContext', '@mikro-orm/core', {
  storage: {
    use: 'read',
    by: 'EntityManager.getContext',
    protects: 'in a scope the global EntityManager is the one of the scope',
    usedIn: CONTEXT,
  },
  currentRequestContext: {
    use: 'call',
    arity: 0,
    by: 'getEntityManager',
    protects: "another ORM's EntityManagers stay in a scope what they were",
    usedIn: ['orm/other-orms.ts'],
  },
  getEntityManager: {
    use: 'call',
    arity: 0,
    by: 'EntityManager.getContext',
    protects: 'a context of the user does not answer in a scope',
    usedIn: CONTEXT,
  },
});

export const TRANSACTION_CONTEXT_SEAMS = seamsOf('TransactionContext', '@mikro-orm/core', {
  storage: {
    use: 'read',
    by: 'EntityManager.getContext, before the request context',
    protects: 'the transaction of an outer scope does not answer in an inner one',
    usedIn: CONTEXT,
  },
  create: { use: 'call', arity: 2, protects: 'a scope that is entered in a transaction is in it', usedIn: CONTEXT },
  getEntityManager: {
    use: 'call',
    arity: 0,
    by: 'EntityManager.getContext',
    protects: "another ORM's transaction stays what it was",
    usedIn: [...CONTEXT, 'orm/other-orms.ts'],
  },
});

export const CONFIGURATION_SEAMS = seamsOf('Configuration', '@mikro-orm/core', {
  getExtension: {
    use: 'replace',
    arity: 1,
    reads: [0],
    by: '`orm.schema`, `orm.migrator` and the migrator',
    protects: 'the public set and its history stay in the public schema, in whatever scope they are run',
    usedIn: ['orm/public-extensions.ts'],
  },
  registerExtension: { use: 'call', arity: 2, protects: 'the schema generator is the one for shared tables', usedIn: ['with-tenants.ts'] },
  getPlatform: { use: 'call', arity: 0, protects: 'entities that are discovered late are prepared', usedIn: ['with-tenants.ts'] },
});

export const MIKRO_ORM_SEAMS = seamsOf('MikroORM', '@mikro-orm/core', {
  discoverEntity: {
    use: 'replace',
    arity: 2,
    protects: 'an entity that is discovered late is in the public schema unless it says otherwise',
    usedIn: ['with-tenants.ts'],
  },
  seeder: { use: 'replace', protects: 'seeders write into the scope that they are run in', usedIn: ['orm/scoped-seeder.ts'] },
});

export const ENTITY_SCHEMA_SEAMS = seamsOf('EntitySchema', '@mikro-orm/core', {
  REGISTRY: { use: 'read', protects: 'a class has the schema of the class that it extends', usedIn: ['tenant/entity-kinds.ts'] },
});

export const METADATA_STORAGE_SEAMS = seamsOf('MetadataStorage', '@mikro-orm/core', {
  META_SYMBOL: {
    use: 'read',
    by: 'the decorators',
    protects: 'a class has the schema of the class that it extends',
    usedIn: ['tenant/entity-kinds.ts'],
  },
});

export const METADATA_SEAMS = seamsOf('EntityMetadata', '@mikro-orm/core', {
  addProperty: { use: 'call', arity: 1, protects: 'a tenant has a key', usedIn: ['tenant/entity-kinds.ts'] },
  schema: {
    use: 'write',
    onObject: true,
    by: 'every query',
    protects: 'a shared entity is in the public schema, whatever the EntityManager has',
    usedIn: ['tenant/entity-kinds.ts'],
  },
  triggers: {
    use: 'write',
    onObject: true,
    by: 'the schema generator',
    protects: 'changes of tenants by plain SQL are told',
    usedIn: ['database/change-trigger.ts'],
  },
});

/** How a config tells of what is discovered. */
export const DISCOVERY_SEAMS = seamsOf('Discovery', '@mikro-orm/core', {
  onMetadata: {
    use: 'give',
    by: 'discovery, before relations are worked out',
    protects: 'a shared entity, and what belongs to it, is in the public schema',
    usedIn: ['with-tenants.ts'],
  },
  afterDiscovered: {
    use: 'give',
    by: 'discovery, when all entities are known',
    protects: 'entities that cannot work are refused',
    usedIn: ['with-tenants.ts'],
  },
});
