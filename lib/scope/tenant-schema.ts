import { CrossTenantError, TenantContextRequiredError } from '../errors/index.js';
import type { Scope } from './scope.js';

/** The names a schema is checked against. */
export interface SchemaRules {
  readonly publicSchema: string;
  checkSchemaName(schemaName: unknown): string;
}

/**
 * The one place that decides which schema a tenant entity is read from or written to. `wanted` is what the EntityManager, the
 * query or the caller asks for; it is never filled in from the scope, because an EntityManager that has no tenant has an
 * identity map that belongs to none.
 *
 * @throws TenantContextRequiredError when no tenant is named.
 * @throws CrossTenantError when another tenant than the scope's is named.
 * @throws InvalidSchemaNameError for a name no tenant can have.
 */
export function tenantSchema(entity: string, wanted: string | undefined, scope: Scope | undefined, rules: SchemaRules): string {
  if (scope?.kind === 'tenant' && wanted === scope.schemaName) {
    return wanted;
  }

  if (wanted === undefined || wanted === '*' || wanted === rules.publicSchema) {
    throw TenantContextRequiredError.forEntity(entity, scope?.kind ?? 'none');
  }

  if (scope?.kind === 'tenant') {
    throw CrossTenantError.otherSchema(entity, wanted, scope.schemaName);
  }

  return rules.checkSchemaName(wanted);
}
