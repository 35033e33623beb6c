import { Utils } from '@mikro-orm/core';
import { CrossTenantError, PublicContextRequiredError } from '../errors/index.js';
import type { TenantIdentity } from '../scope/tenant-identity.js';
import type { TenantRules } from '../scope/tenant-rules.js';

/**
 * Refuses a call of the schema generator or the migrator that names another tenant's schema from inside a tenant's scope, or all tenants with
 * the database. A schema is named among the options, or in a text of its own; which texts are none is listed here, so that what MikroORM adds
 * is refused rather than served. Returns which tenant the scope's own name has to be still, where that is named.
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
      refuseUnless(String(arg.schema));
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
