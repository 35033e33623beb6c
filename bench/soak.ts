import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { currentSchema, tenantContext, tenants, type TenantService } from '@landlord/mikro-orm';
import Koa from 'koa';
import type { Pool } from 'pg';
import { Client, migrationOf, Note, openOrm, type BenchOrm, type MigrationEntry } from './domain.ts';
import { backendsOf, OBSERVER, privateBytesOf } from './memory.ts';
import { makeSchemas } from './migrate-tenants.ts';
import { median, round, scaled, type Report } from './report.ts';
import { openPool, type BenchServer } from './server.ts';
import { startVisitors } from './soak-visitors.ts';

/**
 * An application with 10,000 tenants under requests that read and write, with sign-ups, renames, a run of migrations and a restart of the database:
 * what grows, what fails, and whether anything crosses. `npm run bench -- soak 60` goes on for an hour.
 */
export async function soak(url: string, argument: string | undefined, server: BenchServer): Promise<Report[]> {
  const minutes = Number(argument ?? scaled(10, 1));
  await using resources = new AsyncDisposableStack();
  const pool = openPool(url, 4, OBSERVER);
  resources.defer(() => pool.end());
  const set: MigrationEntry[] = [migrationOf('Migration0', NOTES)];
  const orm = await openOrm(url, set, POOL, { directory: { listen: true } });
  resources.defer(() => orm.close());
  await makeSchemas(pool, 't', { asTenants: true, count: TENANTS, statements: NOTES });
  await pool.query('vacuum analyze');
  const http = await serve(orm);
  resources.defer(() => close(http));
  const visitors = startVisitors((http.address() as AddressInfo).port, TENANTS);
  resources.defer(() => visitors[Symbol.asyncDispose]());

  return await watch({ minutes, orm, set, pool, server, visitors });
}

interface Soak {
  readonly minutes: number;
  readonly orm: BenchOrm;
  readonly set: MigrationEntry[];
  readonly pool: Pool;
  readonly server: BenchServer;
  readonly visitors: ReturnType<typeof startVisitors>;
}

async function watch({ minutes, orm, set, pool, server, visitors }: Soak): Promise<Report[]> {
  let end = performance.now() + minutes * 60_000;
  const service = tenants<Client>(orm);
  const events: Record<string, string | number>[] = [];
  const rows: Record<string, string | number>[] = [];
  const life = liveOn(service, orm, visitors);
  const happened = async (what: string, fn: () => Promise<string>): Promise<number> => {
    const start = performance.now();
    const result = await fn().catch((error: unknown) => `failed: ${String(error)}`);
    const took = performance.now() - start;
    events.push({ what, result, s: round(took / 1000, 1) });

    return took;
  };

  for (let n = 0; n < SAMPLES; n += 1) {
    await sleep(Math.max(0, end - performance.now() - ((SAMPLES - n - 1) * minutes * 60_000) / SAMPLES));
    const visits = await visitors.take();
    globalThis.gc?.();
    const sizes = await Promise.all((await backendsOf(pool)).map(pid => privateBytesOf(pid).catch(() => 0)));
    rows.push({
      minute: round(((n + 1) * minutes) / SAMPLES, 1),
      requests: visits.answered,
      'p99, ms': round(median(visits.p99s)),
      'tried again after a 503': visits.retried,
      'errors in the restart': visits.unavailable,
      'other errors': visits.failed,
      crossed: visits.crossed,
      'signed up': life.signedUp,
      renamed: life.renamed,
      'heap, MB': round(process.memoryUsage().heapUsed / 1_048_576, 1),
      'RSS, MB': round(process.memoryUsage().rss / 1_048_576, 0),
      'backends, MB': round(sizes.reduce((sum, size) => sum + size, 0) / 1_048_576, 0),
      connections: sizes.length,
      timers: process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length,
    });

    if (n === Math.floor(SAMPLES * 0.4)) {
      set.push(migrationOf('Migration1', ['alter table "note" add column "colour" text']));
      await happened('a migration in all tenants', async () => {
        const { migrated, failed, upToDate } = await service.migrate({ skipPublicCheck: true, concurrency: 4 });

        return [`${migrated.length} migrated, ${upToDate} up to date`, ...failed.map(({ error }) => String(error))].join('; ');
      });
    }

    if (n === Math.floor(SAMPLES * 0.7) && server.restart !== undefined) {
      const { restart } = server;
      life.isTroubleExpected = true;
      await visitors.expectTrouble(true);
      // a restart writes all files of the tenants to the disk, and the windows after it are as long as those before
      end += await happened('a restart of the database', async () => {
        await restart();

        return 'started again';
      });
      await sleep(5_000);
      await visitors.expectTrouble(false);
      life.isTroubleExpected = false;
    }
  }

  await life.stop();

  return [
    { title: `${TENANTS} tenants under load for ${minutes} minutes, in windows`, rows },
    { title: 'What happened meanwhile', rows: [...events, ...life.failures.map(result => ({ what: 'sign-up or rename', result }))] },
  ];
}

/** Sign-ups and renames, one after the other, each followed by visitors. */
function liveOn(
  service: TenantService<Client>,
  orm: BenchOrm,
  visitors: ReturnType<typeof startVisitors>,
): { signedUp: number; renamed: number; isTroubleExpected: boolean; readonly failures: string[]; stop(): Promise<void> } {
  const state = { signedUp: 0, renamed: 0, isTroubleExpected: false, failures: [] as string[], stop: async () => undefined as void };
  let isOver = false;
  const work = (async (): Promise<void> => {
    for (let n = 0; !isOver; n += 1) {
      const name = `new${n}`;

      try {
        await orm.em.fork().persistAndFlush(new Client({ domainUrl: `${name}.example.com`, schemaName: name }));
        await visitors.add(name);
        state.signedUp += 1;

        if (n % 3 === 2) {
          // the address stays
          await service.rename(`new${n - 1}`, `old${n - 1}`);
          state.renamed += 1;
        }
      } catch (error) {
        if (!state.isTroubleExpected) {
          state.failures.push(String(error));
        }
      }

      await sleep(200);
    }
  })();
  state.stop = async () => {
    isOver = true;
    await work;
  };

  return state;
}

/** Each request writes a note that says for whom, and reads the notes that are there. */
async function serve(orm: BenchOrm): Promise<Server> {
  const app = new Koa();
  app.silent = true;
  app.use(tenantContext({ orm })).use(async ctx => {
    if (ctx.path === '/write') {
      await orm.em.persistAndFlush(orm.em.create(Note, { text: ctx.hostname }));
    }

    const notes = await orm.em.find(Note, {}, { limit: 20 });
    ctx.body = { schema: currentSchema(), texts: notes.map(({ text }) => text) };
  });
  const handle = app.callback();
  const server = createServer((req, res) => void handle(req, res));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));

  return server;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise(resolve => server.close(resolve));
}

const NOTES = ['create table "note" ("id" serial primary key, "text" varchar(255) not null)'];
const TENANTS = scaled(10_000, 200);
const SAMPLES = 10;
const POOL = 10;
