import { Readable } from 'node:stream';
import { bodyParser } from '@koa/bodyparser';
import Router from '@koa/router';
import { schemaRouter, tenantContext } from '@landlord/mikro-orm/koa';
import Koa from 'koa';
import { answerTo, endlessStream, events, longStream, readForm, scopeHere, whatIsLeft, who, type Framework } from './edge-app.ts';
import { listenWith } from './listen.ts';

export const koa: Framework = {
  name: 'Koa',
  parsers: ['before', 'after'],
  hasHttp2: true,
  hasTwoRouters: true,
  mounts: true,
  forwarded: 'first',
  serve: async ({ orm, options = {}, parsers = 'after', trustProxy = false, http2 = false, found, ...setup }) => {
    const app = new Koa({ proxy: trustProxy });
    app.silent = true;
    app.use(async (_, next) => {
      found?.push(['before', whatIsLeft()]);
      await next().finally(() => found?.push(['after', whatIsLeft()]));
    });
    const parse: Koa.Middleware = async (ctx, next) => {
      if (ctx.is('multipart')) {
        ctx.request.body = await readForm(ctx.get('content-type'), ctx.req);
      }

      return next();
    };

    if (parsers === 'before') {
      app.use(bodyParser()).use(parse);
    }

    app.use(tenantContext({ orm, ...options }));

    if (parsers === 'after') {
      app.use(bodyParser()).use(parse);
    }

    const publicRouter = new Router();
    publicRouter.get('/who', async ctx => (ctx.body = await who(orm, 'public', { tenant: ctx.state.tenant, path: ctx.path })));
    const router = new Router();
    router.get('/who', async ctx => (ctx.body = await who(orm, 'tenant', { tenant: ctx.state.tenant, path: ctx.path })));
    router.get('/scope', async ctx => (ctx.body = await scopeHere()));
    router.post(['/json', '/form'], async ctx => (ctx.body = await answerTo(orm, ctx.request.body)));
    router.get('/stream', ctx => void (ctx.body = longStream(orm)));
    router.get('/endless', ctx => void (ctx.body = endlessStream({ orm, ...setup })));
    router.get('/events', ctx => {
      ctx.type = 'text/event-stream';
      ctx.body = Readable.from(events(orm)).map((event: string) => `data: ${event}\n\n`);
    });
    router.get('/throw', () => {
      throw new Error('thrown');
    });
    router.get('/reject', async () => {
      await who(orm, 'tenant', {});
      throw new Error('thrown');
    });
    app.use(schemaRouter({ public: publicRouter, tenant: router }));

    const answer = app.callback();

    return listenWith((req, res) => void answer(req, res), http2);
  },
};
