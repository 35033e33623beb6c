import {
  byClaim,
  byHeader,
  byHostname,
  byPath,
  bySubdomain,
  tenantContext,
  tenantUrl,
  tlsCheck,
  type TenantMixin,
  type TenantResolver,
} from '@landlord/mikro-orm';
import Koa, { type Context, type Middleware } from 'koa';

/** Stands for the application's own authentication. */
const authenticate: Middleware = async (ctx, next) => {
  const sent = ctx.get('x-user');
  ctx.state['user'] = sent === '' ? undefined : JSON.parse(sent);
  await next();
};

// #region chain
export const chained = new Koa().use(tenantContext({ resolvers: [bySubdomain('example.com'), byHostname()] }));
// #endregion chain

// #region header
export const behindGateway = new Koa().use(tenantContext({ resolvers: [byHeader('x-tenant', { trusted: true })] }));
// #endregion header

// #region path
export const mounted = new Koa().use(tenantContext({ resolvers: [byPath('/t/:tenant'), byHostname()] }));
// #endregion path

// #region claim
export const forTokens = new Koa().use(authenticate).use(
  tenantContext({
    resolvers: [byClaim((ctx: Context) => ctx.state['user']?.tenantId, { property: 'id' })],
  }),
);
// #endregion claim

// #region own
const byApiKey: TenantResolver<Context> = request => {
  const [name] = request.header('x-api-key')?.split('.') ?? [];
  return name === undefined ? undefined : { property: 'schemaName', value: name };
};

export const forKeys = new Koa().use(tenantContext({ resolvers: [byApiKey] }));
// #endregion own

// #region authorize
export const forMembers = new Koa().use(authenticate).use(
  tenantContext({
    authorize: (ctx, tenant) => ctx.state['user']?.tenants.includes(tenant.schemaName) === true,
  }),
);
// #endregion authorize

// #region url
export function invitation(tenant: TenantMixin): string {
  return tenantUrl(tenant, '/join?from=mail');
}
// #endregion url

// #region tls
export const certificates = tlsCheck({ resolvers: [bySubdomain('example.com'), byHostname()] });
// #endregion tls
