import { Utils } from '@mikro-orm/core';
import { CrossTenantError, PublicContextRequiredError } from '../errors/index.js';
import type { TenantIdentity } from '../scope/tenant-identity.js';
import type { TenantRules } from '../scope/tenant-rules.js';

/**
 * Refuses a call of the schema generator or the migrator, inside a tenant's scope, that names another tenant's schema or drops the database.
 * A schema is named in the options or as an argument of its own. Methods whose text arguments are no schemas are listed here, so that a method
 * that MikroORM adds is refused rather than served. Returns the tenant of the scope if the call names its schema.
 *
 * @throws CrossTenantError `CROSS_TENANT`
 * @throws PublicContextRequiredError `PUBLIC_CONTEXT_REQUIRED`
 */
export function refuseOtherSchemas(method: string, args: readonly unknown[], rules: TenantRules): TenantIdentity | undefined {
  const { scope } = rules;

  if (scope?.kind !== 'tenant') {
    return undefined;
  }

  const mayBe = new Set([scope.schemaName, rules.publicSchema, ...rules.sharedSchemas]);
  let namesOwn = false;
  const refuseUnless = (schema: string): void => {
    namesOwn ||= schema === scope.schemaName;

    if (!mayBe.has(schema)) {
      throw CrossTenantError.otherSchema(`\`${method}()\``, schema, scope.schemaName);
    }
  };

  if (method === 'dropDatabase' || args.some(arg => Utils.isPlainObject<{ dropDb?: unknown }>(arg) && Boolean(arg.dropDb))) {
    throw new PublicContextRequiredError('dropped with the whole database', scope.schemaName);
  }

  for (const [index, arg] of args.entries()) {
    if (typeof arg === 'string') {
      schemasIn(method, arg, index).forEach(refuseUnless);
    } else if (Utils.isPlainObject<{ schema?: unknown }>(arg) && arg.schema !== undefined) {
      // what is no text is the name of no schema
      refuseUnless(typeof arg.schema === 'string' ? arg.schema : typeof arg.schema);
    }
  }

  return namesOwn ? scope.identity : undefined;
}

function schemasIn(method: string, text: string, index: number): readonly string[] {
  if (NO_SCHEMA.has(method)) {
    return [];
  }

  // a table, which may be qualified
  return method === 'dropTableIfExists' && index === 0 ? text.split('.').slice(0, -1) : [text];
}

/** What takes the names of migrations, files, events and databases, or SQL. */
const NO_SCHEMA: ReadonlySet<string> = new Set([
  'create',
  'createDatabase',
  'createInitial',
  'down',
  'execute',
  'getMigrationName',
  'logMigration',
  'off',
  'on',
  'rollup',
  'unlogMigration',
  'up',
]);
