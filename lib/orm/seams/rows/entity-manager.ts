import { seamsOf } from '../seam.js';

const SCOPED = ['orm/tenant-entity-manager.ts'];

const READS = ['orm/guarded-reads.ts'];

const WRITES = ['orm/guarded-writes.ts'];

const SQL = ['orm/guarded-sql.ts'];

const CACHE = ['orm/guarded-cache.ts'];

const FILTERS = ['orm/guarded-filters.ts'];

const FOREIGN = 'an entity of another tenant is never taken for the own row that has its key';

const IN_FILTERS = "another tenant's entity in a filter is refused when it is given, and when the filter is used";

const SCHEMA_OF_CALL = 'what is written goes to the tenant of the EntityManager, and to no other';

/** MikroORM's EntityManager. */
export const ENTITY_MANAGER_SEAMS = seamsOf('EntityManager', '@mikro-orm/core', {
  getContext: {
    use: 'override',
    arity: 0,
    by: 'every method of an EntityManager',
    protects: 'a fork, an entity or a query that outlives its scope goes on with its own tenant',
    usedIn: [...SCOPED, ...READS, ...WRITES, ...SQL, ...CACHE, ...FILTERS, 'orm/given-entities.ts', 'orm/mikro-context.ts'],
  },
  fork: {
    use: 'override',
    arity: 0,
    reads: [0],
    by: 'transactions, refresh, streams and virtual entities',
    protects: 'a fork belongs to the scope that it was made in, and is under guard',
    usedIn: [...SCOPED, ...FILTERS, 'orm/entity-manager-class.ts'],
  },
  flush: {
    use: 'override',
    arity: 0,
    by: 'transactions and automatic flushes',
    protects: 'raw SQL in a flush is run with the path of its own tenant',
    usedIn: SCOPED,
  },
  transactional: {
    use: 'override',
    arity: 1,
    protects: "options that are made once never name the transaction that used them first, which may be another tenant's",
    usedIn: SCOPED,
  },
  getConnection: {
    use: 'override',
    arity: 1,
    by: 'em.execute and transactions',
    protects: "raw SQL of an EntityManager is run with its own tenant's path, and refused in another's scope",
    usedIn: SQL,
  },
  stream: { use: 'override', arity: 1, protects: 'a stream that is read later reads the tenant that it was opened for', usedIn: SQL },
  withSessionContext: {
    use: 'override',
    arity: 3,
    by: 'count, insert, upsert, native updates and deletes, routines and pivot tables',
    protects: 'raw SQL in what is read or written without a query builder is run with the path of its own tenant',
    usedIn: SQL,
  },
  preparePopulate: {
    use: 'override',
    arity: 2,
    reads: [0, 1],
    by: 'find, findOne, count, stream, populate and Collection.matching',
    protects: "a shared entity's collection is never filled with another tenant's rows",
    usedIn: READS,
  },
  getEntityLoader: {
    use: 'override',
    arity: 0,
    by: "the dataloader's batches of m:n collections",
    protects: 'collections are loaded from the tenant of their owners',
    usedIn: READS,
  },
  tryCache: {
    use: 'override',
    arity: [5, 6],
    reads: [0, 1, 2],
    by: 'find, findOne, count and QueryBuilder.execute',
    protects: "a cached result of one tenant is never another's",
    usedIn: CACHE,
  },
  storeCache: {
    use: 'override',
    arity: 3,
    reads: [1],
    by: 'find, findOne, count and QueryBuilder.execute',
    protects: 'nothing is cached for a tenant that was read where another one has its name',
    usedIn: CACHE,
  },
  clearCache: { use: 'override', arity: 1, reads: [0], protects: "a cached result of one tenant is never another's", usedIn: CACHE },
  insert: { use: 'override', arity: 2, reads: [0, 1, 2], protects: FOREIGN, usedIn: WRITES },
  insertMany: { use: 'override', arity: 2, reads: [0, 1, 2], protects: FOREIGN, usedIn: WRITES },
  upsert: { use: 'override', arity: 2, reads: [0, 1, 2], protects: FOREIGN, usedIn: WRITES },
  upsertMany: { use: 'override', arity: 2, reads: [0, 1, 2], protects: FOREIGN, usedIn: WRITES },
  clone: { use: 'override', arity: 4, reads: [0, 1, 2, 3], protects: FOREIGN, usedIn: WRITES },
  nativeDelete: {
    use: 'override',
    arity: 2,
    reads: [0],
    protects: 'tenants are deleted with their schemas, never as rows alone',
    usedIn: WRITES,
  },
  nativeUpdate: { use: 'override', arity: 3, reads: [0, 2, 3], protects: FOREIGN, usedIn: WRITES },
  processWhere: {
    use: 'override',
    arity: 4,
    reads: [0, 1, 2],
    by: 'find, findOne, count, countBy, stream, nativeUpdate and nativeDelete',
    protects: "a condition with another tenant's entity is refused",
    usedIn: READS,
  },
  findOne: {
    use: 'override',
    arity: 2,
    reads: [0, 1, 2],
    by: 'findOneOrFail, refresh and references',
    protects: "another tenant's entity is not looked up by its key",
    usedIn: READS,
  },
  populate: {
    use: 'override',
    arity: 2,
    reads: [0, 1, 2],
    by: 'Collection.load, Reference.load and query builders',
    protects: 'relations are loaded from the tenant of the entities, or not at all',
    usedIn: READS,
  },
  merge: { use: 'override', arity: 2, reads: [0, 1, 2], by: 'map and Collection.matching', protects: FOREIGN, usedIn: WRITES },
  create: { use: 'override', arity: 2, reads: [0, 1, 2], protects: FOREIGN, usedIn: WRITES },
  assign: { use: 'override', arity: 2, reads: [0, 1], protects: FOREIGN, usedIn: WRITES },
  refresh: {
    use: 'override',
    arity: 1,
    reads: [0],
    by: 'refreshOrFail',
    protects: 'an entity is read anew from its own tenant',
    usedIn: READS,
  },
  getDataLoader: {
    use: 'override',
    arity: 1,
    by: 'Reference.load, Collection.load and Collection.loadCount',
    protects: 'a dataloader asks for what belongs to an entity in the tenant of the entity',
    usedIn: READS,
  },
  callRoutine: {
    use: 'override',
    arity: 2,
    reads: [0],
    protects: "a tenant's function is called in its schema, and with its path",
    usedIn: SQL,
  },
  addFilter: { use: 'override', arity: 1, reads: [0], protects: IN_FILTERS, usedIn: FILTERS },
  setFilterParams: { use: 'override', arity: 2, reads: [0, 1], protects: IN_FILTERS, usedIn: FILTERS },
  applyFilters: {
    use: 'override',
    arity: 5,
    reads: [0, 2],
    by: 'processWhere, and whatever populates relations',
    protects: IN_FILTERS,
    usedIn: FILTERS,
  },
  name: {
    use: 'read',
    onObject: true,
    by: 'RequestContext and TransactionContext, which know an EntityManager by it',
    protects: 'the global EntityManager is the one of the scope',
    usedIn: ['orm/mikro-context.ts'],
  },
  global: {
    use: 'read',
    onObject: true,
    protects: 'the global EntityManager follows the scope, and a fork does not',
    usedIn: SCOPED,
  },
  schema: { use: 'write', by: 'every query', protects: SCHEMA_OF_CALL, usedIn: SCOPED },
  getTransactionSessionContext: {
    use: 'call',
    arity: 0,
    protects: 'an update of tenants runs with the session context of its EntityManager',
    usedIn: ['query/update-tenants.ts'],
  },
});

/** What the EntityManager has of `@mikro-orm/sql`. */
export const SQL_ENTITY_MANAGER_SEAMS = seamsOf('SqlEntityManager', '@mikro-orm/sql', {
  createQueryBuilder: {
    use: 'override',
    arity: 4,
    by: 'qb, countBy and repositories',
    protects: 'a query is of the scope that it was made in',
    usedIn: SQL,
  },
  getKysely: { use: 'override', arity: 0, protects: "a Kysely query names no other tenant's table", usedIn: SQL },
  refreshMaterializedView: {
    use: 'override',
    arity: 2,
    reads: [0, 1],
    protects: "a materialized view is refreshed in its tenant's schema",
    usedIn: SQL,
  },
});
