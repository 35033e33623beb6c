/** What is mutated: where a leak would begin. */
export const MUTATED = ['lib/schema-name.ts', 'lib/scope/**/*.ts', 'lib/orm/**/*.ts', 'lib/provisioning/**/*.ts', 'lib/koa/**/*.ts'];

/** The specs that have to notice: all that say what has to hold, without those that look for it by long runs of chance. */
export const SPECS = [
  'spec/schema-name.spec.ts',
  'spec/hostile/schema-names.spec.ts',
  'spec/{scope,orm,provisioning,koa,roles}/**/!(any-requests).spec.ts',
  'spec/laws/!(concurrency*).spec.ts',
  'spec/laws/matrix/*.spec.ts',
  'spec/laws/relations/!(reads).spec.ts',
];
