import { Session } from 'node:inspector/promises';
import { defineConfig, MikroORM, type SqlEntityManager } from '@mikro-orm/postgresql';
import { APPLICATION, APPLICATION_TABLES, useApplication } from './application.ts';
import { ENTITIES, TABLES, WORKS, type Work } from './orm-works.ts';

/** One of two processes that do the same work on the same tables: in a tenant's scope, or on a fork of MikroORM alone. */
export type Side = 'tenants' | 'stock';

/** Does `work` so many times. */
export interface Order {
  readonly work: string;
  readonly times: number;
  /** Whether nothing may be collected meanwhile. */
  readonly isCollectedBefore?: boolean;
  /** Whether each call of a function is counted. V8 then compiles none of them for speed. */
  readonly countsCalls?: boolean;
}

export interface Done {
  /** Microseconds of the processor for each. */
  readonly µs: number;
  /** What each has allocated, if nothing was collected meanwhile. */
  readonly bytes: number;
  /** How many functions each has called, if they were counted. */
  readonly calls?: number;
}

const SCHEMA = 'acme';

async function open(side: Side, url: string): Promise<(work: Work, times: number) => Promise<void>> {
  const options = { clientUrl: url, pool: { max: 4 }, migrations: { path: './none' } };

  if (side === 'stock') {
    const orm = await MikroORM.init(defineConfig({ ...options, entities: [...ENTITIES, ...APPLICATION] }) as never);
    await useApplication(() => orm.em.fork({ schema: SCHEMA }));

    return async (work, times) => {
      for (let n = 0; n < times; n += 1) {
        await work(orm.em.fork({ schema: SCHEMA }), n, SCHEMA);
      }
    };
  }

  // it changes classes of MikroORM, so the other process never loads it
  const { runInTenant, withTenants } = await import('@landlord/mikro-orm');
  const { Client, ClientSchema, migrationOf } = await import('./domain.ts');
  const orm = await MikroORM.init(
    withTenants(defineConfig({ ...options, entities: [ClientSchema, ...ENTITIES, ...APPLICATION] }) as never, {
      tenant: Client,
      migrations: { migrationsList: [migrationOf('Migration0', [...TABLES, ...APPLICATION_TABLES])] },
    }) as never,
  );
  const { em } = orm as unknown as { em: SqlEntityManager };
  await em.execute(
    'create table if not exists "client" ("id" serial primary key, "domain_url" varchar(255) not null unique, "schema_name" varchar(63) not null unique)',
  );

  if ((await em.fork().count(Client, {})) === 0) {
    await em
      .fork()
      .persist(new Client({ schemaName: SCHEMA, domainUrl: 'acme.example.com' }))
      .flush();
  }

  // as a server does, which finds the tenants of its requests there
  const tenancy = orm.config.getExtension<{ findHeld(key: object): Promise<unknown> }>('@landlord/mikro-orm');
  await tenancy?.findHeld({ property: 'schemaName', value: SCHEMA });
  await new Promise(resolve => setTimeout(resolve, 1_000));
  await runInTenant(SCHEMA, scoped => useApplication(() => scoped.fork()));

  return (work, times) =>
    runInTenant(SCHEMA, async scoped => {
      for (let n = 0; n < times; n += 1) {
        await work(scoped.fork(), n, SCHEMA);
      }
    });
}

const [side, url] = process.argv.slice(2) as [Side, string];
const run = await open(side, url);

async function follow({ work, times, isCollectedBefore, countsCalls }: Order): Promise<Done> {
  const { work: each } = WORKS[work] as { readonly work: Work };

  if (isCollectedBefore === true) {
    globalThis.gc?.({ type: 'minor' });
  }

  const counter = countsCalls === true ? await startCounting() : undefined;
  const { heapUsed } = process.memoryUsage();
  const before = process.cpuUsage();
  await run(each, times);
  const { user, system } = process.cpuUsage(before);
  const bytes = (process.memoryUsage().heapUsed - heapUsed) / times;
  const calls = await counter?.();

  return { µs: (user + system) / times, bytes, ...(calls === undefined ? {} : { calls: calls / times }) };
}

async function startCounting(): Promise<() => Promise<number>> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });

  return async () => {
    const { result } = await session.post('Profiler.takePreciseCoverage');
    session.disconnect();

    // a function without a call is not always told of, and the first range is all of it
    return result.reduce((sum, { functions }) => sum + functions.reduce((all, { ranges }) => all + (ranges[0]?.count ?? 0), 0), 0);
  };
}

process.on('message', (order: Order) => {
  follow(order).then(
    result => process.send?.(result),
    (error: unknown) => process.send?.({ error: String((error as Error).stack) }),
  );
});
process.on('disconnect', () => process.exit());
process.send?.({ µs: 0, bytes: 0 } satisfies Done);
