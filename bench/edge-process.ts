import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { defineConfig, MikroORM } from '@mikro-orm/postgresql';
import express from 'express';
import { fastify } from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import { APPLICATION, USED, useApplication } from './application.ts';
import type { Side } from './orm-process.ts';

/** One application of one framework in a process of its own: with its edge, or on MikroORM alone, which never loads this library. */
const [name, side, url] = process.argv.slice(2) as [string, Side, string];
const isOurs = side === 'tenants';
const notes = isOurs ? await withTenants() : await alone();

const APPS: Readonly<Record<string, () => Promise<RequestListener>>> = {
  koa: async () => {
    const app = new Koa();

    if (isOurs) {
      app.use((await import('@landlord/mikro-orm/koa')).tenantContext());
    }

    app.use(async ctx => {
      ctx.body = await notes(ctx.req);
    });
    const answer = app.callback();

    return (req, res) => void answer(req, res);
  },
  express: async () => {
    const app = express();

    if (isOurs) {
      app.use((await import('@landlord/mikro-orm/express')).tenantContext());
    }

    return app.get('/', async (req, res) => void res.json(await notes(req)));
  },
  fastify: async () => {
    const app = fastify();

    if (isOurs) {
      await app.register((await import('@landlord/mikro-orm/fastify')).tenantContext);
    }

    app.get('/', ({ raw }) => notes(raw));
    await app.ready();

    return (req, res) => app.routing(req, res);
  },
  hono: async () => {
    const app = new Hono<{ Bindings: { incoming: IncomingMessage } }>();

    if (isOurs) {
      app.use((await import('@landlord/mikro-orm/hono')).tenantContext());
    }

    app.get('/', async c => c.json(await notes(c.env.incoming)));
    const answer = getRequestListener(app.fetch);

    return (req, res) => void answer(req, res);
  },
  node: async () => {
    const handle = async (req: IncomingMessage, res: Parameters<RequestListener>[1]): Promise<void> => {
      res.setHeader('content-type', 'application/json');
      res.end(JSON.stringify(await notes(req)));
    };

    return isOurs ? (await import('@landlord/mikro-orm/node')).tenantContext(handle) : (req, res) => void handle(req, res);
  },
};

const listener = (await APPS[name]?.()) as RequestListener;
const server = createServer(listener);
await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
process.on('disconnect', () => process.exit());
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.(user + system);
});
process.send?.((server.address() as AddressInfo).port);

type Notes = (req: IncomingMessage) => Promise<object[]>;

async function withTenants(): Promise<Notes> {
  const { runInTenant } = await import('@landlord/mikro-orm');
  const { migrationOf, Note, openOrm } = await import('./domain.ts');
  const orm = await openOrm(url, [migrationOf('Migration0', [])], 10, {}, APPLICATION);
  await runInTenant(USED, scoped => useApplication(() => scoped.fork()));

  return () => orm.em.find(Note, {});
}

async function alone(): Promise<Notes> {
  const { Note, NoteSchema } = await import('./note.ts');
  const orm = await MikroORM.init(defineConfig({ entities: [NoteSchema, ...APPLICATION], clientUrl: url, pool: { max: 10 } }) as never);
  await useApplication(() => orm.em.fork({ schema: USED }));

  return async ({ headers: { host = '' } }) => orm.em.fork({ schema: host.slice(0, host.indexOf('.')) }).find(Note, {});
}
