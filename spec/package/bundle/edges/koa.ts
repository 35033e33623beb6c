import { bodyParser } from '@koa/bodyparser';
import Router from '@koa/router';
import { schemaRouter, tenantContext } from '@landlord/mikro-orm/koa';
import Koa from 'koa';
import type { AddressInfo } from 'node:net';
import { addBook, booksHere, openShop, PUBLIC_PAGE, untilStopped } from './shop.ts';

const orm = await openShop();
const publicRouter = new Router().get('/', ctx => void (ctx.body = PUBLIC_PAGE));
const tenantRouter = new Router();
tenantRouter.get('/', async ctx => void (ctx.body = await booksHere(orm)));
tenantRouter.post('/books', async ctx => void (ctx.body = await addBook(orm, ctx.request.body)));

const app = new Koa()
  .use(bodyParser())
  .use(tenantContext())
  .use(schemaRouter({ public: publicRouter, tenant: tenantRouter }));
const server = app.listen(0, '127.0.0.1', () => {
  untilStopped(orm, (server.address() as AddressInfo).port, () => new Promise(resolve => server.close(resolve)));
});
