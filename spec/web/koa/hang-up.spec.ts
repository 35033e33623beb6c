import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { currentTenant, schemaRouter, tenantContext } from '@landlord/mikro-orm';
import { expect } from 'chai';
import Koa from 'koa';
import { Author } from '../../../fixtures/entities/index.ts';
import { onDatabases, onDatabasesAndPooler } from '../../support/databases/database.ts';
import { expectIdle, POOL_OF_ONE } from '../../support/databases/idle-connections.ts';
import { openLibrary, type LibraryOrm } from '../../support/orm/library-orm.ts';
import { until } from '../../support/assertions/until.ts';
import { addAuthors, authorsHere, createLibraries, hostOf } from '../../support/web/web-library.ts';
import { serve, serveUntilSpecEnds, type WebServer } from '../../support/web/web-server.ts';
import { failureOf } from '../../support/assertions/failure.ts';

type Route = (ctx: Koa.Context) => unknown;

onDatabasesAndPooler('a visitor who hangs up', database => {
  let orm: LibraryOrm;
  const serveUntilSpecEnd = serveUntilSpecEnds();

  before(async () => {
    orm = await openLibrary(database, {}, POOL_OF_ONE);
    await createLibraries(orm, 'acme', 'bob');
  });

  it('H7, H9 a visitor who hangs up mid-stream ends the generator, which cleans up as its own tenant', async () => {
    const ended: unknown[] = [];
    const server = await start(ctx => {
      ctx.body = Readable.from(untilEnded(() => authorsHere(orm), ended));
    });

    await hangUpAfterFirstBytes(server, 'acme');
    await until('the generator has ended', () => ended.length === 1);

    expect(ended).to.deep.equal([['acme', ['Ann of acme']]]);
    await expectFreePool();
  });

  it('H7, H9 a visitor who hangs up cancels a web stream, as its own tenant', async () => {
    const ended: unknown[] = [];
    const server = await start(ctx => {
      ctx.body = new ReadableStream({
        pull: async controller => controller.enqueue(Buffer.from(`${await authorsHere(orm)}${PADDING}`)),
        cancel: async () => {
          ended.push([currentTenant()?.schemaName, await authorsHere(orm)]);
        },
      });
    });

    await hangUpAfterFirstBytes(server, 'bob');
    await until('the stream is cancelled', () => ended.length === 1);

    expect(ended).to.deep.equal([['bob', ['Ann of bob']]]);
    await expectFreePool();
  });

  it('H7, H9 a visitor who hangs up ends what timers feed', async () => {
    const bodies: PassThrough[] = [];
    const server = await start(ctx => {
      const body = new PassThrough({
        destroy(error, callback) {
          clearInterval(timer);
          callback(error);
        },
      });
      const timer = setInterval(() => void authorsHere(orm).then(authors => body.destroyed || body.write(`data: ${authors}\n\n`)), 1);
      bodies.push(body);
      ctx.type = 'text/event-stream';
      ctx.body = body;
    });

    await hangUpAfterFirstBytes(server, 'acme');
    await until('the body is destroyed', () => bodies[0]?.destroyed === true);

    await expectFreePool();
  });

  it('H7 a visitor who hangs up before the answer has its body destroyed unread', async () => {
    const bodies: Readable[] = [];
    const ended: unknown[] = [];
    let waits = false;
    const server = await start(async ctx => {
      await authorsHere(orm);
      waits = true;
      await once(ctx.res, 'close');
      const body = Readable.from(untilEnded(() => authorsHere(orm), ended));
      bodies.push(body);
      ctx.body = body;
    });
    const hangUp = new AbortController();

    const answer = failureOf(server.open(hostOf('acme'), '/', { signal: hangUp.signal }));
    await until('the route waits', () => waits);
    hangUp.abort();
    await until('the body is destroyed', () => bodies[0]?.destroyed === true);

    expect(await answer).to.have.property('name', 'AbortError');
    expect(ended).to.deep.equal([]);
    await expectFreePool();
  });

  async function start(route: Route): Promise<WebServer> {
    const app = new Koa();
    app.use(tenantContext()).use(schemaRouter({ public: route, tenant: route }));

    return serveUntilSpecEnd(app);
  }

  async function expectFreePool(): Promise<void> {
    const server = await start(async ctx => (ctx.body = await authorsHere(orm)));

    expect((await server.get(hostOf('bob'))).body).to.equal('["Ann of bob"]');
    await expectIdle(database);
  }
});

onDatabases(
  "a stream of the tenant's rows",
  database => {
    let orm: LibraryOrm;
    let server: WebServer;

    before(async () => {
      orm = await openLibrary(database, {}, POOL_OF_ONE);
      await createLibraries(orm, 'acme', 'bob');
      await addAuthors(orm, 'acme', NAMES);
      const app = new Koa();
      const route: Route = ctx => {
        const rows = Readable.from(orm.em.stream(Author, { orderBy: { id: 'asc' } }));
        ctx.body = rows.map(({ name }: Author) => `${name}${ctx.path === '/long' ? PADDING : ''}\n`);
      };
      app.use(tenantContext()).use(schemaRouter({ public: route, tenant: route }));
      server = await serve(app, database);
    });

    it('H9 reads them all, after the route has returned', async () => {
      const [acme, bob] = await Promise.all([server.get(hostOf('acme')), server.get(hostOf('bob'))]);

      expect(acme.body.trim().split('\n')).to.deep.equal(['Ann of acme', ...NAMES]);
      expect(bob.body).to.equal('Ann of bob\n');
      await expectIdle(database);
    });

    it('H7, H9 gives its connection back when the visitor hangs up', async () => {
      await hangUpAfterFirstBytes(server, 'acme', '/long');

      expect((await server.get(hostOf('bob'))).body).to.equal('Ann of bob\n');
      await expectIdle(database);
    });
  },
  ['postgresql'],
);

const NAMES = Array.from({ length: 1000 }, (_, index) => `author ${index}`);

/** Larger than a socket's buffers. */
const PADDING = 'x'.repeat(100_000);

async function* untilEnded(read: () => Promise<string[]>, ended: unknown[]): AsyncGenerator<string> {
  try {
    for (;;) {
      yield `${await read()}${PADDING}`;
    }
  } finally {
    ended.push([currentTenant()?.schemaName, await read()]);
  }
}

async function hangUpAfterFirstBytes(server: WebServer, name: string, path = '/'): Promise<void> {
  const answer = await server.open(hostOf(name), path);
  await once(answer, 'data');
  answer.destroy();
}
