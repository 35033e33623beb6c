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

/** The tenant that work was begun for is not the one of its name any more: it was renamed or dropped meanwhile, and another one may have the name. */
export class TenantChangedError extends TenantError {
  /** The name that the tenant had. */
  readonly schemaName: string;

  /** As Koa and others read them: who asks again is served by whoever has the host then. */
  readonly status = 503;
  readonly expose = false;
  readonly headers: Readonly<Record<string, string>> = { 'Retry-After': '1' };

  constructor(schemaName: string, options?: ErrorOptions) {
    super(
      'TENANT_CHANGED',
      `The tenant that was ${show(schemaName)} when this work began was renamed or dropped since, and another tenant may have that name now. ` +
        'Nothing was read or stored under the name. Find the tenant again, by its key, and begin anew.',
      options,
    );
    this.schemaName = schemaName;
  }
}

/** Another tenant's data was asked for from inside a tenant's scope, or a tenant's data was to be written with another's. */
export class CrossTenantError extends TenantError {
  /** The schema names of the two tenants: first the one the work is for, then the one that was reached for. */
  readonly schemaNames: readonly [own: string, other: string];

  /** Where the other tenant came in, such as `Book.author`; undefined where no property led to it. */
  readonly property: string | undefined;

  static otherSchema(entity: string, wanted: string, current: string): CrossTenantError {
    return new CrossTenantError(
      `${entity} of schema ${show(wanted)} was asked for in the scope of tenant ${show(current)}. No SQL was sent. ` +
        `If this is meant, leave the scope first: \`runInTenant(${show(wanted)}, …)\`.`,
      [current, wanted],
    );
  }

  /** Data or a condition that holds an entity. */
  static givenEntity(entity: string, [own, other]: readonly [string, string], property?: string): CrossTenantError {
    const place = property === undefined ? '' : ` as ${property}`;

    return new CrossTenantError(
      `${entity} of schema ${nameOf(own, other)} was given to tenant ${show(own)}${place}, where its key is another row's. No SQL was sent. ` +
        `Load the one of tenant ${show(own)} in its place.`,
      [own, other],
      property,
    );
  }

  /** A shared entity's collection of tenants' rows. */
  static sharedCollection(property: string, [own, wanted]: readonly [string, string]): CrossTenantError {
    return new CrossTenantError(
      `${property} of tenant ${show(wanted)} was to be loaded by an EntityManager of tenant ${show(own)}, whose shared entities would keep it. No SQL was sent. ` +
        `Load it in \`runInTenant(${show(wanted)}, …)\`, or by \`em.fork({ schema: ${show(wanted)} })\`.`,
      [own, wanted],
      property,
    );
  }

  /** A relation of an entity that is in a flush. */
  static relation(property: string, own: string, other: string): CrossTenantError {
    return new CrossTenantError(
      `${property} of tenant ${show(own)} holds an entity of tenant ${nameOf(own, other)}. A foreign key has no schema, so it would be that of another row. ` +
        `Nothing was stored. Load the one of tenant ${show(own)} in its place.`,
      [own, other],
      property,
    );
  }

  /** An entity that is in another tenant's flush. */
  static foreignFlush(entity: string, [own, other]: readonly [string, string], property?: string): CrossTenantError {
    const how = property === undefined ? '' : `, by ${property}`;

    return new CrossTenantError(
      `${entity} of tenant ${nameOf(own, other)} came into a flush of tenant ${show(own)}${how}. Nothing was stored. Flush each in its own \`runInTenant(…)\`.`,
      [own, other],
      property,
    );
  }

  constructor(message: string, schemaNames: readonly [own: string, other: string], property?: string) {
    super('CROSS_TENANT', message);
    this.schemaNames = schemaNames;
    this.property = property;
  }
}

// two tenants can have had one name
function nameOf(own: string, other: string): string {
  return own === other ? `${show(other)} as it was before another tenant had that name` : show(other);
}
