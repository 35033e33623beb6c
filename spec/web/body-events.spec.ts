import 'reflect-metadata';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { Agent } from 'node:http';
import { createRequire } from 'node:module';
import { Writable } from 'node:stream';
import { callbackify } from 'node:util';
import { currentSchema, runInTenant, tenantContext as koaContext, TenantMixin, tenants } from '@landlord/mikro-orm';
import { tenantContext as expressContext } from '@landlord/mikro-orm/express';
import { tenantContext as fastifyContext } from '@landlord/mikro-orm/fastify';
import { TenantsModule } from '@landlord/mikro-orm/nest';
import { tenantContext as nodeContext } from '@landlord/mikro-orm/node';
import { defineEntity } from '@mikro-orm/core';
import { Controller, Module, Post, Req } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { expect } from 'chai';
import express5 from 'express';
import Fastify from 'fastify';
import Koa from 'koa';
import { onDatabases } from '../support/databases/database.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';
import { decorate, decorateParameters } from '../support/web/frameworks/decorate.ts';
import type { EdgeServer } from '../support/web/frameworks/edge-app.ts';
import { listenWith } from '../support/web/frameworks/listen.ts';
import { send } from '../support/web/http.ts';

const require = createRequire(import.meta.url);
const express4 = require('express4') as typeof express5;

class Firm extends TenantMixin {}
defineEntity({ class: Firm, extends: TenantMixin as never, properties: {} });

/** A parser of users' kind, which calls back from an event of the request: as `raw-body` before 2.4.2 does, and `multer` before 2. */
type Parser = (req: IncomingMessage, next: (body: string) => void) => void;

const PARSERS: Readonly<Record<string, Parser>> = {
  'by its data and its end': (req, next) => {
    let body = '';
    req.on('data', chunk => (body += String(chunk)));
    req.on('end', () => next(body));
  },
  'through a pipe': (req, next) => {
    let body = '';
    const form = new Writable({
      write(chunk, _encoding, done) {
        body += String(chunk);
        done();
      },
    });
    form.on('finish', () => next(body));
    req.pipe(form);
  },
  'by reads': (req, next) => {
    let body = '';
    req.on('readable', () => {
      for (let chunk = req.read() as Buffer | null; chunk !== null; chunk = req.read() as Buffer | null) {
        body += chunk.toString();
      }
    });
    req.on('end', () => next(body));
  },
};

onDatabases('what reads the body of a request', database => {
  let orm: SpecOrm;
  const servers: EdgeServer[] = [];

  before(async () => {
    orm = await openNoteOrm(database, Firm);

    for (const [place, name] of NAMES.entries()) {
      await tenants(orm).create({ schemaName: name, domainUrl: `${name}.example.com` });
      await runInTenant(name, em => em.persist(Array.from({ length: place + 1 }, () => em.create(Note, { text: name }))).flush());
    }
  });

  afterEach(() => Promise.all(servers.splice(0).map(server => server.close())));

  const answer = async (body: string): Promise<string> => `${body} ${currentSchema()} ${await orm.em.count(Note, {})}`;

  const ofExpress = (express: typeof express5, parse: Parser, options: object = {}): RequestListener =>
    express()
      .use(expressContext({ orm, ...options }))
      .use((req, _res, next) => parse(req, body => next(Object.assign(req, { body }) && undefined)))
      .use((req, res, next) => void answer(String(req.body)).then(text => res.send(text), next));

  const APPS: Readonly<Record<string, (parse: Parser) => Promise<EdgeServer>>> = {
    'Express 5': parse => listenWith(ofExpress(express5, parse)),
    'Express 4': parse => listenWith(ofExpress(express4, parse)),
    'Express with a function for hosts that are unknown': parse => {
      const notFound = (req: IncomingMessage, _res: unknown, next: () => void): unknown =>
        runInTenant(String(req.headers['x-tenant']), async () => next());

      return listenWith(ofExpress(express5, parse, { resolvers: [() => undefined], notFound }));
    },
    Node: parse =>
      listenWith(
        nodeContext((req: IncomingMessage, res: ServerResponse) => parse(req, body => void answer(body).then(text => res.end(text))), {
          orm,
        }),
      ),
    Koa: parse => {
      const app = new Koa();
      app.use(koaContext({ orm })).use(async ctx => {
        ctx.body = await new Promise<string>((resolve, reject) => parse(ctx.req, body => void answer(body).then(resolve, reject)));
      });

      const handle = app.callback();

      return listenWith((req, res) => void handle(req, res));
    },
    Fastify: async parse => {
      const app = Fastify();
      await app.register(fastifyContext, { orm } as never);
      app.addContentTypeParser('text/own', (_request, payload, done) => parse(payload, body => callbackify(answer)(body, done)));
      app.post('/', async request => request.body);
      await app.listen({ host: '127.0.0.1', port: 0 });

      return { port: (app.server.address() as { readonly port: number }).port, close: () => app.close() };
    },
    Nest: async parse => {
      class Notes {
        add(req: { readonly body: string }): Promise<string> {
          return answer(req.body);
        }
      }

      decorate(Notes, [Controller()], { add: [Post()] });
      decorateParameters(Notes, 'add', [Req()]);

      class App {
        configure(consumer: { apply(fn: unknown): { forRoutes(path: string): unknown } }): void {
          consumer
            .apply((req: IncomingMessage, _res: unknown, next: () => void) => parse(req, body => (Object.assign(req, { body }), next())))
            .forRoutes('{*path}');
        }
      }

      Module({ imports: [TenantsModule.forRoot({ orm })], controllers: [Notes] })(App);
      const app = await NestFactory.create(App, { logger: false, abortOnError: false, bodyParser: false });
      const server = (await app.listen(0, '127.0.0.1')) as { address(): { readonly port: number }; closeAllConnections(): void };

      return {
        port: server.address().port,
        close: () => {
          server.closeAllConnections();

          return app.close();
        },
      };
    },
  };

  for (const [app, serve] of Object.entries(APPS)) {
    for (const [how, parse] of Object.entries(PARSERS)) {
      it(`E1 S3 and calls back from its events, ${how}, goes on in the scope of its own host: ${app}`, async () => {
        const server = await serve(parse);
        servers.push(server);
        // hosts in turn on few connections
        const agent = new Agent({ keepAlive: true, maxSockets: 2 });
        const names = Array.from({ length: 12 }, (_, index) => NAMES[index % NAMES.length] as string);

        try {
          const answers = await Promise.all(
            names.map((name, index) =>
              send({
                port: server.port,
                method: 'POST',
                path: '/',
                agent,
                headers: { host: `${name}.example.com`, 'x-tenant': name, 'content-type': 'text/own' },
                body: `${index} ${'long '.repeat(index % 2 === 0 ? 1 : 40_000)}`,
              }),
            ),
          );

          expect(answers.map(({ body }) => body.replaceAll('long ', ''))).to.deep.equal(
            names.map((name, index) => `${index}  ${name} ${NAMES.indexOf(name) + 1}`),
          );
        } finally {
          agent.destroy();
        }
      });
    }
  }
});

const NAMES = ['acme', 'bob', 'carl'];
