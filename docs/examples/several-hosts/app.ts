import { primaryHostOf, tenantContext } from '@landlord/mikro-orm';
import Koa from 'koa';

// #region app
const koa = new Koa();
koa.use(tenantContext({ redirectToPrimary: true }));
// #endregion app

// #region link
koa.use(ctx => {
  const tenant = ctx.state.tenant;
  ctx.body = tenant && `https://${primaryHostOf(tenant)}/welcome`;
});
// #endregion link

export default koa;
