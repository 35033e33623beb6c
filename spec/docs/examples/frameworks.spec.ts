import 'reflect-metadata';
import { on, once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { getRequestListener } from '@hono/node-server';
import * as landlord from '@landlord/mikro-orm';
import { runInTenant, tenants, withTenants } from '@landlord/mikro-orm';
import { Migration } from '@mikro-orm/migrations';
import type * as nest from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { expect } from 'chai';
import { WebSocket } from 'ws';
import { createApp as express } from '../../../docs/examples/frameworks/express.ts';
import { createApp as fastify } from '../../../docs/examples/frameworks/fastify.ts';
import { createApp as hono } from '../../../docs/examples/frameworks/hono.ts';
import { createApp as node } from '../../../docs/examples/frameworks/node.ts';
import { createApp as trpc } from '../../../docs/examples/frameworks/trpc.ts';
import { withTenantScope as ownEdge } from '../../../docs/examples/frameworks/own-server.ts';
import * as entities from '../../../docs/examples/start/entities.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { openOrm, type SpecOrm } from '../../support/orm/open-orm.ts';
import { ROOT } from '../../support/orm/library-orm.ts';
import { loadNestModule } from '../../support/web/frameworks/load-nest-module.ts';
import { send } from '../../support/web/http.ts';

class CreateBook extends Migration {
  override up(): void {
    this.addSql('create table "book" ("id" serial primary key, "title" varchar(255) not null);');
  }
}

const { Book, Client } = entities;

onDatabases(
  'the page on frameworks',
  database => {
    const options = { tenant: Client, migrations: { migrationsList: [CreateBook] } };
    let orm: SpecOrm;
    let stop: () => Promise<unknown>;

    before(async () => {
      orm = await openOrm(database, options, { entities: [entities.ClientSchema, Book] });
      await orm.schema.create();

      for (const name of ['acme', 'bob']) {
        await tenants<entities.Client>(orm).create({ name, schemaName: name, domainUrl: `${name}.example.com` });
        await runInTenant(name, em => em.persistAndFlush(em.create(Book, { title: `Book of ${name}` })));
      }
    });

    afterEach(() => stop());

    for (const [name, listen] of Object.entries<() => Promise<Server>>({
      Express: async () => {
        const app = express(orm);
        // else it writes errors to the console
        app.set('env', 'test');

        return createServer(app);
      },
      Fastify: async () => {
        const app = await fastify(orm);
        await app.ready();

        return app.server;
      },
      Hono: async () => serverOf(hono(orm).fetch),
      Node: async () => node(orm),
      'a server of your own': async () => {
        const page = ownEdge(async () => {
          const tenant = landlord.currentTenant();
          const books = tenant && (await orm.em.find(Book, {}));

          return new Response(books === undefined ? 'The public page' : `${tenant?.schemaName}: ${books.map(({ title }) => title).join()}`);
        });

        return serverOf(page);
      },
    })) {
      it(`E1 H20 serves what it shows: ${name}`, async () => {
        await expectPages(await start(await listen()), '/');
      });
    }

    it('E1 serves what it shows: web sockets', async () => {
      const port = await start(node(orm));
      const socket = new WebSocket(`ws://127.0.0.1:${port}`, { headers: { host: 'bob.example.com' } });
      await once(socket, 'open');
      socket.send('?');
      const [answer] = (await once(socket, 'message')) as [Buffer];
      socket.terminate();

      expect(String(answer)).to.equal('bob: Book of bob');
    });

    it('E1 S3 serves what it shows: tRPC, where the procedures of a batch, and what comes later, are for the tenant of their request', async () => {
      const port = await start(trpc(orm));
      const names = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? 'acme' : 'bob'));
      const get = async (name: string, path: string): Promise<string> =>
        (await send({ port, path, headers: { host: `${name}.example.com` } })).body;
      const expected = names.map(name => [[name], [`Book of ${name}`]]);

      const batches = await Promise.all(names.map(name => get(name, '/who,titles?batch=1&input=%7B%7D')));
      expect(batches.map(body => (JSON.parse(body) as Answered[]).map(({ result }) => [result.data].flat()))).to.deep.equal(expected);

      const events = await Promise.all(names.map(name => get(name, '/eachTitle')));
      expect(events.map(body => [...body.matchAll(/Book of \w+/g)].join())).to.deep.equal(names.map(name => `Book of ${name}`));

      const sockets = names.map(name => new WebSocket(`ws://127.0.0.1:${port}`, { headers: { host: `${name}.example.com` } }));
      const heard = await Promise.all(sockets.map(socket => answersOf(socket)));
      expect(heard).to.deep.equal(expected);
    });

    it('H9 E1 a server of your own reads a streamed body in the scope of its request, however late', async () => {
      const ids = [1, 1, 1];
      const handle = ownEdge(async request => {
        const left = [...ids];
        const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
          if (left.pop() === undefined) {
            controller.close();
          } else {
            const { title } = await orm.em.fork().findOneOrFail(Book, 1);
            controller.enqueue(new TextEncoder().encode(`${title}\n`));
          }
        };
        const body = new URL(request.url).pathname === '/nothing' ? null : new ReadableStream({ pull }, { highWaterMark: 0 });

        return new Response(body, { status: 201, headers: { 'x-kind': 'titles' } });
      });
      const port = await start(serverOf(handle));
      const get = (name: string, path = '/') => send({ port, path, headers: { host: `${name}.example.com` } });
      const names = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? 'acme' : 'bob'));
      const answers = await Promise.all(names.map(name => get(name)));

      expect(answers.map(({ body }) => body)).to.deep.equal(names.map(name => `Book of ${name}\n`.repeat(ids.length)));
      expect(answers.map(({ status, headers }) => [status, headers['x-kind']])).to.deep.equal(names.map(() => [201, 'titles']));
      expect(await get('acme', '/nothing')).to.include({ status: 201, body: '' });
    });

    it('E1 serves what it shows: Nest', async () => {
      const config = withTenants({ ...database.options(), entities: [entities.ClientSchema, Book] } as object, options);
      const source = readFileSync(join(ROOT, 'docs/examples/nestjs/tenants.module.ts'), 'utf8');
      const { AppModule } = await loadNestModule<{ readonly AppModule: nest.Type }>(source, {
        '../start/entities.js': entities,
        '../start/mikro-orm.config.js': { __esModule: true, default: config },
      });
      await orm.close();
      const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
      const server = (await app.listen(0, '127.0.0.1')) as Server;
      stop = () => app.close();

      await expectPages((server.address() as { readonly port: number }).port, '/about');
    });

    async function start(server: Server): Promise<number> {
      if (!server.listening) {
        server.listen(0, '127.0.0.1');
        await once(server, 'listening');
      }

      stop = async () => {
        server.closeAllConnections();
        await new Promise(resolve => server.close(resolve));
      };

      return (server.address() as { readonly port: number }).port;
    }
  },
  ['postgresql'],
);

function serverOf(fetch: (request: Request) => Response | Promise<Response>): Server {
  const answer = getRequestListener(fetch);

  return createServer((req, res) => void answer(req, res));
}

async function expectPages(port: number, publicPath: string): Promise<void> {
  const get = async (host: string, path = '/'): Promise<readonly [number, string]> => {
    const { status, body } = await send({ port, path, headers: { host } });

    return [status, body];
  };

  expect(await get('acme.example.com')).to.deep.equal([200, 'acme: Book of acme']);
  expect(await get('bob.example.com')).to.deep.equal([200, 'bob: Book of bob']);
  expect(await get('localhost', publicPath)).to.deep.equal([200, 'The public page']);
  expect((await get('nobody.example.com'))[0]).to.equal(404);
}

/** What tRPC answers over a web socket: who is asked, and each title. */
async function answersOf(socket: WebSocket): Promise<unknown[][]> {
  const found: unknown[][] = [[], []];

  try {
    await once(socket, 'open');
    socket.send(JSON.stringify({ id: 0, method: 'query', params: { path: 'who' } }));
    socket.send(JSON.stringify({ id: 1, method: 'subscription', params: { path: 'eachTitle' } }));

    for await (const [message] of on(socket, 'message') as AsyncIterable<[Buffer]>) {
      const { id, result } = JSON.parse(String(message)) as Answered & { readonly id: number };

      if (result.type === 'data') {
        found[id]?.push(result.data);
      }

      if (found.every(({ length }) => length > 0)) {
        break;
      }
    }
  } finally {
    socket.terminate();
  }

  return found;
}

interface Answered {
  readonly result: { readonly type?: string; readonly data: unknown };
}
