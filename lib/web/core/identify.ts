import type { HeldRow } from '../../directory/held-tenant.js';
import {
  DirectoryUnavailableError,
  InvalidHostError,
  ResolverError,
  TenantForbiddenError,
  TenantMaintenanceError,
  TenantNotServedError,
  TenantSuspendedError,
  UnknownHostError,
} from '../../errors/index.js';
import type { OrmOption } from '../../scope/live-orms.js';
import { Tenancy } from '../../tenancy.js';
import type { TenantMixin } from '../../tenant/tenant-mixin.js';
import { PublicIdentification, TenantIdentification, type Identification, type NotServed } from './identification.js';
import { observeResolution } from './observe-resolution.js';
import { redirectOf, type RedirectOptions } from './redirect-to-primary.js';
import { byHostname, type NamedTenant, type TenantResolver } from './resolvers.js';
import { runAs } from './run-as.js';
import { tenantKeyOf } from './tenant-key.js';
import { ResolvedRequest, type WebRequest } from './web-request.js';

/** `NotFound` is a handler that an edge calls for an unknown tenant. `identify()` itself calls none. */
export interface IdentifyOptions<Context = any, NotFound = never> extends OrmOption {
  /**
   * How the tenant of a request is found. The first resolver that knows decides. If none knows, the tenant is unknown.
   *
   * @default [byHostname()]
   */
  readonly resolvers?: readonly TenantResolver<Context>[];

  /**
   * Whether this request may use this tenant. It runs in the tenant's scope, for each request. If the answer is false, the visitor is answered
   * as for a tenant that does not exist, so that nobody learns which tenants there are. If it throws, the request fails with that error.
   * It gets what the framework gives to its own handlers: put what authenticates before `tenantContext()`.
   *
   * @default every request may
   */
  readonly authorize?: (context: Context, tenant: TenantMixin<unknown>) => boolean | Promise<boolean>;

  /**
   * The status for a request that `authorize` refuses, for example 403. It tells the visitor that the tenant exists.
   *
   * @default as for an unknown tenant
   */
  readonly forbiddenStatus?: number;

  /**
   * The status for a request to a suspended tenant, for example 402 or 403. It tells the visitor that the tenant exists.
   *
   * @default as for an unknown tenant
   */
  readonly suspendedStatus?: number;

  /** How requests to a tenant in maintenance are answered. */
  readonly maintenance?: MaintenanceOptions<Context>;

  /**
   * What happens if no tenant is found, or `authorize` refuses it. `'error'` answers with `notFoundStatus`. `'public'` serves the public routes.
   *
   * @default 'error'
   */
  readonly notFound?: 'error' | 'public' | NotFound;

  /** The HTTP status for an unknown tenant, for example 400. @default 404 */
  readonly notFoundStatus?: number;

  /**
   * Whether a request on another host of the tenant than its primary domain is answered with a redirect there: status 308, which keeps method,
   * path and query. It needs the option `domains` of `withTenants()`. Without a `port`, the redirect has none, so set it where visitors use
   * one, as in development: `{ port: 3000 }`. Requests that `authorize` refuses are not redirected.
   *
   * @default false
   */
  readonly redirectToPrimary?: boolean | RedirectOptions;
}

export interface MaintenanceOptions<Context = any> {
  /** When the visitor may try again: the `Retry-After` of the answer, in seconds. @default 60 */
  readonly retryAfterSeconds?: number;

  /**
   * Whether this request is served all the same, for example that of an operator. It runs in the tenant's scope. `authorize` is asked after it.
   *
   * @default none is
   */
  readonly bypass?: (context: Context, tenant: TenantMixin<unknown>) => boolean | Promise<boolean>;
}

/**
 * Says who is meant by a request: a tenant, the public scope, or nobody that is served. `runAs()` then enters the scope. Returns a promise only
 * if a tenant has to be looked up or a function of yours returns one. A known tenant costs no query.
 *
 * `context` is given to resolvers and to `authorize`. By default it is the request.
 *
 * @throws ResolverError `RESOLVER_FAILED` if a resolver throws, `RESOLVER_INVALID` if it names a tenant by a property that is not unique.
 * @throws OrmSelectionError `ORM_WITHOUT_TENANTS`, `NO_ORM` or `SEVERAL_ORMS`.
 */
export function identify<Context = any>(
  request: WebRequest,
  options: IdentifyOptions<Context, unknown> = {},
  context: Context = request as Context,
): Identification | Promise<Identification> {
  const { resolvers = BY_HOSTNAME } = options;
  const tenancy = Tenancy.select(options);
  const asked: Asked<Context> = { tenancy, options, context, sent: request, request: new ResolvedRequest(request, tenancy.rules, context) };
  const { observer } = tenancy.rules;

  return observer === undefined ? decide(resolvers, asked) : observeResolution(observer, () => decide(resolvers, asked));
}

function decide(resolvers: readonly TenantResolver[], asked: Asked): Identification | Promise<Identification> {
  try {
    const answer = ask(resolvers, asked.request, 0);

    return answer instanceof Promise ? answer.then(each => find(each, asked)).catch(refuse) : find(answer, asked);
  } catch (error) {
    return refuse(error);
  }
}

/** Asks the resolvers in turn, without a promise as long as none of them returns one. */
function ask(resolvers: readonly TenantResolver[], request: ResolvedRequest<unknown>, first: number): Answer | Promise<Answer> {
  for (let index = first; index < resolvers.length; index += 1) {
    const answer = answerOf(resolvers[index] as TenantResolver, request);

    if (answer instanceof Promise) {
      return answer.then(each => (each === undefined ? ask(resolvers, request, index + 1) : each));
    }

    if (answer !== undefined) {
      return answer;
    }
  }

  return undefined;
}

function answerOf(resolver: TenantResolver, request: ResolvedRequest<unknown>): Answer | Promise<Answer> {
  try {
    const answer = resolver(request);

    return answer instanceof Promise ? answer.then(checked, fail) : checked(answer);
  } catch (error) {
    return fail(error);
  }
}

// a fall-back would be the next resolver, and so another tenant
function fail(error: unknown): never {
  throw error instanceof InvalidHostError || error instanceof ResolverError ? error : ResolverError.failed(error);
}

function checked(answer: unknown): Answer {
  const { property, value } = (answer ?? {}) as Partial<NamedTenant>;
  const isKey = typeof property === 'string' && (typeof value === 'string' || typeof value === 'number');

  if (answer !== undefined && answer !== 'public' && !isKey) {
    throw ResolverError.invalidAnswer(answer);
  }

  return answer as Answer;
}

function find(answer: Answer, asked: Asked): Identification | Promise<Identification> {
  const { tenancy } = asked;

  if (answer === 'public') {
    return new PublicIdentification(tenancy);
  }

  const key = answer && tenantKeyOf(tenancy.rules, answer);

  if (answer === undefined || key === undefined) {
    return unknown(answer, asked);
  }

  const held = tenancy.findHeld(key);

  // nearly every request finds a cached tenant, and then needs no promise
  return held instanceof Promise ? held.then(each => toPrimary(each, answer, asked), refuse) : toPrimary(held, answer, asked);
}

/** Sends a request that is served to the tenant's primary domain, if that is wanted. */
function toPrimary(held: HeldRow | undefined, named: NamedTenant, asked: Asked): Identification | Promise<Identification> {
  const { redirectToPrimary } = asked.options;
  const redirected = held && redirectToPrimary ? redirectOf(held, named, { request: asked.sent, options: redirectToPrimary }) : undefined;
  const admitted = admit(held, named, asked);

  if (redirected === undefined) {
    return admitted;
  }

  const decide = (found: Identification): Identification => (found.kind === 'tenant' ? redirected : found);

  return admitted instanceof Promise ? admitted.then(decide) : decide(admitted);
}

/** Decides whether the tenant is served to this request. */
function admit(held: HeldRow | undefined, named: NamedTenant, asked: Asked): Identification | Promise<Identification> {
  const { tenancy } = asked;

  if (held === undefined) {
    return unknown(named, asked);
  }

  if (tenancy.rules.isPublicTenant(held)) {
    return new PublicIdentification(tenancy, named.mountPath);
  }

  if (held.state === 'suspended') {
    return suspended(named, asked);
  }

  const found = new TenantIdentification(tenancy, held, named.mountPath);

  return held.state === 'maintenance' ? inMaintenance(found, named, asked) : authorized(found, named, asked);
}

function authorized(found: TenantIdentification, named: NamedTenant, asked: Asked): Identification | Promise<Identification> {
  const { context, options } = asked;
  const { authorize } = options;

  if (authorize === undefined) {
    return found;
  }

  const decide = (isAllowed: unknown): Identification => (isAllowed === true ? found : forbidden(named, asked));
  const isAllowed = runAs(found, () => authorize(context, found.tenant));

  return isAllowed instanceof Promise ? isAllowed.then(decide) : decide(isAllowed);
}

function inMaintenance(found: TenantIdentification, named: NamedTenant, asked: Asked): Identification | Promise<Identification> {
  const { context, options } = asked;
  const { bypass, retryAfterSeconds } = options.maintenance ?? {};
  const decide = (isLetIn: unknown): Identification | Promise<Identification> =>
    isLetIn === true ? authorized(found, named, asked) : { kind: 'unavailable', error: new TenantMaintenanceError(retryAfterSeconds) };
  const isLetIn = bypass === undefined ? false : runAs(found, () => bypass(context, found.tenant));

  return isLetIn instanceof Promise ? isLetIn.then(decide) : decide(isLetIn);
}

function suspended(named: NamedTenant, asked: Asked): Identification {
  const { suspendedStatus } = asked.options;

  return suspendedStatus === undefined ? unknown(named, asked) : { kind: 'refused', error: new TenantSuspendedError(suspendedStatus) };
}

function forbidden(named: NamedTenant, asked: Asked): Identification {
  const { forbiddenStatus } = asked.options;

  return forbiddenStatus === undefined ? unknown(named, asked) : { kind: 'refused', error: new TenantForbiddenError(forbiddenStatus) };
}

/** What is answered depends on the request alone, so that a refusal looks the same. */
function unknown(named: NamedTenant | undefined, { options, tenancy }: Asked): Identification {
  const { notFound, notFoundStatus = 404 } = options;

  if (notFound === 'public') {
    return new PublicIdentification(tenancy);
  }

  const isByHost = named?.property === 'domainUrl';

  return {
    kind: 'unknown',
    error: isByHost ? new UnknownHostError(String(named.value), notFoundStatus) : new TenantNotServedError(notFoundStatus),
  };
}

function refuse(error: unknown): NotServed {
  if (error instanceof InvalidHostError) {
    return { kind: 'refused', error };
  }

  if (error instanceof DirectoryUnavailableError) {
    return { kind: 'unavailable', error };
  }

  throw error;
}

type Answer = NamedTenant | 'public' | undefined;

interface Asked<Context = any> {
  readonly tenancy: Tenancy;
  readonly options: IdentifyOptions<Context, unknown>;
  readonly context: Context;
  readonly request: ResolvedRequest<Context>;
  readonly sent: WebRequest;
}

const BY_HOSTNAME = [byHostname()];
