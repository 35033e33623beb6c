import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { captureTenant, runInTenant, tenants, withTenants } from '@landlord/mikro-orm';
import { InMemoryMetricExporter, AggregationTemporality, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter } from '@opentelemetry/sdk-trace-base';
import { metrics, trace } from '@opentelemetry/api';
import { defineConfig } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { WebSocket } from 'ws';
import { Book, Client, Genre, User } from '../../../docs/examples/bookshop/entities.ts';
import hooksConfig, { hooks } from '../../../docs/examples/hooks/config.ts';
import { announceLater, processor } from '../../../docs/examples/jobs/bullmq.ts';
import { cached, saveFile } from '../../../docs/examples/jobs/keys.ts';
import { createGraphqlServer } from '../../../docs/examples/live-connections/graphql.ts';
import { createSocketServer, follow } from '../../../docs/examples/live-connections/sockets.ts';
import { createLogger, log } from '../../../docs/examples/telemetry/logs.ts';
import { observe, startTelemetry } from '../../../docs/examples/telemetry/opentelemetry.ts';
import tagsConfig from '../../../docs/examples/telemetry/sql-tags.ts';
import { failureOf } from '../../support/assertions/failure.ts';
import { refusal } from '../../support/assertions/refusal.ts';
import { until } from '../../support/assertions/until.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { createShop, openBookshop } from '../../support/orm/bookshop.ts';
import type { SpecOrm } from '../../support/orm/open-orm.ts';

/** The pages: docs/guides/jobs.md (its queues in spec/jobs), docs/guides/hooks.md, docs/guides/telemetry.md, docs/guides/live-connections.md. */
onDatabases(
  'the pages on jobs, hooks, telemetry and live connections',
  database => {
    let orm: SpecOrm;

    before(async () => {
      orm = await openBookshop(database, {
        hooks,
        sqlTags: ({ schemaName, tenant }) => ({ tenant: schemaName, trial: tenant?.onTrial === true ? 'yes' : undefined }),
      });
      await createShop('acme');
      await createShop('bob');
    });

    it('J3 the hooks of the page fill a new shop, and refuse to drop one with many books', async () => {
      expect(hooksConfig).to.have.property('subscribers');
      await runInTenant('acme', async em => {
        expect((await em.find(User, {})).map(({ email }) => email)).to.deep.equal(['owner@acme.example.com']);
      });
      await createShop('full');
      await runInTenant('full', em =>
        em.insertMany(
          Book,
          Array.from({ length: 101 }, (_, index) => ({ title: `book ${index}` })),
        ),
      );
      const { error } = console;
      const written: unknown[][] = [];
      console.error = (...args: unknown[]) => void written.push(args);

      try {
        await refusal(tenants().drop('full'), 'HOOK_FAILED');
      } finally {
        console.error = error;
      }

      expect(written.map(([text]) => text)).to.deep.equal(['drop of full has failed']);
      expect(await runInTenant('full', em => em.count(Book, {}))).to.equal(101);
    });

    it('J4 the log, the spans and the tags of the page name the tenant', async () => {
      expect(tagsConfig).to.have.property('subscribers');
      expect(withTenants(defineConfig({ entities: [Client, Genre, Book, User] }), { tenant: Client })).to.have.property('subscribers');
      const lines: string[] = [];
      const logger = createLogger({ write: line => void lines.push(line) });
      await runInTenant('acme', () => {
        logger.info('hello');
        log('plain', line => void lines.push(line));
      });
      log('outside', line => void lines.push(line));
      expect(lines.map(line => (JSON.parse(line) as { tenant?: string }).tenant)).to.deep.equal(['acme', 'acme', undefined]);

      const exporter = new InMemorySpanExporter();
      startTelemetry(
        exporter,
        new PeriodicExportingMetricReader({
          exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE),
          exportIntervalMillis: 3_600_000,
        }),
      );
      const stop = observe();
      await runInTenant('bob', () => trace.getTracer('page').startSpan('work').end());
      stop();
      trace.disable();
      metrics.disable();
      expect(exporter.getFinishedSpans().map(({ name, attributes }) => [name, attributes['landlord.tenant']])).to.deep.equal([
        ['work', 'bob'],
      ]);

      const [row] = await runInTenant('acme', em =>
        em.execute<{ query: string }[]>('select query from pg_stat_activity where pid = pg_backend_pid()'),
      );
      expect(row!.query).to.match(/ \/\*tenant='acme',trial='yes'\*\/$/m);
    });

    it('J1 J5 the recipe for BullMQ gives up what cannot run, and keys and files are the tenant’s own', async () => {
      const added: { data: any }[] = [];
      await runInTenant('acme', () => announceLater({ add: async (_name, data) => added.push({ data }) }, 7));
      class UnrecoverableError extends Error {}
      const seen: unknown[] = [];
      const work = processor(UnrecoverableError, async (em, bookId) => void seen.push([em.schema, bookId]));
      await work(added[0]!);
      expect(seen).to.deep.equal([['acme', 7]]);
      expect(await failureOf(work({ data: { tenant: { v: 9 } as never, bookId: 1 } }))).to.be.instanceOf(UnrecoverableError);

      const cache = new Map<string, string>();
      const folder = await mkdtemp(join(tmpdir(), 'files-'));

      try {
        for (const name of ['acme', 'bob']) {
          expect(await runInTenant(name, () => cached(cache, 'greeting', async () => `of ${name}`))).to.equal(`of ${name}`);
          expect(await readFile(await runInTenant(name, () => saveFile(folder, 'a/b.txt', name)), 'utf8')).to.equal(name);
        }

        await runInTenant('acme', () => refusal(saveFile(folder, '../bob.txt', 'x'), 'TENANT_PATH'));
        expect(existsSync(join(folder, 'bob.txt'))).to.equal(false);
      } finally {
        await rm(folder, { recursive: true });
      }

      expect(captureTenant()).to.deep.equal({ v: 1, scope: 'none' });
    });

    it('J6 the sockets of the page answer for their tenant, and end with it', async () => {
      const port = await listen(createSocketServer(orm.em));
      await createShop('brief');
      const reasons: string[] = [];
      await follow('brief', reason => void reasons.push(reason));
      const sockets = await Promise.all(['acme', 'brief'].map(name => connect(port, name)));
      const [acme, brief] = sockets as [WebSocket, WebSocket];
      acme.send('x');
      expect(String((await once(acme, 'message'))[0])).to.equal('acme: 0');
      const closed = once(brief, 'close');
      await tenants().rename('brief', 'renamed');
      expect((await closed)[0]).to.equal(1008);
      await until('it is told', () => reasons.length > 0);
      expect(reasons).to.deep.equal(['changed']);
      acme.close();
      await once(acme, 'close');
    });

    it('J6 Yoga answers two tenants at once by dataloaders of their own, and a subscription gets its own tenant’s events until that ends', async () => {
      const port = await listen(createGraphqlServer(orm.em));
      await orm.em.fork().insertMany(Genre, [
        { id: 1, name: 'poetry' },
        { id: 2, name: 'drama' },
      ]);

      for (const [name, genre] of [
        ['acme', 1],
        ['bob', 2],
      ] as const) {
        await runInTenant(name, em =>
          em.insertMany(
            Book,
            [1, 2, 3].map(index => ({ title: `${name} ${index}`, genre })),
          ),
        );
      }

      const query = '{ books { title genre { name } } }';
      const before = database.statements.length;
      const answers = await Promise.all(Array.from({ length: 6 }, (_, index) => ask(port, index % 2 === 0 ? 'acme' : 'bob', query)));
      answers.forEach((answer, index) => {
        const name = index % 2 === 0 ? 'acme' : 'bob';
        expect(answer).to.deep.equal({
          data: { books: [1, 2, 3].map(nr => ({ title: `${name} ${nr}`, genre: { name: index % 2 === 0 ? 'poetry' : 'drama' } })) },
        });
      });
      expect(database.statements.slice(before).filter(each => each.includes('"genre"') && each.includes('select "g0"'))).to.have.length(6);

      await createShop('ending');
      const [own, other] = [await subscribe(port, 'ending'), await subscribe(port, 'acme')];
      await ask(port, 'ending', 'mutation { addBook(title: "first") { id } }');
      await ask(port, 'acme', 'mutation { addBook(title: "of acme") { id } }');
      await until('both have got one', () => own.events.length > 0 && other.events.length > 0);
      expect([own.events, other.events]).to.deep.equal([['first'], ['of acme']]);
      await tenants().drop('ending');
      await own.ended;
      expect(other.isOpen()).to.equal(true);
      other.close();
    });

    async function listen(server: Server): Promise<number> {
      await once(server.listen(0), 'listening');
      database.atEnd(async () => {
        server.closeAllConnections();
        await new Promise(resolve => server.close(resolve));
      });

      return (server.address() as AddressInfo).port;
    }

    async function connect(port: number, name: string): Promise<WebSocket> {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`, { headers: { host: `${name}.example.com` } });
      await once(socket, 'open');

      return socket;
    }
  },
  ['postgresql'],
);

async function ask(port: number, name: string, query: string): Promise<unknown> {
  const { body } = await post(port, name, query, 'application/json');
  let text = '';

  for await (const chunk of body) {
    text += String(chunk);
  }

  return JSON.parse(text) as unknown;
}

async function subscribe(port: number, name: string) {
  const { body, close } = await post(port, name, 'subscription { bookAdded { title } }', 'text/event-stream');
  const events: string[] = [];
  let isOpen = true;
  const ended = (async () => {
    let text = '';

    try {
      for await (const chunk of body) {
        text += String(chunk);
        events.splice(0, events.length, ...[...text.matchAll(/"title":"([^"]*)"/g)].map(([, title = '']) => title));
      }
    } catch {
      // closed by the spec
    }

    isOpen = false;
  })();

  return { events, ended, close, isOpen: () => isOpen };
}

async function post(port: number, name: string, query: string, accept: string) {
  const { request } = await import('node:http');
  const req = request({
    port,
    method: 'POST',
    path: '/graphql',
    headers: { host: `${name}.example.com`, 'content-type': 'application/json', accept },
  });
  req.end(JSON.stringify({ query }));
  const [body] = (await once(req, 'response')) as [NodeJS.ReadableStream];

  return { body, close: () => req.destroy() };
}
