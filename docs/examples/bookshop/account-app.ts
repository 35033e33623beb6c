import { requireTenant, schemaRouter, tenantContext, type TenantEntityManager } from '@landlord/mikro-orm';
import Router from '@koa/router';
import { errors } from 'jose';
import Koa from 'koa';
import session from 'koa-session';
import { User, type Client } from './entities.js';
import { issueToken, userOfToken } from './tokens.js';

export function createAccountApp(em: TenantEntityManager): Koa {
  const router = new Router();
  const koa = new Koa();
  koa.keys = ['a secret of your environment'];

  // #region token
  router.get('/api/me', async ctx => {
    const token = ctx.get('Authorization').replace(/^Bearer /, '');

    try {
      ctx.body = (await userOfToken(em, token)).email;
    } catch (error) {
      ctx.throw(error instanceof errors.JOSEError ? 401 : 500);
    }
  });
  // #endregion token

  // #region session
  router.post('/login', async ctx => {
    const user = await em.findOneOrFail(User, { email: String(ctx.query['email']) }); // and check the password
    ctx.session!['user'] = user.id;
    ctx.session!['tenant'] = requireTenant<Client>().id;
    ctx.body = await issueToken(user);
  });

  router.get('/me', async ctx => {
    if (ctx.session!['tenant'] !== requireTenant<Client>().id) {
      ctx.session = null; // the session of another tenant, or none
      ctx.throw(401);
    }

    ctx.body = (await em.findOneOrFail(User, Number(ctx.session!['user']))).email;
  });
  // #endregion session

  koa.use(tenantContext());
  koa.use(session({ key: 'shop' }, koa));
  koa.use(schemaRouter({ public: new Router().routes(), tenant: router.routes() }));

  return koa;
}
