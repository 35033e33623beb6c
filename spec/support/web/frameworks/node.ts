import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import { json } from 'node:stream/consumers';
import { currentSchema } from '@landlord/mikro-orm';
import { tenantContext, type RequestWithTenant } from '@landlord/mikro-orm/node';
import { answerTo, endlessStream, events, longStream, readForm, scopeHere, whatIsLeft, who, type Framework } from './edge-app.ts';
import { listenWith } from './listen.ts';

export const node: Framework = {
  name: 'Node',
  parsers: ['before', 'after'],
  hasHttp2: true,
  hasTwoRouters: true,
  mounts: true,
  forwarded: 'first',
  serve: async ({ orm, options = {}, parsers = 'after', trustProxy = false, http2 = false, found, ...setup }) => {
    const bodies = new WeakMap<IncomingMessage, unknown>();
    const parse = async (req: IncomingMessage): Promise<void> => {
      if (req.method === 'POST') {
        bodies.set(req, await (req.url === '/json' ? json(req) : readForm(req.headers['content-type'], req)));
      }
    };
    const send = (res: ServerResponse, value: unknown): void => {
      res.setHeader('content-type', 'application/json');
      res.end(JSON.stringify(value));
    };
    const routes: Record<string, (req: RequestWithTenant<IncomingMessage>, res: ServerResponse) => unknown> = {
      '/who': async (req, res) => {
        send(res, await who(orm, currentSchema() === 'public' ? 'public' : 'tenant', { tenant: req.tenant, path: req.url }));
      },
      '/scope': async (_, res) => send(res, await scopeHere()),
      '/json': async (req, res) => send(res, await answerTo(orm, bodies.get(req))),
      '/form': async (req, res) => send(res, await answerTo(orm, bodies.get(req))),
      '/stream': (_, res) => longStream(orm).pipe(res),
      '/endless': (_, res) => pipeline(endlessStream({ orm, ...setup }), res, () => undefined),
      '/events': async (_, res) => {
        res.setHeader('content-type', 'text/event-stream');

        for await (const event of events(orm)) {
          res.write(`data: ${event}\n\n`);
        }

        res.end();
      },
      '/throw': () => {
        throw new Error('thrown');
      },
      '/reject': async () => {
        await who(orm, 'tenant', {});
        throw new Error('thrown');
      },
    };
    const serveTenants = tenantContext(
      async (req, res) => {
        if (parsers === 'after') {
          await parse(req);
        }

        const route = routes[String(req.url).split('?', 1)[0] as string];
        await (route === undefined ? res.writeHead(404).end('none') : route(req, res));
      },
      {
        orm,
        ...options,
        trustProxy,
        onError: (error, _req, res) => {
          const { status = 500, message, headers = {} } = error as { status?: number; message?: string; headers?: Record<string, string> };
          res.writeHead(status, headers).end(status === 500 ? 'error' : message);
        },
      },
    );

    return listenWith((req, res) => {
      found?.push(['before', whatIsLeft()]);
      res.on('close', () => found?.push(['after', whatIsLeft()]));
      void (parsers === 'before' ? parse(req) : Promise.resolve()).then(() => serveTenants(req, res));
    }, http2);
  },
};
