import { objectSeamsOf, seamsOf } from '../seam.js';

const GUARD = ['connection/guard/sql-guard.ts'];

const LOST = ['connection/pool/lost-connections.ts'];

const SHARED = ['connection/pool/pooled-tenants.ts'];

const DIALECTS = ['connection/guard/guarded-dialect.ts', 'connection/check/checked-dialect.ts'];

const CONNECTIONS = ['connection/guard/guarded-connection.ts', 'connection/check/checked-connection.ts'];

const PATH = "a statement with a name that has no schema is run with the path of its scope, and as the scope's role";

export const CONNECTION_SEAMS = seamsOf('AbstractSqlConnection', '@mikro-orm/sql', {
  createKysely: {
    use: 'replace',
    arity: 0,
    by: 'getClient and connect',
    protects: 'a dialect of the user is guarded, and a Kysely instance is refused',
    usedIn: GUARD,
  },
  createKyselyDialect: {
    use: 'replace',
    arity: 1,
    reads: [0],
    by: 'createKysely',
    protects: PATH,
    usedIn: [...GUARD, ...LOST, ...SHARED, 'testing/moved-orm.ts'],
  },
  options: {
    use: 'write',
    onObject: true,
    by: 'createKysely',
    protects: 'a dialect of the user is guarded, and a Kysely instance is refused',
    usedIn: GUARD,
  },
  type: {
    use: 'read',
    onObject: true,
    protects: 'what a replica says of a tenant is not taken for what the primary says',
    usedIn: GUARD,
  },
  stream: {
    use: 'replace',
    arity: 1,
    by: 'streams of queries and of virtual entities',
    protects: 'a stream that is read later is read with the path of its own tenant',
    usedIn: GUARD,
  },
  applySessionContext: {
    use: 'replace',
    arity: 3,
    by: 'begin',
    protects: 'what a session context sets for a transaction is set for all of it',
    usedIn: [...GUARD, 'query/update-tenants.ts'],
  },
  executeDump: { use: 'replace', arity: 1, reads: [0], protects: 'a dump is run with the path of its scope', usedIn: GUARD },
  getNativeClient: { use: 'call', arity: 0, protects: 'a dump is run with the path of its scope', usedIn: GUARD },
  logQuery: { use: 'call', arity: [1, 2], protects: 'what the library sets around a statement is seen in the log', usedIn: GUARD },
  begin: {
    use: 'replace',
    arity: 0,
    reads: [0],
    by: 'every transaction and savepoint',
    protects: 'what waits for a commit waits for the outermost one',
    usedIn: ['database/on-commit.ts'],
  },
  commit: {
    use: 'replace',
    arity: 3,
    reads: [0],
    by: 'every transaction and savepoint',
    protects: 'a process sees its own changes of tenants once they are committed',
    usedIn: ['database/on-commit.ts'],
  },
  callRoutine: {
    use: 'call',
    arity: [1, 3],
    protects: "a tenant's function is called in its schema, and with its path",
    usedIn: ['orm/tenant-routines.ts'],
  },
  execute: {
    use: 'replace',
    arity: [1, 2],
    reads: [0, 1],
    by: 'callRoutine, em.execute and the driver',
    protects: "a tenant's function is called in its schema, and with its path, and a fragment of another tenant's is refused in raw SQL",
    usedIn: GUARD,
  },
});

/** A dialect of Kysely's. */
export const KYSELY_DIALECT_SEAMS = objectSeamsOf('KyselyDialect', 'kysely', {
  createDriver: { use: 'replace', arity: 0, by: 'Kysely', protects: PATH, usedIn: [...LOST, ...DIALECTS] },
  createAdapter: { use: 'call', arity: 0, protects: PATH, usedIn: DIALECTS },
  createQueryCompiler: { use: 'call', arity: 0, protects: PATH, usedIn: DIALECTS },
  createIntrospector: { use: 'call', arity: 1, protects: PATH, usedIn: DIALECTS },
});

/** A driver of Kysely's, as the library wraps one. */
export const KYSELY_DRIVER_SEAMS = objectSeamsOf('KyselyDriver', 'kysely', {
  init: { use: 'call', arity: [0, 1], by: 'Kysely', protects: PATH, usedIn: DIALECTS },
  destroy: {
    use: 'give',
    arity: [0, 1],
    by: 'Kysely, when it is closed',
    protects: 'an ORM closes while a connection is being opened',
    usedIn: DIALECTS,
  },
  acquireConnection: { use: 'give', arity: [0, 1], by: 'every statement', protects: PATH, usedIn: [...DIALECTS, ...LOST] },
  releaseConnection: {
    use: 'give',
    arity: [0, 2],
    by: 'every statement',
    protects: 'a lost connection gives its place in the pool back',
    usedIn: [...DIALECTS, ...LOST],
  },
  beginTransaction: {
    use: 'give',
    arity: [1, 2],
    by: 'every transaction',
    protects: "a transaction is run as the scope's role",
    usedIn: [...DIALECTS, ...LOST],
  },
  commitTransaction: {
    use: 'give',
    arity: 1,
    by: 'every transaction',
    protects: 'nothing that raw SQL has set stays on the connection',
    usedIn: [...DIALECTS, ...LOST],
  },
  rollbackTransaction: {
    use: 'give',
    arity: 1,
    by: 'every transaction',
    protects: 'a lost connection gives its place in the pool back',
    usedIn: [...DIALECTS, ...LOST],
  },
  savepoint: {
    use: 'give',
    arity: 3,
    by: 'nested transactions',
    protects: 'no statement comes between another and its path',
    usedIn: DIALECTS,
  },
  rollbackToSavepoint: {
    use: 'give',
    arity: 3,
    by: 'nested transactions',
    protects: 'no statement comes between another and its path',
    usedIn: DIALECTS,
  },
  releaseSavepoint: {
    use: 'give',
    arity: 3,
    by: 'nested transactions',
    protects: 'no statement comes between another and its path',
    usedIn: DIALECTS,
  },
});

/** A connection of Kysely's, as the library wraps one. */
export const KYSELY_CONNECTION_SEAMS = seamsOf('KyselyConnection', 'kysely', {
  executeQuery: {
    use: 'give',
    arity: [1, 2],
    reads: [0],
    by: 'every statement',
    protects: PATH,
    usedIn: [...CONNECTIONS, ...LOST],
  },
  streamQuery: {
    use: 'give',
    arity: [0, 3],
    reads: [0],
    by: 'every stream',
    protects: PATH,
    usedIn: [...CONNECTIONS, ...LOST],
  },
});

export const POOL_SEAMS = objectSeamsOf('Pool', 'pg', {
  connect: {
    use: 'replace',
    arity: 1,
    by: 'KyselyDriver.acquireConnection',
    protects: 'what raw SQL has left of its transaction is known, and a transaction pooler is noticed',
    usedIn: ['connection/pool/pooled-connection.ts', ...LOST, ...SHARED, 'testing/transaction/pinned-pool.ts'],
  },
  Client: { use: 'read', protects: 'changes of tenants are heard on a connection of its own', usedIn: ['directory/notice-connections.ts'] },
  options: {
    use: 'read',
    protects: 'changes of tenants are heard on a connection of its own',
    usedIn: ['directory/notice-connections.ts', ...SHARED],
  },
});

/** What the pool tells of. */
export const POOL_EVENT_SEAMS = seamsOf('PoolEvents', 'pg', {
  connect: { use: 'read', protects: 'a stream over a lost connection ends', usedIn: [...LOST, ...SHARED] },
  release: { use: 'read', protects: 'a lost connection gives its place in the pool back', usedIn: [...LOST, ...SHARED] },
});

export const CLIENT_SEAMS = objectSeamsOf('Client', 'pg', {
  query: {
    use: 'replace',
    arity: [1, 3],
    reads: [0],
    by: 'every stream, with a cursor',
    protects: 'a stream over a lost connection ends',
    usedIn: ['connection/pool/lost-cursors.ts'],
  },
  end: {
    use: 'call',
    arity: [0, 1],
    by: 'the pool',
    protects: 'a lost connection gives its place in the pool back',
    usedIn: [...LOST, ...SHARED],
  },
  processID: {
    use: 'read',
    protects: 'a transaction pooler is noticed, and gets no path of `searchPath`',
    usedIn: ['connection/pool/pooled-connection.ts', 'connection/pool/server-status.ts'],
  },
  connection: {
    use: 'read',
    protects: 'a process ends though its listening connection is cut off, and histories are read that PostgreSQL copies',
    usedIn: ['directory/notice-connections.ts', 'connection/pool/copy.ts'],
  },
});

/** A cursor of `pg`'s, as Kysely makes one for a stream. */
export const CURSOR_SEAMS = objectSeamsOf('Cursor', 'pg-cursor', {
  read: {
    use: 'replace',
    by: 'Kysely, for each part of a stream',
    protects: 'a stream over a lost connection ends',
    usedIn: ['connection/pool/lost-cursors.ts'],
  },
  close: {
    use: 'replace',
    by: 'Kysely, at the end of a stream',
    protects: 'a stream over a lost connection ends',
    usedIn: ['connection/pool/lost-cursors.ts'],
  },
});

/** A message of `pg`'s without parameters, which PostgreSQL runs as several statements. */
export const SIMPLE_QUERY_SEAMS = seamsOf('SimpleQuery', 'pg', {
  commit: {
    use: 'call',
    by: 'Client.query, for a text without parameters',
    protects: 'a commit is carried out only where the tenants of its transaction are still who they were',
    usedIn: ['connection/check/checked-connection.ts'],
  },
});
