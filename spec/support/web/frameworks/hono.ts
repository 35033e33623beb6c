import { createServer as createHttp2Server } from 'node:http2';
import { Readable } from 'node:stream';
import { serve, type ServerType } from '@hono/node-server';
import { schemaRouter, tenantContext, withoutTenantPath } from '@landlord/mikro-orm/hono';
import { Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import { answerTo, endlessStream, events, longStream, scopeHere, textOfForm, whatIsLeft, who, type Framework } from './edge-app.ts';

export const hono: Framework = {
  name: 'Hono',
  parsers: ['before', 'after'],
  hasHttp2: true,
  hasTwoRouters: true,
  mounts: false,
  forwarded: 'first',
  serve: async ({ orm, options = {}, parsers = 'after', trustProxy = false, http2 = false, found, stripPath, ...setup }) => {
    const app = new Hono(stripPath === undefined ? {} : { getPath: withoutTenantPath(stripPath) });
    app.use(async (_, next) => {
      found?.push(['before', whatIsLeft()]);
      await next();
      found?.push(['after', whatIsLeft()]);
    });
    app.onError((error, c) => ('getResponse' in error ? (error as { getResponse(): Response }).getResponse() : c.text('error', 500)));

    if (parsers === 'before') {
      app.use('/json', async (c, next) => {
        await c.req.json();
        await next();
      });
      app.use('/form', async (c, next) => {
        await c.req.formData();
        await next();
      });
    }

    app.use(tenantContext({ orm, ...options, trustProxy }));
    const publicRouter = new Hono();
    publicRouter.get('/who', async c => c.json(await who(orm, 'public', { tenant: c.get('tenant'), path: c.req.path })));
    const router = new Hono();
    router.get('/who', async c => c.json(await who(orm, 'tenant', { tenant: c.var.tenant, path: c.req.path })));
    router.get('/t/:tenant/who', async c => c.json(await who(orm, 'tenant', { tenant: c.get('tenant'), path: c.req.path })));
    router.get('/scope', async c => c.json(await scopeHere()));
    router.post('/json', async c => c.json(await answerTo(orm, await c.req.json())));
    router.post('/form', async c => c.json(await answerTo(orm, await textOfForm(await c.req.formData()))));
    router.get('/stream', c => c.body(Readable.toWeb(longStream(orm)) as never));
    router.get('/endless', () => new Response(Readable.toWeb(endlessStream({ orm, ...setup })) as never));
    router.get('/events', c =>
      streamSSE(c, async stream => {
        for await (const data of events(orm)) {
          await stream.writeSSE({ data });
        }
      }),
    );
    router.get('/throw', () => {
      throw new Error('thrown');
    });
    router.get('/reject', async () => {
      await who(orm, 'tenant', {});
      throw new Error('thrown');
    });
    app.route('/', schemaRouter({ public: publicRouter, tenant: router }));

    return new Promise(resolve => {
      const server: ServerType = serve(
        { fetch: app.fetch, port: 0, hostname: '127.0.0.1', ...(http2 ? { createServer: createHttp2Server } : {}) },
        ({ port }) => {
          const sockets = new Set<{ destroy(): unknown }>();
          server.on('connection', (socket: { destroy(): unknown; on(event: 'close', listener: () => void): unknown }) => {
            sockets.add(socket);
            socket.on('close', () => sockets.delete(socket));
          });
          resolve({
            port,
            close: () => {
              const closed = new Promise(done => server.close(done));
              sockets.forEach(socket => socket.destroy());

              return closed;
            },
          });
        },
      );
    });
  },
};
