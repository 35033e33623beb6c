import Router, { type RouterContext } from '@koa/router';
import { schemaRouter, tenantContext, type RouterLike, type TenantMixin } from '@landlord/mikro-orm';
import Koa, { type Context, type DefaultContext, type DefaultState, type ParameterizedContext } from 'koa';
import compose from 'koa-compose';

// `npm run types` checks this file. It never runs.

type Tenant = TenantMixin<unknown> | undefined;

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

const check = <_Holds extends true>(): void => undefined;

check<Equals<Context['state']['tenant'], Tenant>>();
check<Equals<ParameterizedContext['state']['tenant'], Tenant>>();
check<Equals<RouterContext['state']['tenant'], Tenant>>();
check<Equals<DefaultState['tenant'], Tenant>>();

// in a middleware and in a route, nothing has to be annotated
new Koa().use(tenantContext()).use(ctx => {
  check<Equals<typeof ctx.state.tenant, Tenant>>();
  ctx.body = ctx.state.tenant?.schemaName;
  // @ts-expect-error there is none on a public host
  ctx.body = ctx.state.tenant.schemaName;
  // @ts-expect-error no such property of a tenant
  ctx.body = ctx.state.tenant?.schema;
});

new Router().get('/books/:id', ctx => {
  check<Equals<typeof ctx.state.tenant, Tenant>>();
  ctx.body = [ctx.params['id'], ctx.state.tenant?.domainUrl];
});

// both middlewares can be used in an application with a state and a context of its own, and in its routers
interface OwnState extends DefaultState {
  readonly user: string;
}

interface OwnContext extends DefaultContext {
  readonly log: (line: string) => void;
}

const ownRouter = new Router<OwnState, OwnContext>().get('/', ctx => {
  check<Equals<typeof ctx.state.tenant, Tenant>>();
  ctx.log(ctx.state.user);
});

new Koa<OwnState, OwnContext>().use(tenantContext()).use(schemaRouter({ public: ownRouter, tenant: ownRouter.routes() }));
new Koa<{ readonly user: string }>().use(tenantContext());

export const routers: RouterLike[] = [
  new Router(),
  new Router().routes(),
  ownRouter,
  ownRouter.routes(),
  compose([new Router().routes(), new Router().allowedMethods()]),
  compose([ownRouter.routes(), ownRouter.allowedMethods()]),
  async (ctx, next) => {
    ctx.body = 'plain';
    await next();
  },
  // @ts-expect-error an application is none
  new Koa(),
  // @ts-expect-error a name is none
  'router',
];

// @ts-expect-error both are needed
schemaRouter({ public: new Router() });

tenantContext({ notFound: 'public', notFoundStatus: 400 });
tenantContext({
  notFound: (ctx, next) => {
    check<Equals<typeof ctx.state.tenant, Tenant>>();

    return next();
  },
});
// @ts-expect-error no such answer
tenantContext({ notFound: 'private' });
