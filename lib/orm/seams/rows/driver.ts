import { seamsOf } from '../seam.js';

const DRIVER = ['orm/tenant-driver.ts'];

export const DRIVER_SEAMS = seamsOf('AbstractSqlDriver', '@mikro-orm/sql', {
  getSchemaName: {
    use: 'override',
    arity: 2,
    reads: [0, 1],
    by: 'whatever reads or writes an entity, refers to one or makes one',
    protects: 'a tenant entity is never used without a tenant',
    usedIn: [...DRIVER, 'orm/guarded-cache.ts', 'orm/tenant-routines.ts', 'entities/flush-check.ts', 'entities/lazy-loading.ts'],
  },
  getTableName: {
    use: 'override',
    arity: 2,
    reads: [0, 1],
    by: 'inserts and updates of several rows',
    protects: 'a table is never looked up on the path',
    usedIn: [...DRIVER, 'tenant/driver-check.ts'],
  },
  createQueryBuilder: {
    use: 'override',
    arity: 7,
    by: 'whatever reads or writes an entity',
    protects: 'every query is a guarded one',
    usedIn: [...DRIVER, 'entities/shared-relations.ts', 'tenant/driver-check.ts'],
  },
  resolveConnectionType: {
    use: 'call',
    arity: 1,
    protects: 'a query of the driver itself is a guarded one, on the connection that MikroORM chooses',
    usedIn: DRIVER,
  },
  find: {
    use: 'replace',
    arity: 2,
    reads: [0, 1, 2],
    by: 'loadFromUnionTargetPolymorphicPivotTable',
    protects: "a pivot table of several targets is read in its tenant's schema",
    usedIn: DRIVER,
  },
  loadFromUnionTargetPolymorphicPivotTable: {
    use: 'override',
    arity: 2,
    reads: [5],
    by: 'loadFromPivotTable',
    protects: "a pivot table of several targets is read in its tenant's schema",
    usedIn: DRIVER,
  },
  findVirtual: {
    use: 'override',
    arity: 3,
    reads: [2],
    by: 'find',
    protects: 'the SQL of a virtual entity is run with the path of its own tenant',
    usedIn: DRIVER,
  },
  mapPropToFieldNames: {
    use: 'override',
    arity: 6,
    reads: [0, 3, 4],
    by: 'joined loading and joinAndSelect',
    protects: "the formula of a joined entity reads the tables of the scope's tenant",
    usedIn: DRIVER,
  },
  lockPessimistic: {
    use: 'override',
    arity: 2,
    reads: [0, 1],
    by: 'UnitOfWork.lock',
    protects: "a lock is taken on the entity's own row, not on the row of another tenant that has its key",
    usedIn: DRIVER,
  },
  nativeInsertMany: {
    use: 'override',
    arity: 2,
    reads: [1, 2],
    by: 'flushes and em.insertMany',
    protects: 'a query that was built for one tenant is refused in what is of another',
    usedIn: DRIVER,
  },
  nativeUpdateMany: {
    use: 'override',
    arity: 3,
    reads: [0, 1, 2, 3],
    by: 'flushes that update several rows',
    protects: 'a shared row that tenants refer to is refused in words',
    usedIn: DRIVER,
  },
  convertException: {
    use: 'override',
    arity: 1,
    reads: [0],
    by: 'rethrow, which every statement of the driver goes through',
    protects: "a refusal of the library's keeps its code",
    usedIn: DRIVER,
  },
  setMetadata: {
    use: 'override',
    arity: 1,
    by: 'MikroORM, once its entities are known',
    protects: 'the scope functions find the ORM',
    usedIn: DRIVER,
  },
  reconnect: { use: 'override', arity: 1, protects: 'the scope functions find the ORM', usedIn: DRIVER },
  close: { use: 'override', arity: 1, by: 'MikroORM.close', protects: 'a closed ORM is not found by the scope functions', usedIn: DRIVER },
  connection: { use: 'read', onObject: true, by: 'every statement', protects: 'the connection is guarded', usedIn: DRIVER },
  replicas: {
    use: 'read',
    onObject: true,
    by: 'every statement for reading',
    protects: 'the connections to replicas are guarded',
    usedIn: DRIVER,
  },
  metadata: { use: 'read', onObject: true, protects: 'a shared row that tenants refer to is refused in words', usedIn: DRIVER },
  platform: { use: 'read', onObject: true, by: 'whatever is filled into SQL', protects: 'values are filled in sealed', usedIn: DRIVER },
});

export const PLATFORM_SEAMS = seamsOf('Platform', '@mikro-orm/sql', {
  escape: {
    use: 'replace',
    arity: 1,
    reads: [0],
    by: 'formatQuery, which fills values into SQL',
    protects: 'no object becomes SQL as its bare text',
    usedIn: ['connection/statements/literal-values.ts'],
  },
  escapeLiteral: {
    use: 'replace',
    arity: 1,
    reads: [0],
    by: 'whatever fills a text into SQL',
    protects: 'a question mark in a value is never taken for the place of another',
    usedIn: ['connection/statements/sealed-values.ts'],
  },
  quoteIdentifier: {
    use: 'replace',
    arity: 1,
    by: 'whatever writes a name into SQL',
    protects: 'a question mark in a name is never taken for the place of a value',
    usedIn: ['connection/statements/sealed-values.ts'],
  },
  formatQuery: {
    use: 'replace',
    arity: 2,
    by: 'every query, and every fragment of SQL in one',
    protects: 'a question mark in a value is never taken for the place of another',
    usedIn: ['connection/statements/sealed-values.ts'],
  },
  getSearchJsonPropertyKey: {
    use: 'replace',
    arity: 4,
    by: 'conditions on JSON properties',
    protects: 'a question mark in a key is never taken for the place of a value',
    usedIn: ['connection/statements/sealed-values.ts'],
  },
  getJsonArrayElementPropertySQL: {
    use: 'replace',
    arity: 3,
    by: 'conditions on the elements of JSON arrays',
    protects: 'a question mark in a key is never taken for the place of a value',
    usedIn: ['connection/statements/sealed-values.ts'],
  },
  createNativeQueryBuilder: {
    use: 'replace',
    arity: 0,
    by: 'QueryBuilder.getNativeQuery',
    protects: 'a query that was built for one tenant is refused in what is of another',
    usedIn: ['query/carrying-queries.ts'],
  },
  getThroughRelationFormula: {
    use: 'call',
    arity: 2,
    reads: [0, 1],
    protects: "a relation through another entity reads the tables of the scope's tenant",
    usedIn: ['entities/shared-relations.ts'],
  },
  config: {
    use: 'write',
    onObject: true,
    by: 'getThroughRelationFormula',
    protects: "a relation through another entity reads the tables of the scope's tenant",
    usedIn: ['entities/shared-relations.ts'],
  },
  getSchemaHelper: {
    use: 'call',
    arity: 0,
    protects: "a materialized view is refreshed in its tenant's schema",
    usedIn: ['orm/tenant-routines.ts'],
  },
  supportsTransactions: {
    use: 'call',
    arity: 0,
    by: 'UnitOfWork.commit',
    protects: 'a tenant is renamed together with its schema',
    usedIn: ['orm/mikro-context.ts'],
  },
  getExtension: { use: 'call', arity: 4, protects: 'the seed manager is the one of the scope', usedIn: ['orm/scoped-seeder.ts'] },
});

/** What of a virtual entity's metadata MikroORM calls. */
export const VIRTUAL_ENTITY_SEAMS = seamsOf('VirtualEntity', '@mikro-orm/core', {
  expression: {
    use: 'write',
    by: 'every query of a virtual entity',
    protects: 'a query that was built for one tenant, and kept, does not answer another',
    usedIn: ['entities/virtual-expressions.ts'],
  },
});

/** What of a property's metadata MikroORM reads. */
export const PROPERTY_SEAMS = seamsOf('EntityProperty', '@mikro-orm/core', {
  lazy: {
    use: 'write',
    by: 'every query of an entity with an inverse 1:1',
    protects: 'a shared entity is found without any tenant',
    usedIn: ['entities/shared-relations.ts'],
  },
  formula: {
    use: 'write',
    by: 'every query of an entity with a relation through another',
    protects: "a relation through another entity reads the tables of the scope's tenant",
    usedIn: ['entities/shared-relations.ts'],
  },
  onCreate: {
    use: 'write',
    by: 'every upsert of data, and Kysely where it is told to',
    protects: "another tenant's entity that a property begins with is not stored",
    usedIn: ['entities/property-functions.ts'],
  },
  onUpdate: {
    use: 'write',
    by: 'every change set of an update',
    protects: "another tenant's entity that the function of a property replaces is not stored",
    usedIn: ['entities/property-functions.ts'],
  },
});
