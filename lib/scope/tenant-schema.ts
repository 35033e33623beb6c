import { CrossTenantError, TenantContextRequiredError } from '../errors/index.js';
import { innermostScope, type Scope } from './scope.js';

/** The rules that schema names are checked against. */
export interface SchemaRules {
  readonly publicSchema: string;
  checkSchemaName(schemaName: unknown): string;
}

/**
 * Decides which schema a tenant entity is read from or written to. No other code decides it. `requested` is the schema of the EntityManager,
 * of the query or of the call. The scope never supplies a missing one: an EntityManager without a tenant has an identity map that belongs to
 * no tenant, and must not load a tenant's rows.
 *
 * @throws TenantContextRequiredError if no tenant is requested.
 * @throws CrossTenantError if a different tenant than the scope's is requested.
 * @throws InvalidSchemaNameError if no tenant can have the requested name.
 */
export function tenantSchema(entity: string, requested: string | undefined, scope: Scope | undefined, rules: SchemaRules): string {
  if (scope?.kind === 'tenant' && requested === scope.schemaName) {
    return requested;
  }

  if (requested === undefined || requested === '*' || requested === rules.publicSchema) {
    throw TenantContextRequiredError.forEntity(
      entity,
      scope?.kind ?? (innermostScope() === undefined ? 'none' : 'other'),
      requested === rules.publicSchema ? requested : undefined,
    );
  }

  if (scope?.kind === 'tenant') {
    throw CrossTenantError.otherSchema(entity, requested, scope.schemaName);
  }

  return rules.checkSchemaName(requested);
}
