import { createInterface } from 'node:readline';
import { PassThrough, pipeline, Readable, Stream, Transform } from 'node:stream';
import { ReadableStream as WebStream } from 'node:stream/web';
import { callbackify } from 'node:util';
import { currentTenant, runInTenant, schemaRouter, tenantContext } from '@landlord/mikro-orm';
import { expect } from 'chai';
import Koa from 'koa';
import { onDatabasesAndPooler } from '../../support/databases/database.ts';
import { Gate } from '../../support/assertions/gate.ts';
import { openLibrary, type LibraryOrm } from '../../support/orm/library-orm.ts';
import { authorsHere, createLibraries, hostOf } from '../../support/web/web-library.ts';
import { serveUntilSpecEnds, type WebServer } from '../../support/web/web-server.ts';

type Line = () => Promise<string>;

/** Each kind of body that Koa streams, of `1 + STEPS` lines. */
const BODIES: Record<string, (line: Line) => unknown> = {
  'a generator': line => Readable.from(lines(line)),
  'a Readable with a `read` of its own': line => readableOf(line),
  'a Readable that is not of this node:stream': line => {
    const prototype = Object.create(Stream.prototype, Object.getOwnPropertyDescriptors(Readable.prototype)) as object;

    return Object.setPrototypeOf(readableOf(line), prototype);
  },
  'a PassThrough that timers feed, as for SSE': line => {
    const body = new PassThrough();
    let left = 1 + STEPS;
    const tick = (): void => {
      void line().then(text => {
        body.write(text);
        left -= 1;

        return left > 0 ? setTimeout(tick, 1) : body.end();
      });
    };
    setTimeout(tick, 1);

    return body;
  },
  'a pipeline with a Transform': line =>
    pipeline(
      Readable.from(Array.from({ length: 1 + STEPS }, String), { highWaterMark: 1 }),
      new Transform({
        highWaterMark: 1,
        transform(_chunk, _encoding, callback) {
          callbackify(line)(callback);
        },
      }),
      () => undefined,
    ),
  'a generator through a PassThrough': line => Readable.from(lines(line)).pipe(new PassThrough({ highWaterMark: 1 })),
  'a web ReadableStream': line => webStreamOf(line),
  'a web ReadableStream of a generator': line => WebStream.from(lines(async () => Buffer.from(await line()))),
  'a fetch Response': line => new Response(webStreamOf(line)),
};

onDatabasesAndPooler('streamed bodies', database => {
  let orm: LibraryOrm;
  const serve = serveUntilSpecEnds();

  before(async () => {
    orm = await openLibrary(database);
    await createLibraries(orm, 'acme', 'bob');
  });

  for (const [kind, bodyOf] of Object.entries(BODIES)) {
    it(`H9 keeps two interleaved streams on their own tenants to the end: ${kind}`, async () => {
      const gates: Record<string, Gate> = { acme: new Gate(), bob: new Gate() };
      const server = await start(ctx => {
        const gate = gates[currentTenant()?.schemaName ?? ''];
        ctx.body = bodyOf(async () => {
          const before = currentTenant()?.schemaName;
          await gate?.pass();

          return `${before} ${await authorsHere(orm)} ${currentTenant()?.schemaName} ${PADDING}\n`;
        });
      });
      const acme = await linesOf(server, 'acme', gates);
      const bob = await linesOf(server, 'bob', gates);

      for (let step = 0; step < STEPS; step++) {
        for (const [name, lines] of [
          ['acme', acme],
          ['bob', bob],
        ] as const) {
          gates[name]?.open();
          expect(await next(lines), `step ${step}`).to.equal(`${name} Ann of ${name} ${name} ~`);
        }
      }

      expect(await next(acme)).to.equal(undefined);
      expect(await next(bob)).to.equal(undefined);
      expect(server.errors).to.deep.equal([]);
    });
  }

  it('H9 keeps the tenant of a scope that `notFound` entered', async () => {
    const server = await start(
      ctx => {
        ctx.body = Readable.from(lines(async () => `${await authorsHere(orm)}\n`));
      },
      { notFound: (_, next) => runInTenant('bob', () => next()) },
    );

    expect((await server.get('nobody.example.com')).body).to.equal('Ann of bob\n'.repeat(1 + STEPS));
  });

  it('H9 keeps the tenant of a body that no schemaRouter has seen', async () => {
    const app = new Koa();
    app.use(tenantContext({ notFound: (_, next) => runInTenant('bob', () => next()) })).use(ctx => {
      ctx.body = Readable.from(lines(async () => `${await authorsHere(orm)}\n`));
    });
    const server = await serve(app);

    expect((await server.get(hostOf('acme'))).body).to.equal('Ann of acme\n'.repeat(1 + STEPS));
    expect((await server.get('nobody.example.com')).body).to.equal('Ann of bob\n'.repeat(1 + STEPS));
  });

  it('H9 keeps the length of a web stream or a Response that has one', async () => {
    const server = await start(ctx => {
      if (ctx.path === '/stream') {
        ctx.body = new Blob(['abc']).stream();
        ctx.length = 3;
      } else {
        ctx.body = new Response(new Blob(['abc']).stream(), { status: 201, headers: { 'content-length': '3', 'content-type': 'text/x' } });
      }
    });

    const stream = await server.get(hostOf('acme'), '/stream');
    const response = await server.get(hostOf('acme'), '/response');

    expect(stream).to.include({ status: 200, body: 'abc' });
    expect(stream.headers['content-length']).to.equal('3');
    expect(response).to.include({ status: 201, body: 'abc' });
    expect(response.headers).to.include({ 'content-length': '3', 'content-type': 'text/x' });
  });

  it('H9 leaves every other body as it is', async () => {
    const bodies: Record<string, unknown> = {
      '/text': 'abc',
      '/buffer': Buffer.from('abc'),
      '/blob': new Blob(['abc']),
      '/json': { name: 'abc' },
      '/empty': new Response(null, { status: 204 }),
      '/null': null,
      '/half': { name: 'abc', _read: () => undefined },
      '/other-half': { name: 'abc', _destroy: () => undefined },
    };
    const server = await start(ctx => {
      ctx.body = bodies[ctx.path];
    });
    const get = async (path: string): Promise<unknown> => {
      const { status, body } = await server.get(hostOf('acme'), path);

      return { status, body };
    };

    for (const path of ['/text', '/buffer', '/blob']) {
      expect(await get(path), path).to.deep.equal({ status: 200, body: 'abc' });
    }

    for (const path of ['/json', '/half', '/other-half']) {
      expect(await get(path), path).to.deep.equal({ status: 200, body: '{"name":"abc"}' });
    }

    expect(await get('/empty')).to.deep.equal({ status: 204, body: '' });
    expect(await get('/null')).to.deep.equal({ status: 204, body: '' });
  });

  async function start(route: (ctx: Koa.Context) => unknown, options: Parameters<typeof tenantContext>[0] = {}): Promise<WebServer> {
    const app = new Koa();
    const refuse = (): never => {
      throw new Error('public');
    };
    app.use(tenantContext(options)).use(schemaRouter({ public: refuse, tenant: ctx => void route(ctx) }));

    return serve(app);
  }

  // if the first line of a body waits, the response may start only with that line
  async function linesOf(server: WebServer, name: string, gates: Record<string, Gate>): Promise<AsyncIterator<string>> {
    gates[name]?.open();
    const answer = await server.open(hostOf(name));
    const lines = createInterface(answer)[Symbol.asyncIterator]();
    expect(await next(lines)).to.equal(`${name} Ann of ${name} ${name} ~`);

    return lines;
  }
});

const STEPS = 6;

/** Larger than a socket's buffers, so that reading stops and the socket resumes it. */
const PADDING = 'x'.repeat(100_000);

async function next(lines: AsyncIterator<string, unknown>): Promise<string | undefined> {
  const { value, done } = await lines.next();

  return done === true ? undefined : value.replace(PADDING, '~');
}

async function* lines<T>(line: () => Promise<T>): AsyncGenerator<T> {
  for (let index = 0; index < 1 + STEPS; index++) {
    yield await line();
  }
}

function readableOf(line: Line): Readable {
  let left = 1 + STEPS;

  return new Readable({
    read() {
      left -= 1;

      if (left < 0) {
        this.push(null);
        return;
      }

      line().then(
        text => this.push(text),
        (error: Error) => this.destroy(error),
      );
    },
  });
}

function webStreamOf(line: Line): ReadableStream {
  let left = 1 + STEPS;

  return new ReadableStream({
    async pull(controller) {
      controller.enqueue(Buffer.from(await line()));
      left -= 1;

      if (left === 0) {
        controller.close();
      }
    },
  });
}
