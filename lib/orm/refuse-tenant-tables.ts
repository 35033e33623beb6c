import { Utils } from '@mikro-orm/core';
import { RunUsageError } from '../errors/index.js';
import type { TenantRules } from '../scope/tenant-rules.js';

/**
 * Refuses a call that would make, change or drop the tables of a tenant, or run the public set in its schema. Only the tenant set does that: it
 * keeps the history of what a tenant has.
 *
 * @throws RunUsageError `RUN_USAGE`
 */
export function refuseTenantTables(extension: string, method: string, args: readonly unknown[], rules: TenantRules): void {
  if (CHANGE_TABLES.get(extension)?.has(method) !== true) {
    return;
  }

  for (const arg of args) {
    if (!Utils.isPlainObject<{ schema?: unknown }>(arg) || arg.schema === undefined) {
      continue;
    }

    const schemaName = typeof arg.schema === 'string' ? arg.schema : typeof arg.schema;

    if (schemaName !== rules.publicSchema && !rules.sharedSchemas.has(schemaName)) {
      throw RunUsageError.schemaOfTenants(`\`${method}()\` of the ${NAMES.get(extension)}`, schemaName);
    }
  }
}

export const MIGRATOR = '@mikro-orm/migrator';
export const SCHEMA_GENERATOR = '@mikro-orm/schema-generator';

const NAMES: ReadonlyMap<string, string> = new Map([
  [MIGRATOR, 'migrator'],
  [SCHEMA_GENERATOR, 'schema generator'],
]);

const CHANGE_TABLES: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  [MIGRATOR, new Set(['down', 'up'])],
  [SCHEMA_GENERATOR, new Set(['create', 'drop', 'refresh', 'update'])],
]);
