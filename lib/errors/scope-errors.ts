import { TenantError, show } from './tenant-error.js';

/** A tenant entity was to be read or written, and no tenant was chosen. */
export class TenantContextRequiredError extends TenantError {
  /** For `requireTenant()`. */
  static noTenant(scope: 'public' | 'tenant' | undefined): TenantContextRequiredError {
    return new TenantContextRequiredError(
      `requireTenant() was called ${scope === 'public' ? 'in the public scope' : 'outside any scope'}, so there is no tenant.`,
    );
  }

  static forEntity(entity: string, scope: 'none' | 'public' | 'tenant'): TenantContextRequiredError {
    const where = {
      none: 'outside any scope',
      public: 'in the public scope',
      tenant: 'by an EntityManager that was made outside the scope and has no tenant',
    }[scope];

    return new TenantContextRequiredError(
      `${entity} is a tenant entity and was used ${where}, so there is no schema to read or write. No SQL was sent.`,
    );
  }

  constructor(fact: string) {
    super(
      'TENANT_CONTEXT_REQUIRED',
      `${fact} Wrap the work in \`runInTenant(tenant, …)\`, serve it behind \`tenantContext()\` on a tenant's host, or use the \`em\` of the current scope.`,
    );
  }
}

/** Tenants are created, renamed and deleted from the public scope or from none. */
export class PublicContextRequiredError extends TenantError {
  constructor(action: string, schemaName: string) {
    super(
      'PUBLIC_CONTEXT_REQUIRED',
      `A tenant cannot be ${action} from inside the scope of tenant ${show(schemaName)}. Nothing was stored. Do it in \`runInPublic(…)\`.`,
    );
  }
}

/** Another tenant's data was asked for from inside a tenant's scope, or one flush held entities of two tenants. */
export class CrossTenantError extends TenantError {
  static otherSchema(entity: string, wanted: string, current: string): CrossTenantError {
    return new CrossTenantError(
      `${entity} of schema ${show(wanted)} was asked for in the scope of tenant ${show(current)}. No SQL was sent. ` +
        `If this is meant, leave the scope first: \`runInTenant(${show(wanted)}, …)\`.`,
    );
  }

  static givenEntity(entity: string, schemaName: string, own: string): CrossTenantError {
    return new CrossTenantError(
      `${entity} of schema ${show(schemaName)} was given to tenant ${show(own)}, where its key is another row's. No SQL was sent. ` +
        `Load the one of tenant ${show(own)} in its place.`,
    );
  }

  static sharedCollection(property: string, wanted: string, own: string): CrossTenantError {
    return new CrossTenantError(
      `${property} of tenant ${show(wanted)} was to be loaded by an EntityManager of tenant ${show(own)}, whose shared entities would keep it. No SQL was sent. ` +
        `Load it in \`runInTenant(${show(wanted)}, …)\`, or by \`em.fork({ schema: ${show(wanted)} })\`.`,
    );
  }

  static truncation(entity: string, referring: readonly string[]): CrossTenantError {
    return new CrossTenantError(
      `${entity} is a shared entity to which tenant entities refer (${referring.join(', ')}), and PostgreSQL would truncate their tables with it, every tenant's. ` +
        'No SQL was sent. Delete the rows in its place, which is refused for those in use.',
    );
  }

  static mixedFlush(schemaNames: readonly string[]): CrossTenantError {
    return new CrossTenantError(
      `One flush held entities of several tenants (${schemaNames.map(show).join(', ')}). Nothing was stored. Flush each in its own \`runInTenant(…)\`.`,
    );
  }

  constructor(message: string) {
    super('CROSS_TENANT', message);
  }
}
