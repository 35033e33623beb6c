/** What is mutated: where a leak would begin. */
export const MUTATED = ['lib/schema-name.ts', 'lib/scope/**/*.ts', 'lib/orm/**/*.ts', 'lib/provisioning/**/*.ts', 'lib/koa/**/*.ts'];

/** The specs that have to notice. */
export const SPECS = ['spec/schema-name.spec.ts', 'spec/{laws,scope,orm,provisioning,koa}/**/*.spec.ts'];
