import type { Readable } from 'node:stream';
import { schemaRouter, tenantContext, withoutTenantPath } from '@landlord/mikro-orm/fastify';
import { fastify as createFastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { answerTo, endlessStream, events, longStream, readForm, scopeHere, whatIsLeft, who, type Framework } from './edge-app.ts';

export const fastify: Framework = {
  name: 'Fastify',
  // a body is parsed after the hook that enters the scope
  parsers: ['after'],
  hasHttp2: true,
  hasTwoRouters: true,
  mounts: false,
  forwarded: 'last',
  serve: async ({ orm, options = {}, trustProxy = false, http2 = false, found, stripPath, ...setup }) => {
    const app = createFastify({
      trustProxy,
      forceCloseConnections: true,
      ...(http2 ? { http2: true } : {}),
      ...(stripPath === undefined ? {} : { rewriteUrl: withoutTenantPath(stripPath) }),
    } as object) as FastifyInstance;
    app.addHook('onRequest', (_request, reply, next) => {
      found?.push(['before', whatIsLeft()]);
      reply.raw.on('close', () => found?.push(['after', whatIsLeft()]));
      next();
    });
    app.addContentTypeParser('multipart/form-data', (request: FastifyRequest, payload: Readable) =>
      readForm(request.headers['content-type'], payload),
    );
    await app.register(tenantContext, { orm, ...options });
    const seen = ({ tenant, url }: FastifyRequest): Parameters<typeof who>[2] => ({ tenant, path: url });
    await app.register(schemaRouter, {
      public: async (scoped: FastifyInstance) => {
        scoped.get('/who', request => who(orm, 'public', seen(request)));
      },
      tenant: async (scoped: FastifyInstance) => {
        scoped.get('/who', request => who(orm, 'tenant', seen(request)));
        scoped.get('/t/:tenant/who', request => who(orm, 'tenant', seen(request)));
        scoped.get('/scope', () => scopeHere());
        scoped.post('/json', ({ body }) => answerTo(orm, body));
        scoped.post('/form', ({ body }) => answerTo(orm, body));
        scoped.get('/stream', async () => longStream(orm));
        scoped.get('/endless', async () => endlessStream({ orm, ...setup }));
        scoped.get('/events', sendEvents);
        scoped.get('/throw', () => {
          throw new Error('thrown');
        });
        scoped.get('/reject', async () => {
          await who(orm, 'tenant', {});
          throw new Error('thrown');
        });
      },
    });
    await app.listen({ port: 0, host: '127.0.0.1' });

    return { port: (app.server.address() as { readonly port: number }).port, close: () => app.close() };

    async function sendEvents(_request: FastifyRequest, reply: FastifyReply): Promise<void> {
      reply.hijack();
      reply.raw.setHeader('content-type', 'text/event-stream');

      for await (const event of events(orm)) {
        reply.raw.write(`data: ${event}\n\n`);
      }

      reply.raw.end();
    }
  },
};
