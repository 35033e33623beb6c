import { objectSeamsOf, seamsOf, type SeamRow } from '../seam.js';

const BUILDER = ['query/tenant-query-builder.ts'];

const TAKING = ['query/taking-query-builder.ts'];

const HELPER = ['query/guarded-query-helper.ts'];

const KYSELY = ['query/kysely-schemas.ts'];

const EXECUTOR = ['query/kysely-executor.ts'];

const KYSELY_NAMES = "a Kysely query names no other tenant's table";

const CARRYING = ['query/carrying-queries.ts'];

const CARRIED = 'a query that was built for one tenant is refused in what is of another';

const FOREIGN = "another tenant's entity in a query is refused";

const LATER = 'a query that is run later, or in another scope, is run for the tenant that it was made for';

/** The methods that take other queries; `where` and others stand below with what else they are asked. */
const COMMENTS = 'the comment of a query stays a comment';

function takingRows(names: readonly string[], usedIn = CARRYING): Record<string, SeamRow> {
  return Object.fromEntries(names.map(name => [name, { use: 'override', protects: CARRIED, usedIn } as const]));
}

export const QUERY_BUILDER_SEAMS = seamsOf('QueryBuilder', '@mikro-orm/sql', {
  getSchema: {
    use: 'override',
    arity: 1,
    reads: [0],
    by: 'every query that is written out',
    protects: "the table of a query is in the scope's tenant, whatever `withSchema` names",
    usedIn: BUILDER,
  },
  createQueryBuilderHelper: {
    use: 'override',
    arity: 0,
    by: 'from and clone',
    protects: 'the joins of a query are written by the guarded helper',
    usedIn: BUILDER,
  },
  clone: {
    use: 'override',
    arity: 2,
    by: 'getCount, pagination and sub-queries',
    protects: 'a copy of a query is guarded too',
    usedIn: BUILDER,
  },
  getNativeQuery: {
    use: 'override',
    arity: 0,
    by: 'every query that is written out',
    protects: 'tenants are not written, nor tables emptied in all tenants, past the unit of work',
    usedIn: BUILDER,
  },
  where: { use: 'override', arity: 3, reads: [0, 1], by: 'andWhere, orWhere and delete', protects: FOREIGN, usedIn: TAKING },
  having: { use: 'override', arity: 0, reads: [0, 1], by: 'andHaving and orHaving', protects: FOREIGN, usedIn: TAKING },
  joinReference: { use: 'override', arity: 7, reads: [2], by: 'every kind of join', protects: FOREIGN, usedIn: TAKING },
  update: { use: 'override', arity: 1, reads: [0], protects: FOREIGN, usedIn: BUILDER },
  insert: { use: 'override', arity: 1, reads: [0], protects: FOREIGN, usedIn: TAKING },
  merge: { use: 'override', arity: 1, reads: [0], protects: FOREIGN, usedIn: TAKING },
  toRaw: { use: 'override', arity: 0, protects: CARRIED, usedIn: [...BUILDER, ...CARRYING] },
  toQuery: { use: 'override', arity: 0, by: 'execute, and `raw()` of a query', protects: CARRIED, usedIn: BUILDER },
  ...takingRows(['select'], TAKING),
  ...takingRows(['addSelect', 'distinctOn', 'insertFrom', 'delete']),
  ...takingRows(['count'], TAKING),
  ...takingRows(['joinAndSelect', 'withSubQuery']),
  ...takingRows(['orderBy'], TAKING),
  ...takingRows(['andOrderBy']),
  ...takingRows(['groupBy'], TAKING),
  ...takingRows(['onConflict', 'returning']),
  ...takingRows(['populate', 'from'], TAKING),
  ...takingRows(['with', 'withRecursive', 'union', 'unionAll']),
  execute: { use: 'override', arity: 2, by: 'getResultList, getCount and the driver', protects: LATER, usedIn: BUILDER },
  getResultList: { use: 'override', arity: 1, by: 'getResult and getSingleResult', protects: LATER, usedIn: BUILDER },
  getSingleResult: { use: 'override', arity: 0, protects: LATER, usedIn: BUILDER },
  getCount: { use: 'override', arity: 2, by: 'getResultAndCount', protects: LATER, usedIn: BUILDER },
  stream: { use: 'override', arity: 1, by: 'the driver', protects: LATER, usedIn: BUILDER },
  applyJoinedFilters: {
    use: 'call',
    arity: 2,
    protects: 'a filter hides rows from a report over tenants too, also where a condition reads them',
    usedIn: ['api/report/report-template.ts'],
  },
});

/** A native query, of which MikroORM makes the SQL. The library puts a prototype of its own before it. */
export const NATIVE_QUERY_SEAMS = seamsOf('NativeQueryBuilder', '@mikro-orm/sql', {
  ...takingRows(['select', 'count', 'into', 'from', 'where', 'having', 'groupBy', 'join', 'orderBy', 'with', 'withRecursive', 'insert']),
  ...takingRows(['insertSelect', 'update', 'distinctOn', 'onConflict', 'returning', 'toRaw']),
  compile: {
    use: 'override',
    arity: 0,
    by: 'every query that is written out, and `raw()` of a native query',
    protects: CARRIED,
    usedIn: CARRYING,
  },
  comment: { use: 'override', arity: 1, reads: [0], by: 'QueryBuilder.getNativeQuery', protects: COMMENTS, usedIn: CARRYING },
  hintComment: { use: 'override', arity: 1, reads: [0], by: 'QueryBuilder.getNativeQuery', protects: COMMENTS, usedIn: CARRYING },
});

export const FRAGMENT_SEAMS = seamsOf('RawQueryFragment', '@mikro-orm/core', {
  as: { use: 'replace', arity: 1, protects: CARRIED, usedIn: ['scope/carried-tenants.ts'] },
});

/** What the guard reads of a query. */
export const QUERY_SEAMS = objectSeamsOf('Query', '@mikro-orm/sql', {
  mainAlias: { use: 'read', protects: 'the guard knows which entity a query is of', usedIn: BUILDER },
  state: { use: 'read', protects: 'the guard sees the schema, the joins and the populate hints of a query', usedIn: BUILDER },
  em: { use: 'read', protects: "the guard tells a user's query from the library's own", usedIn: BUILDER },
  helper: {
    use: 'read',
    by: 'every query that is written out',
    protects: 'the joins of a query are written by the guarded helper',
    usedIn: BUILDER,
  },
  type: { use: 'read', protects: 'the guard tells reading from writing', usedIn: BUILDER },
  context: {
    use: 'write',
    by: 'QueryBuilder.execute',
    protects: 'an update of tenants and its notice are one transaction',
    usedIn: BUILDER,
  },
});

export const QUERY_HELPER_SEAMS = seamsOf('QueryBuilderHelper', '@mikro-orm/sql', {
  createJoinExpression: {
    use: 'override',
    arity: 4,
    reads: [0],
    by: 'processJoins, and itself for nested joins',
    protects: "a joined table is in the scope's tenant",
    usedIn: HELPER,
  },
  getTableName: {
    use: 'override',
    arity: 1,
    reads: [0],
    by: 'every query that is written out',
    protects: 'a shared table is never looked up on the path',
    usedIn: HELPER,
  },
  createFormulaTable: {
    use: 'override',
    arity: 3,
    reads: [1, 2],
    by: 'whatever writes out a formula',
    protects: "a formula reads the tables of the scope's tenant",
    usedIn: HELPER,
  },
});

export const KYSELY_SEAMS = objectSeamsOf('Kysely', 'kysely', {
  withSchema: { use: 'call', arity: 1, by: 'every query', protects: 'a table without a schema is found in a Kysely query', usedIn: KYSELY },
  withPlugin: { use: 'call', arity: 1, protects: KYSELY_NAMES, usedIn: EXECUTOR },
  withoutPlugins: { use: 'call', arity: 0, protects: KYSELY_NAMES, usedIn: [...KYSELY, ...EXECUTOR] },
  getExecutor: { use: 'call', arity: 0, protects: KYSELY_NAMES, usedIn: [...KYSELY, ...EXECUTOR] },
  connection: {
    use: 'call',
    arity: 0,
    protects: 'what the library does on one connection is done on one',
    usedIn: ['database/tenant-database.ts'],
  },
  startTransaction: {
    use: 'call',
    arity: 0,
    protects: 'the row and the schema of a tenant are one transaction',
    usedIn: ['database/tenant-database.ts'],
  },
});

/** What Kysely runs its queries with. The library puts one of its own before it. */
export const KYSELY_EXECUTOR_SEAMS = objectSeamsOf('KyselyExecutor', 'kysely', {
  withPlugin: {
    use: 'replace',
    arity: 1,
    by: 'Kysely.withPlugin, whose instance is made of what it returns',
    protects: KYSELY_NAMES,
    usedIn: EXECUTOR,
  },
  transformQuery: {
    use: 'replace',
    arity: 2,
    reads: [0],
    by: 'every query, before it is compiled',
    protects: KYSELY_NAMES,
    usedIn: [...EXECUTOR, ...KYSELY],
  },
  compileQuery: {
    use: 'replace',
    arity: 2,
    by: 'every query, and `raw()` of one',
    protects: CARRIED,
    usedIn: EXECUTOR,
  },
  executeQuery: {
    use: 'replace',
    arity: [1, 2],
    by: 'every query',
    protects: "a query that was compiled for one tenant is refused by another's instance",
    usedIn: EXECUTOR,
  },
});

/** What Kysely makes a query of. */
export const KYSELY_NODE_SEAMS = objectSeamsOf('OperationNode', 'kysely', {
  kind: {
    use: 'read',
    by: 'KyselyExecutor.transformQuery',
    protects: "a Kysely query names no other tenant's table",
    usedIn: ['query/kysely-names.ts', 'query/kysely-nodes.ts'],
  },
});
