import {
  requireTenant,
  runInPublic,
  schemaRouter,
  tenantContext,
  type TenantContextOptions,
  type TenantEntityManager,
} from '@landlord/mikro-orm';
import Router from '@koa/router';
import Koa from 'koa';
import { Book, Client } from './entities.js';

/** The global `em` of the ORM: in a tenant's scope it works on that tenant. */
export function createApp(em: TenantEntityManager, options: TenantContextOptions = {}): Koa {
  const publicRouter = new Router();
  const tenantRouter = new Router();

  publicRouter.get('/', async ctx => {
    ctx.body = await runInPublic(inner => inner.count(Client));
  });

  tenantRouter.get('/', ctx => {
    ctx.body = requireTenant<Client>().name;
  });

  tenantRouter.get('/books', async ctx => {
    ctx.body = await em.find(Book, {}, { orderBy: { id: 1 } });
  });

  const koa = new Koa();

  // #region health
  // before tenantContext(): a probe names the address of the pod as its host, and no tenant has that
  koa.use(async (ctx, next) => {
    if (ctx.path === '/healthz') {
      ctx.status = 204;
    } else {
      await next();
    }
  });
  // #endregion health

  koa.use(tenantContext(options));
  koa.use(schemaRouter({ public: publicRouter.routes(), tenant: tenantRouter.routes() }));

  return koa;
}
