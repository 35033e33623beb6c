import { seamsOf } from '../seam.js';

const TENANT_SET = ['migrations/set/tenant-schema-generator.ts'];

const PUBLIC_SET = ['migrations/set/public-schema-generator.ts'];

const MIGRATOR = ['migrations/set/tenant-migrator.ts'];

const RUN = ['migrations/run/new-migration.ts'];

const ROLLUP = ['migrations/set/combined-migration.ts'];

const ROLLUP_PROTECTS = 'combining the files of the tenant set changes no history of the public set';

const SEEN = 'the public set sees the schemas of shared entities, and no others';

export const SCHEMA_GENERATOR_SEAMS = seamsOf('SqlSchemaGenerator', '@mikro-orm/sql', {
  getTargetSchema: {
    use: 'override',
    arity: [0, 2],
    by: 'whatever is compared with the database or a snapshot',
    protects: "the public set has no tenant's table, and the tenant set none of the public schema",
    usedIn: [...TENANT_SET, ...PUBLIC_SET],
  },
  getOrderedMetadata: {
    use: 'override',
    arity: [0, 2],
    by: 'whatever creates, drops or clears tables',
    protects: "the public set has no tenant's table, and the tenant set none of the public schema",
    usedIn: [...TENANT_SET, ...PUBLIC_SET],
  },
  getCreateSchemaSQL: {
    use: 'override',
    arity: 0,
    by: 'create',
    protects: 'on Citus, a shared table that tenants refer to is on every node',
    usedIn: PUBLIC_SET,
  },
  getUpdateSchemaSQL: {
    use: 'override',
    arity: 0,
    by: 'update',
    protects: 'no update of the public schema drops a tenant',
    usedIn: PUBLIC_SET,
  },
  getUpdateSchemaMigrationSQL: {
    use: 'override',
    arity: 0,
    by: 'the migrator',
    protects: 'no migration of the public set drops a tenant, and those of the tenant set land wholly in the tenant',
    usedIn: [...TENANT_SET, ...PUBLIC_SET],
  },
  clear: { use: 'override', arity: 1, protects: 'emptying the public schema empties no tenant', usedIn: PUBLIC_SET },
  diffToSQL: {
    use: 'override',
    arity: 2,
    reads: [0],
    by: 'getUpdateSchemaMigrationSQL',
    protects: 'a migration of the tenant set makes and drops no schema',
    usedIn: TENANT_SET,
  },
});

export const DATABASE_SCHEMA_SEAMS = seamsOf('DatabaseSchema', '@mikro-orm/sql', {
  create: { use: 'call', protects: SEEN, usedIn: PUBLIC_SET },
  fromMetadata: { use: 'call', protects: 'migrations of the tenant set land wholly in the tenant', usedIn: TENANT_SET },
});

/** What the objects of the class have. */
export const FOUND_SCHEMA_SEAMS = seamsOf('DatabaseSchema.prototype', '@mikro-orm/sql', {
  setTables: { use: 'call', arity: 1, protects: SEEN, usedIn: [...TENANT_SET, 'migrations/set/moved-tables.ts'] },
  setViews: { use: 'call', arity: 1, protects: SEEN, usedIn: TENANT_SET },
  setNamespaces: { use: 'call', arity: 1, protects: SEEN, usedIn: [...PUBLIC_SET, ...TENANT_SET] },
});

export const MIGRATOR_SEAMS = seamsOf('Migrator', '@mikro-orm/migrations', {
  init: {
    use: 'override',
    arity: 0,
    by: 'create and checkSchema',
    protects: 'a migration of the tenant set is written without a database',
    usedIn: MIGRATOR,
  },
  initPaths: { use: 'call', arity: 0, protects: 'a migration of the tenant set is written without a database', usedIn: MIGRATOR },
  createStorage: { use: 'override', arity: 0, by: 'the constructor', protects: ROLLUP_PROTECTS, usedIn: ROLLUP },
});

export const MIGRATION_STORAGE_SEAMS = seamsOf('MigrationStorage', '@mikro-orm/migrations', {
  executed: { use: 'override', arity: 0, by: 'rollup', protects: ROLLUP_PROTECTS, usedIn: ROLLUP },
  logMigration: { use: 'override', arity: 2, reads: [0], by: 'rollup', protects: ROLLUP_PROTECTS, usedIn: ROLLUP },
  unlogMigration: { use: 'override', arity: 2, by: 'rollup', protects: ROLLUP_PROTECTS, usedIn: ROLLUP },
});

export const MIGRATION_SEAMS = seamsOf('Migration', '@mikro-orm/migrations', {
  ctx: {
    use: 'write',
    onObject: true,
    by: 'execute and getEntityManager, before they reach the database',
    protects: 'a migration waits for those before it, and a preview changes nothing',
    usedIn: RUN,
  },
  execute: {
    use: 'replace',
    arity: 2,
    reads: [0],
    protects: 'a migration does not end the transaction that holds its tenant together',
    usedIn: RUN,
  },
  getEntityManager: { use: 'replace', arity: 0, protects: 'the EntityManager of a migration is the one of its tenant', usedIn: RUN },
  getQueries: {
    use: 'call',
    arity: 0,
    protects: 'what a migration has queued is run',
    usedIn: ['migrations/run/migrate-schema.ts', ...RUN],
  },
  reset: { use: 'call', arity: 0, protects: 'what a migration has queued is run once', usedIn: RUN },
});
