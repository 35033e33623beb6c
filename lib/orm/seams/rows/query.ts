import { objectSeamsOf, seamsOf } from '../seam.js';

const BUILDER = ['query/tenant-query-builder.ts'];

const HELPER = ['query/guarded-query-helper.ts'];

const KYSELY = ['query/kysely-schemas.ts'];

const FOREIGN = "another tenant's entity in a query is refused";

const LATER = 'a query that is run later, or in another scope, is run for the tenant that it was made for';

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
  where: { use: 'override', arity: 3, reads: [0, 1], by: 'andWhere, orWhere and delete', protects: FOREIGN, usedIn: BUILDER },
  having: { use: 'override', arity: 0, reads: [0, 1], by: 'andHaving and orHaving', protects: FOREIGN, usedIn: BUILDER },
  joinReference: { use: 'override', arity: 7, reads: [2], by: 'every kind of join', protects: FOREIGN, usedIn: BUILDER },
  update: { use: 'override', arity: 1, reads: [0], protects: FOREIGN, usedIn: BUILDER },
  insert: { use: 'override', arity: 1, reads: [0], protects: FOREIGN, usedIn: BUILDER },
  merge: { use: 'override', arity: 1, reads: [0], protects: FOREIGN, usedIn: BUILDER },
  execute: { use: 'override', arity: 2, by: 'getResultList, getCount and the driver', protects: LATER, usedIn: BUILDER },
  getResultList: { use: 'override', arity: 1, by: 'getResult and getSingleResult', protects: LATER, usedIn: BUILDER },
  getSingleResult: { use: 'override', arity: 0, protects: LATER, usedIn: BUILDER },
  getCount: { use: 'override', arity: 2, by: 'getResultAndCount', protects: LATER, usedIn: BUILDER },
  stream: { use: 'override', arity: 1, by: 'the driver', protects: LATER, usedIn: BUILDER },
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
  withPlugin: { use: 'call', arity: 1, by: 'every query', protects: "a Kysely query names no other tenant's table", usedIn: KYSELY },
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

/** A plugin of Kysely's, as the library gives one. */
export const KYSELY_PLUGIN_SEAMS = seamsOf('KyselyPlugin', 'kysely', {
  transformQuery: {
    use: 'give',
    by: 'every query, before it is compiled',
    protects: "a Kysely query names no other tenant's table, and its raw SQL has the path of its own",
    usedIn: KYSELY,
  },
  transformResult: { use: 'give', by: 'every query', protects: 'the rows of a Kysely query are given as they are', usedIn: KYSELY },
});

/** What Kysely makes a query of. */
export const KYSELY_NODE_SEAMS = objectSeamsOf('OperationNode', 'kysely', {
  kind: { use: 'read', by: 'KyselyPlugin.transformQuery', protects: "a Kysely query names no other tenant's table", usedIn: KYSELY },
});
