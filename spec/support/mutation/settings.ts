/** A part of the library, and the specs that say what it has to do: they are asked first. */
interface Part {
  readonly mutated: readonly string[];
  readonly specs: readonly string[];
}

/** What is mutated: where a leak would begin. */
export const PARTS: Readonly<Record<string, Part>> = {
  'schema-name': {
    mutated: ['lib/schema-name.ts'],
    specs: ['spec/{schema-name,hostile/schema-names,roles/tenant-roles}.spec.ts'],
  },
  scope: { mutated: ['lib/scope/**/*.ts'], specs: ['spec/scope/*.spec.ts', 'spec/koa/tenant-context.spec.ts'] },
  orm: {
    mutated: ['lib/orm/**/*.ts'],
    specs: [
      'spec/{orm,scope}/*.spec.ts',
      'spec/laws/{isolation*,cross-tenant-writes,after-use}.spec.ts',
      'spec/provisioning/transactions.spec.ts',
    ],
  },
  provisioning: { mutated: ['lib/provisioning/**/*.ts'], specs: ['spec/{provisioning,roles}/*.spec.ts'] },
  koa: { mutated: ['lib/koa/**/*.ts'], specs: ['spec/koa/!(any-requests).spec.ts', 'spec/directory/{held,told}.spec.ts'] },
};

/** What those let pass has to get past these too: all that are about tenants, without the long runs of chance. */
export const OTHER_SPECS: readonly string[] = [
  'spec/{schema-name,tenant-mixin,with-tenants,hostile/schema-names}.spec.ts',
  'spec/{scope,orm,provisioning,koa,roles}/!(any-requests).spec.ts',
  'spec/laws/!(concurrency*).spec.ts',
  'spec/laws/matrix/*.spec.ts',
  'spec/laws/relations/!(reads).spec.ts',
];
