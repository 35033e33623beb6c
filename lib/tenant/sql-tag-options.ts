import { show } from '../errors/tenant-error.js';
import type { TenantMixin } from './tenant-mixin.js';

/** `true` for the tag `tenant` with the schema name, or a function that returns tags. A tag that is undefined is left out. */
export type SqlTagsOption<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> =
  | boolean
  // a method, because methods are compared more loosely
  | { of(scope: TaggedScope<Tenant>): Readonly<Record<string, string | undefined>> }['of'];

/** Whose statements are tagged. */
export interface TaggedScope<Tenant = TenantMixin<unknown>> {
  readonly schemaName: string;
  /** The tenant of the scope. Undefined for a statement of a tenant outside of its scope, as by a fork that names its schema. */
  readonly tenant: Tenant | undefined;
}

/** Returns every problem of the `sqlTags` option. */
export function sqlTagProblems(sqlTags: unknown): string[] {
  return sqlTags === undefined || typeof sqlTags === 'boolean' || typeof sqlTags === 'function'
    ? []
    : [`\`sqlTags\` is ${show(sqlTags)}, but must be true, false or a function that returns the tags.`];
}
