import { StatusError } from './status-error.js';
import { reasonOf, show, TenantError, type TenantErrorCode } from './tenant-error.js';

/** A tenant entity was used without a tenant. */
export class TenantContextRequiredError extends TenantError {
  /** For `requireTenant()`. */
  static noTenant(scope: 'public' | 'tenant' | undefined, name = 'requireTenant()'): TenantContextRequiredError {
    return new TenantContextRequiredError(
      `${name} was called ${scope === 'public' ? 'in the public scope' : 'outside any scope'}, where there is no tenant.`,
    );
  }

  /** `publicSchema` is given where that was asked for by name. */
  static forEntity(entity: string, scope: 'none' | 'other' | 'public' | 'tenant', publicSchema?: string): TenantContextRequiredError {
    if (scope === 'tenant' && publicSchema === undefined) {
      return new TenantContextRequiredError(
        `${entity} is a tenant entity, but the call names no tenant, although it was made in the scope of one. There is no schema to read or write. No SQL was sent.`,
        'Use `orm.em`, which is the EntityManager of the current scope, in place of one that was created outside of it, such as a fork that is kept from the start of the application. ' +
          'A call of the driver needs `{ schema: currentSchema() }`.',
      );
    }

    const where = {
      none: 'outside any scope',
      other: 'in a scope of another ORM than the one that was used',
      public: 'in the public scope',
      tenant: `with the public schema ${show(publicSchema)}, in which it has no table`,
    }[scope];

    return new TenantContextRequiredError(
      `${entity} is a tenant entity, but it was used ${where}. There is no schema to read or write. No SQL was sent.`,
    );
  }

  constructor(fact: string, remedy?: string) {
    super(
      'TENANT_CONTEXT_REQUIRED',
      remedy === undefined
        ? `${fact} Run the code in \`runInTenant(tenant, …)\`, serve the request behind \`tenantContext()\` on a tenant's host, or use the \`em\` of the current scope.`
        : `${fact} ${remedy}`,
    );
  }
}

/** What an ORM with tenants adds to MikroORM's refusal of the global EntityManager outside of any context. */
export function howToEnterScope(hasOtherOrm: boolean): string {
  return (
    'In an application with tenants, enter a scope first: `runInTenant(tenant, …)` or `runInPublic(…)`, or put `tenantContext()` before what serves the request. ' +
    'A fork is in no scope, and reads shared entities only.' +
    (hasOtherOrm ? ' Here is a context of another ORM that has the same `contextName`: give each ORM its own.' : '')
  );
}

/** Tenants can be created, renamed and deleted only in the public scope or outside any scope. */
export class PublicContextRequiredError extends TenantError {
  static forReport(schemaName: string): PublicContextRequiredError {
    return new PublicContextRequiredError(
      'read',
      schemaName,
      `Other tenants cannot be read in the scope of tenant ${show(schemaName)}. Nothing was read. Use \`runInPublic(…)\`.`,
    );
  }

  constructor(
    action: string,
    schemaName: string,
    message = `A tenant cannot be ${action} in the scope of tenant ${show(schemaName)}. Nothing was stored. Use \`runInPublic(…)\`.`,
  ) {
    super('PUBLIC_CONTEXT_REQUIRED', message);
  }
}

/** The tenant of the scope was renamed or dropped after the scope was entered. Another tenant may have its name now. */
export class TenantChangedError extends StatusError {
  /** The name that the tenant had. */
  readonly schemaName: string;

  /** For a framework that answers a request with it. The next request is served by the tenant that has the host then. */
  readonly status = 503;
  readonly expose = false;
  readonly headers: Readonly<Record<string, string>> = { 'Retry-After': '1' };

  constructor(schemaName: string, options?: ErrorOptions) {
    super(
      'TENANT_CHANGED',
      `Tenant ${show(schemaName)} was renamed or dropped after this work began, and another tenant may have that name now. ` +
        'The statement was not sent, or it was rolled back. Look up the tenant again by its key, and start again.',
      options,
    );
    this.schemaName = schemaName;
  }
}

/**
 * Visits of `forEachTenant()` failed. An `AggregateError`, and so no `TenantError`: what the visits threw is in `errors`, in the order of the
 * tenants.
 */
export class TenantVisitsError<Outcome extends VisitOutcome = VisitOutcome> extends AggregateError {
  readonly code: TenantErrorCode = 'TENANT_VISITS_FAILED';

  /** The tenants whose visits failed. */
  readonly schemaNames: readonly string[];

  /** Of all visits, the successful ones too. */
  readonly outcomes: readonly Outcome[];

  constructor(outcomes: readonly Outcome[]) {
    const failed = outcomes.filter(({ ok }) => !ok);
    const first = failed.slice(0, NAMED).map(({ schemaName, error }) => `${show(schemaName)} (${reasonOf(error)})`);
    const others = failed.length > NAMED ? `, and of ${failed.length - NAMED} more` : '';
    super(
      failed.map(({ error }) => error),
      `${failed.length} of ${outcomes.length} visits failed: of ${first.join(', ')}${others}. ` +
        'All tenants were visited. Read `outcomes` to see each result, or set `settle: true` to get them without this error.',
    );
    this.name = new.target.name;
    this.schemaNames = failed.map(({ schemaName }) => schemaName);
    this.outcomes = outcomes;
  }
}

interface VisitOutcome {
  readonly schemaName: string;
  readonly ok: boolean;
  readonly value?: unknown;
  readonly error?: unknown;
}

/** How many failed visits a message names. */
const NAMED = 5;

/** In a tenant's scope, the data of another tenant was requested or would have been written. */
export class CrossTenantError extends TenantError {
  /** The schema names of the two tenants: first the current one, then the other one. */
  readonly schemaNames: readonly [own: string, other: string];

  /** The property that led to the other tenant, such as `Book.author`. Undefined if no property did. */
  readonly property: string | undefined;

  static otherSchema(entity: string, wanted: string, current: string): CrossTenantError {
    return new CrossTenantError(
      `${entity} of schema ${nameOf(current, wanted)} was requested in the scope of tenant ${show(current)}. No SQL was sent. ` +
        `If you need it, enter the scope of that tenant: \`runInTenant(${show(wanted)}, …)\`.`,
      [current, wanted],
    );
  }

  /** An entity in data or in a condition. */
  static givenEntity(entity: string, [own, other]: readonly [string, string], property?: string): CrossTenantError {
    const place = property === undefined ? '' : ` as ${property}`;

    return new CrossTenantError(
      `${entity} of schema ${nameOf(own, other)} was passed to tenant ${show(own)}${place}. In tenant ${show(own)}, its key belongs to a different row. No SQL was sent. ` +
        `Load the entity of tenant ${show(own)} instead.`,
      [own, other],
      property,
    );
  }

  /** A query, or a fragment of one, in the query of another tenant. */
  static givenQuery([own, other]: readonly [string, string]): CrossTenantError {
    return new CrossTenantError(
      `A query that was built for tenant ${show(other)} was used in one of tenant ${show(own)}. No SQL was sent. ` +
        `Build it in the scope of tenant ${show(own)}, or with its EntityManager.`,
      [own, other],
    );
  }

  /** SQL that names no schema, sent by an EntityManager of another tenant. */
  static keptManager([own, other]: readonly [string, string]): CrossTenantError {
    return new CrossTenantError(
      `SQL with a name that has no schema was sent by an EntityManager of tenant ${show(other)} in the scope of tenant ${show(own)}. The name could be either tenant's. No SQL was sent. ` +
        `Use the EntityManager of the scope, or give the name its schema.`,
      [own, other],
    );
  }

  /** A value of a handler's observable. Frameworks may show the message to the visitor, so it does not name the other tenant. `own` is undefined in the public scope. */
  static sentValue(own: string | undefined, other: string): CrossTenantError {
    const answer = own === undefined ? 'an answer in the public scope' : `an answer of tenant ${show(own)}`;

    return new CrossTenantError(
      `An event that was sent in the scope of another tenant has reached ${answer}. It was not passed on: the sender runs the listeners in its own scope, so what they read is the sender's. ` +
        'Give each tenant a channel of its own (`tenantKey(…)`), or filter the events by their tenant before anything is read. Send what is for all tenants in `runInPublic(…)`.',
      [own ?? 'public', other],
    );
  }

  /** A collection of tenant rows on a shared entity. */
  static sharedCollection(property: string, [own, wanted]: readonly [string, string]): CrossTenantError {
    return new CrossTenantError(
      `${property} of tenant ${show(wanted)} was requested from an EntityManager of tenant ${show(own)}. The shared entities of tenant ${show(own)} would then hold rows of tenant ${show(wanted)}. No SQL was sent. ` +
        `Load it in \`runInTenant(${show(wanted)}, …)\`, or with \`em.fork({ schema: ${show(wanted)} })\`.`,
      [own, wanted],
      property,
    );
  }

  /** A relation of an entity in a flush. */
  static relation(property: string, own: string, other: string): CrossTenantError {
    return new CrossTenantError(
      `${property} of tenant ${show(own)} refers to an entity of tenant ${nameOf(own, other)}. What is stored of it does not tell its tenant: a foreign key would point to a different row. ` +
        `Nothing was stored. Load the entity of tenant ${show(own)} instead.`,
      [own, other],
      property,
    );
  }

  /** An entity in the flush of another tenant. */
  static foreignFlush(entity: string, [own, other]: readonly [string, string], property?: string): CrossTenantError {
    const path = property === undefined ? '' : ` (through ${property})`;

    return new CrossTenantError(
      `${entity} of tenant ${nameOf(own, other)} is part of a flush of tenant ${show(own)}${path}. Nothing was stored. Flush each tenant in its own \`runInTenant(…)\`.`,
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

// two tenants can have had the same name, or have it in two databases
function nameOf(own: string, other: string): string {
  return own === other ? `${show(other)} (another tenant)` : show(other);
}
