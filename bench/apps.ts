import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tenantContext } from '@landlord/mikro-orm';
import { defineConfig, MikroORM, RequestContext } from '@mikro-orm/postgresql';
import Koa from 'koa';
import pMap from 'p-map';
import type { Pool } from 'pg';
import { APPLICATION_TABLES, USED } from './application.ts';
import { migrationOf, Note, NoteSchema, openOrm, type BenchOrm } from './domain.ts';
import { openPool } from './server.ts';

/** The same application built in several ways. Each request finds its tenant by host, and reads the tenant's notes with one query. */
export interface Apps extends AsyncDisposable {
  readonly orm: BenchOrm;
  readonly ports: Readonly<Record<AppName, number>>;
}

export type AppName = (typeof APPS)[number];

export const APPS = [
  'tenantContext',
  'hard-wired fork',
  'hard-wired fork of MikroORM alone',
  'RequestContext of MikroORM alone',
  'Koa and pg',
] as const;

export async function startApps(url: string, count: number, directory: object = {}): Promise<Apps> {
  const resources = new AsyncDisposableStack();
  const orm = await openOrm(url, [migrationOf('Migration0', [])], POOL, { directory });
  resources.defer(() => orm.close());
  const alone = await MikroORM.init(defineConfig({ entities: [NoteSchema], clientUrl: url, pool: { max: POOL } }) as never);
  resources.defer(() => (alone as { close(): Promise<void> }).close());
  const pool = openPool(url, POOL);
  resources.defer(() => pool.end());
  await makeTenants(pool, count);

  const handlers: Record<AppName, (app: Koa) => unknown> = {
    tenantContext: app =>
      app.use(tenantContext({ orm })).use(async ctx => {
        ctx.body = await orm.em.find(Note, {});
      }),
    'hard-wired fork': app =>
      app.use(async ctx => {
        ctx.body = await orm.em.fork({ schema: schemaOf(ctx.host) }).find(Note, {});
      }),
    'hard-wired fork of MikroORM alone': app =>
      app.use(async ctx => {
        ctx.body = await (alone as unknown as BenchOrm).em.fork({ schema: schemaOf(ctx.host) }).find(Note, {});
      }),
    // the global em of a plain application, with the middleware from MikroORM's documentation
    'RequestContext of MikroORM alone': app => {
      const { em } = alone as unknown as BenchOrm;
      app
        .use((ctx, next) => RequestContext.create(em, next, { schema: schemaOf(ctx.host) }))
        .use(async ctx => {
          ctx.body = await em.find(Note, {});
        });
    },
    'Koa and pg': app =>
      app.use(async ctx => {
        ctx.body = (await pool.query(`select "n0".* from "${schemaOf(ctx.host)}"."note" as "n0"`)).rows;
      }),
  };
  const ports: Partial<Record<AppName, number>> = {};

  for (const name of APPS) {
    const app = new Koa();
    handlers[name](app);
    const handle = app.callback();
    const server = createServer((req, res) => void handle(req, res));
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    resources.defer(() => close(server));
    ports[name] = (server.address() as AddressInfo).port;
  }

  return { orm, ports: ports as Record<AppName, number>, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

export function hostsOf(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `t${n}.example.com`);
}

function schemaOf(host: string): string {
  return host.slice(0, host.indexOf('.'));
}

export async function makeTenants(pool: Pool, count: number): Promise<void> {
  await pMap(
    hostsOf(count).map(schemaOf),
    name =>
      pool.query(
        [
          'begin',
          `insert into "client" ("domain_url", "schema_name") values ('${name}.example.com', '${name}') on conflict do nothing`,
          `create schema if not exists "${name}"`,
          `create table if not exists "${name}"."note" ("id" serial primary key, "text" varchar(255) not null)`,
          `insert into "${name}"."note" ("text") values ('of ${name}')`,
          ...(name === USED ? [`set local search_path to "${USED}"`, ...APPLICATION_TABLES] : []),
          'commit',
        ].join(';\n'),
      ),
    { concurrency: 4 },
  );
  await pool.query('vacuum analyze');
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise(resolve => server.close(resolve));
}

const POOL = 10;
