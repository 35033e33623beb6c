import type { Dialect } from '../statements/kysely-types.js';

/** Whether the `driverOptions` of a config are a Kysely dialect. */
export function isDialect(value: unknown): value is Dialect {
  return typeof value === 'object' && value !== null && 'createDriver' in value;
}

/** Whether they are an instance of Kysely. */
export function isKysely(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'getExecutor' in value;
}
