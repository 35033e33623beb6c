import { Agent } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { currentSchema, currentTenant } from '@landlord/mikro-orm';
import { expect } from 'chai';
import type Koa from 'koa';
import { Author } from '../../../fixtures/entities/index.ts';
import { Gate } from '../assertions/gate.ts';
import type { LibraryOrm } from '../orm/library-orm.ts';
import type { RequestSpec, Sent, Site } from './request-model.ts';
import { until } from '../assertions/until.ts';
import type { WebServer } from '../web/web-server.ts';
import { koaReadsRequestLine } from '../web/koa-urls.ts';

/** The routes, and their observations. */
export class Visits {
  readonly failures: unknown[] = [];
  active = 0;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #orm: LibraryOrm;
  readonly #visits = new Map<string, Visit>();
  #count = 0;

  constructor(orm: LibraryOrm) {
    this.#orm = orm;
  }

  /** The site of one list of commands. */
  open(server: WebServer, expectNothingLeft: () => Promise<void>): Site {
    this.failures.length = 0;

    return { failures: this.failures, expectNothingLeft, send: spec => this.#send(server, spec) };
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Records a failure if the flow is not in this scope. */
  look(ctx: Koa.Context, schema: string | undefined): void {
    if (currentSchema() !== schema) {
      this.failures.push(new Error(`${ctx.host}${ctx.url} was in ${currentSchema()} where it had to be in ${schema}`));
    }
  }

  async serve(ctx: Koa.Context): Promise<void> {
    const visit = this.#visits.get(ctx.path)!;
    visit.begun = true;

    if ((koaReadsRequestLine && ctx.URL.hostname !== visit.spec.host) || ctx.hostname !== visit.spec.host) {
      this.failures.push(new Error(`${visit.spec.host} was asked, and Koa says ${ctx.hostname} and ${ctx.href}`));
    }

    await this.#during(() => this.#answer(ctx, visit));
  }

  async #send(server: WebServer, spec: RequestSpec): Promise<Sent> {
    const visit: Visit = { spec, gate: new Gate(), begun: false };
    const path = `/${++this.#count}`;
    this.#visits.set(path, visit);
    const controller = new AbortController();
    const answer = server
      .open(spec.host, spec.absolute ? `http://${spec.host}${path}` : path, {
        signal: controller.signal,
        ...(spec.kept ? { agent: this.#agent } : {}),
      })
      .then(async message => ({
        status: message.statusCode,
        body: await text(message),
      }));
    // checked when the request is finished
    answer.catch(() => undefined);
    await until('the route has begun', () => visit.begun);

    return {
      step: () => visit.gate.open(),
      hangUp: () => controller.abort(),
      finish: async () => {
        for (let step = 0; step <= spec.steps; step++) {
          visit.gate.open();
        }

        if (controller.signal.aborted) {
          // it may have been answered before
          await answer.catch((error: unknown) => expect(error).to.satisfy(isHangUp));
        } else {
          expectOwn(await answer, spec);
        }

        await until('the route has ended', () => this.active === 0);
        this.#visits.delete(path);
      },
    };
  }

  async #answer(ctx: Koa.Context, visit: Visit): Promise<void> {
    const { kind, steps } = visit.spec;
    const line = (): Promise<string> => this.#line(ctx, visit);
    const lines = (): AsyncGenerator<string> => this.#lines(ctx, visit);

    switch (kind) {
      case 'answer':
        ctx.body = await collect(lines());
        break;
      case 'throw':
        ctx.throw(418, await collect(lines()));
        break;
      case 'error':
        throw Object.assign(new Error(await collect(lines())), { status: 500, expose: true });
      case 'generator':
        ctx.body = Readable.from(lines());
        break;
      case 'SSE':
        ctx.type = 'text/event-stream';
        ctx.body = this.#fed(line, steps);
        break;
      case 'web stream':
        ctx.body = webStreamOf(lines());
        break;
      case 'detached':
        void this.#during(() => collect(lines()));
        ctx.body = await this.#where();
        break;
      case 'transaction':
        ctx.body = await this.#orm.em.transactional(() => collect(lines()));
        break;
      case 'rows':
        ctx.body = Readable.from(this.#rows(visit, line));
        break;
    }
  }

  /** Waits, and tells three times whose request it is: before, by what it reads, and after. */
  async #line(ctx: Koa.Context, { gate, spec }: Visit): Promise<string> {
    const own = schemaOf(spec.host);
    this.look(ctx, own);
    await gate.pass();
    this.look(ctx, own);
    const where = await this.#where();
    this.look(ctx, own);

    return `${where}${spec.padded ? PADDING : ''}\n`;
  }

  async *#lines(ctx: Koa.Context, visit: Visit): AsyncGenerator<string> {
    this.active += 1;

    try {
      for (let step = 0; step < visit.spec.steps; step++) {
        yield await this.#line(ctx, visit);
      }
    } finally {
      this.look(ctx, schemaOf(visit.spec.host));
      this.active -= 1;
    }
  }

  async *#rows(visit: Visit, line: () => Promise<string>): AsyncGenerator<string> {
    this.active += 1;

    try {
      if (currentTenant() === undefined) {
        yield await line();
        return;
      }

      for await (const { name } of this.#orm.em.stream(Author)) {
        await visit.gate.pass();
        yield `${currentSchema()} ${name}\n`;
      }
    } finally {
      this.active -= 1;
    }
  }

  #fed(line: () => Promise<string>, steps: number): PassThrough {
    const body = new PassThrough();
    const feed = async (): Promise<void> => {
      for (let step = 0; step < steps && !body.destroyed; step++) {
        body.write(await line());
        await new Promise(resolve => setTimeout(resolve, 1));
      }

      body.end();
    };
    void this.#during(feed).catch((error: unknown) => this.failures.push(error));
    body.on('error', () => undefined);

    return body;
  }

  async #where(): Promise<string> {
    if (currentTenant() === undefined) {
      return `${currentSchema()} nobody`;
    }

    const [author] = await this.#orm.em.find(Author, {}, { refresh: true });

    return `${currentSchema()} ${author?.name}`;
  }

  async #during<Result>(work: () => Promise<Result>): Promise<Result> {
    this.active += 1;

    try {
      return await work();
    } finally {
      this.active -= 1;
    }
  }
}

interface Visit {
  readonly spec: RequestSpec;
  readonly gate: Gate;
  begun: boolean;
}

const STATUS: Partial<Record<RequestSpec['kind'], number>> = { throw: 418, error: 500 };

/** How many lines an answer has where it is not as many as it has steps. */
const LINES: Partial<Record<RequestSpec['kind'], number>> = { detached: 1, rows: 1 };

/** Larger than a socket's buffers. */
const PADDING = 'x'.repeat(100_000);

function expectOwn({ status, body }: { status: number | undefined; body: string }, { host, kind, steps }: RequestSpec): void {
  const schema = schemaOf(host);
  const lines = body.replaceAll(PADDING, '').trim().split('\n');
  const own = schema === 'public' ? 'public nobody' : `${schema} Ann of ${schema}`;

  expect({ status, lines }).to.deep.equal({
    status: STATUS[kind] ?? 200,
    lines: Array.from({ length: LINES[kind] ?? steps }, () => own),
  });
}

function isHangUp(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || (error as NodeJS.ErrnoException).code === 'ECONNRESET');
}

export function schemaOf(host: string): string {
  return host === 'localhost' ? 'public' : host.replace('.example.com', '');
}

async function collect(lines: AsyncIterable<string>): Promise<string> {
  let all = '';

  for await (const line of lines) {
    all += line;
  }

  return all;
}

function webStreamOf(lines: AsyncGenerator<string>): ReadableStream {
  return new ReadableStream({
    pull: async controller => {
      const { value, done } = await lines.next();

      if (done === true) {
        controller.close();
      } else {
        controller.enqueue(Buffer.from(value));
      }
    },
    cancel: async () => void (await lines.return(undefined)),
  });
}
