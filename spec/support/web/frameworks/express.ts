import { createRequire } from 'node:module';
import { pipeline } from 'node:stream';
import { schemaRouter, tenantContext } from '@landlord/mikro-orm/express';
import express5, { type RequestHandler } from 'express';
import { answerTo, endlessStream, events, longStream, scopeHere, whatIsLeft, who, type EdgeSetup, type Framework } from './edge-app.ts';
import { listenWith } from './listen.ts';

const require = createRequire(import.meta.url);
const express4 = require('express4') as typeof express5;
const multer = require('multer') as () => { single(name: string): RequestHandler };

export const expressOf5 = frameworkOf('Express 5', express5);

export const expressOf4 = frameworkOf('Express 4', express4);

function frameworkOf(name: string, express: typeof express5): Framework {
  return {
    name,
    parsers: ['before', 'after'],
    hasHttp2: false,
    hasTwoRouters: true,
    mounts: true,
    forwarded: 'first',
    serve: async setup => listenWith(appOf(express, setup)),
  };
}

function appOf(
  express: typeof express5,
  { orm, options = {}, parsers = 'after', trustProxy = false, found, ...setup }: EdgeSetup,
): ReturnType<typeof express5> {
  const app = express();
  app.set('trust proxy', trustProxy);
  // without pages for developers, and without writing errors to the console
  app.set('env', 'test');
  app.use((_req, res, next) => {
    found?.push(['before', whatIsLeft()]);
    res.on('close', () => found?.push(['after', whatIsLeft()]));
    next();
  });
  const parse = [express.json(), multer().single('file')];

  if (parsers === 'before') {
    app.use(...parse);
  }

  app.use(tenantContext({ orm, ...options }));

  if (parsers === 'after') {
    app.use(...parse);
  }

  const publicRouter = express.Router();
  publicRouter.get('/who', async (req, res) => void res.json(await who(orm, 'public', req)));
  const router = express.Router();
  router.get('/who', async (req, res, next) => {
    try {
      res.json(await who(orm, 'tenant', req));
    } catch (error) {
      // Express 4 waits for no promise
      next(error);
    }
  });
  router.get('/scope', async (_req, res) => void res.json(await scopeHere()));
  router.post('/json', async (req, res) => void res.json(await answerTo(orm, req.body)));
  router.post('/form', async (req, res) => {
    const { file } = req as unknown as { readonly file: { readonly buffer: Buffer } };
    res.json(await answerTo(orm, { name: req.body.name, file: file.buffer.toString() }));
  });
  router.get('/stream', (_req, res) => void longStream(orm).pipe(res));
  router.get('/endless', (_req, res) => void pipeline(endlessStream({ orm, ...setup }), res, () => undefined));
  router.get('/events', async (_req, res) => {
    res.type('text/event-stream');

    for await (const event of events(orm)) {
      res.write(`data: ${event}\n\n`);
    }

    res.end();
  });
  router.get('/throw', () => {
    throw new Error('thrown');
  });
  router.get('/reject', async (_req, _res, next) => {
    await who(orm, 'tenant', {});
    // Express 4 waits for no promise
    next(new Error('thrown'));
  });
  app.use(schemaRouter({ public: publicRouter, tenant: router }));

  return app;
}
