/** A part of the library, and its own specs, which run first. */
interface Part {
  readonly mutated: readonly string[];
  readonly specs: readonly string[];
}

const ISOLATION = ['spec/laws/{isolation*,cross-tenant-writes,after-use}.spec.ts', 'spec/provisioning/transactions.spec.ts'];

const RELATIONS = ['spec/laws/relations/!(reads).spec.ts'];

/** The code to mutate: where a leak would begin. */
export const PARTS: Readonly<Record<string, Part>> = {
  postgres: { mutated: ['lib/postgres/**/*.ts'], specs: ['spec/postgres/*.spec.ts', 'spec/connection/{raw*,tenant-roles}.spec.ts'] },
  scope: { mutated: ['lib/scope/**/*.ts'], specs: ['spec/{api,scope}/*.spec.ts', 'spec/web/koa/tenant-context.spec.ts'] },
  connection: {
    mutated: ['lib/connection/**/*.ts'],
    specs: ['spec/connection/*.spec.ts', 'spec/laws/after-use.spec.ts', 'spec/telemetry/logs.spec.ts'],
  },
  database: {
    mutated: ['lib/database/**/*.ts'],
    specs: [
      'spec/database/*.spec.ts',
      'spec/provisioning/{soft-deletion,dependents,function-paths,protected}.spec.ts',
      'spec/directory/{held,several-hosts,told}.spec.ts',
      'spec/scope/{entry,known-tenants,name-given-back}.spec.ts',
      'spec/api/{after-transactions,in-callers-transaction}.spec.ts',
      'spec/query/cached-while-renamed.spec.ts',
      'spec/cli/server.spec.ts',
    ],
  },
  entities: {
    mutated: ['lib/entities/**/*.ts'],
    specs: ['spec/entities/*.spec.ts', 'spec/scope/former-entities.spec.ts', ...RELATIONS, ...ISOLATION],
  },
  query: { mutated: ['lib/query/**/*.ts'], specs: ['spec/query/*.spec.ts', ...RELATIONS, ...ISOLATION] },
  seams: { mutated: ['lib/orm/seams/**/*.ts'], specs: ['spec/orm/seams/*.spec.ts'] },
  orm: { mutated: ['lib/orm/*.ts'], specs: ['spec/{orm,query,entities}/*.spec.ts', 'spec/provisioning/tenant-hooks.spec.ts'] },
  provisioning: { mutated: ['lib/provisioning/**/*.ts'], specs: ['spec/provisioning/*.spec.ts', 'spec/connection/tenant-roles.spec.ts'] },
  koa: { mutated: ['lib/web/koa/**/*.ts'], specs: ['spec/web/koa/!(any-requests).spec.ts', 'spec/directory/{held,told}.spec.ts'] },
};

/** The specs for mutants that survive those: all specs about tenants, without the long random runs and those of the code's layout, which mutants change. */
export const OTHER_SPECS: readonly string[] = [
  'spec/with-tenants.spec.ts',
  'spec/{postgres,tenant,scope,api,connection,database,entities,query,orm,provisioning}/*.spec.ts',
  'spec/telemetry/*.spec.ts',
  'spec/web/koa/!(any-requests).spec.ts',
  'spec/laws/!(concurrency*).spec.ts',
  'spec/laws/matrix/*.spec.ts',
  ...RELATIONS,
];
