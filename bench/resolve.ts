import { tenantContext } from '@landlord/mikro-orm';
import { RequestContext } from '@mikro-orm/core';
import type { Context } from 'koa';
import { hostsOf, startApps } from './apps.ts';
import { median, round, scaled, timed, type Report } from './report.ts';

/** Finding the tenant of a host without a socket or a query: the time that `tenantContext()` adds to a request, and unknown hosts. */
export async function resolve(url: string): Promise<Report> {
  await using apps = await startApps(url, TENANTS);
  const { orm } = apps;
  const queries: string[] = [];
  const tenancy = orm.config.getExtension<any>('@landlord/mikro-orm');
  const middleware = tenantContext({ orm });
  const hosts = hostsOf(TENANTS);
  const next = async (): Promise<void> => undefined;
  const contexts = hosts.map(contextOf);
  const made = Array.from({ length: 1_000 }, (_, n) => contextOf(`nobody${n}.example.com`));
  const driver = orm.em.getDriver();
  const find = driver.find.bind(driver);
  driver.find = ((...args: Parameters<typeof find>) => {
    queries.push('find');

    return find(...args);
  }) as never;
  const pass = async (ctx: Context): Promise<void> => {
    try {
      await middleware(ctx, next);
    } catch {
      // unknown
    }
  };

  for (const ctx of [...contexts, ...contexts, ...made.slice(0, 900)]) {
    await pass(ctx);
  }

  // long enough that lookups from before the directory listened are repeated
  await new Promise(done => setTimeout(done, 1_500));
  for (const ctx of [...contexts, ...contexts]) {
    await pass(ctx);
  }

  const rows: Report['rows'][number][] = [];
  const measure = async (what: string, atMost: number | string, times: number, fn: (n: number) => unknown): Promise<void> => {
    const rounds: number[] = [];
    const before = queries.length;

    for (let round = 0; round < ROUNDS; round += 1) {
      rounds.push(
        await timed(async () => {
          for (let n = 0; n < times; n += 1) {
            const result = fn(n);

            if (result instanceof Promise) {
              await result;
            }
          }
        }),
      );
      // lets the event loop run, as it does between requests
      await new Promise(done => setImmediate(done));
    }

    rows.push({
      what,
      'µs each': round((median(rounds) * 1000) / times, 3),
      'at most': atMost,
      queries: queries.length - before,
      of: times * ROUNDS,
    });
  };

  const N = scaled(100_000, 10_000);
  await measure('a known host', 2, N, n => {
    const host = tenancy.rules.canonicalHost(hosts[n % TENANTS]);

    return tenancy.rules.isPublicHost(host) ? undefined : tenancy.findHeld({ property: 'domainUrl', value: host });
  });
  await measure('of which the directory', '', N, n => tenancy.findHeld({ property: 'domainUrl', value: hosts[n % TENANTS] }));
  await measure('tenantContext() as a whole', '', N, n => middleware(contexts[n % TENANTS] as Context, next));
  await measure('a hard-wired fork in a request context', '', N, n =>
    RequestContext.create(orm.em.fork({ schema: `t${n % TENANTS}` }), next),
  );
  await measure('a hard-wired fork', '', N, n => orm.em.fork({ schema: `t${n % TENANTS}` }));
  await measure('tenantContext() and a look at the tenant', '', N, n =>
    middleware(contexts[n % TENANTS] as Context, async () => void (contexts[n % TENANTS] as Context).state.tenant?.schemaName),
  );
  await measure('an unknown host that is remembered', '', scaled(20_000, 2_000), n => pass(made[n % 500] as Context));
  let flood = 0;
  await measure('a new unknown host in a flood, 500 at once', '', scaled(100, 10), () =>
    Promise.all(Array.from({ length: 500 }, () => pass(contextOf(`x${(flood += 1)}.example.com`)))),
  );
  const last = rows.at(-1) as Record<string, number>;
  rows[rows.length - 1] = { ...last, 'µs each': round((last['µs each'] ?? 0) / 500, 3), of: (last['of'] ?? 0) * 500 };

  return { title: `Who is meant by a host, ${TENANTS} tenants`, rows };
}

function contextOf(host: string): Context {
  const rawHeaders = ['Host', host, 'Connection', 'keep-alive', 'Accept', '*/*', 'User-Agent', 'bench'];

  return {
    host,
    app: { proxy: false },
    originalUrl: '/',
    req: { rawHeaders, headers: { host }, httpVersionMajor: 1 },
    get: (name: string) => (name === 'Host' ? host : ''),
    state: {},
  } as unknown as Context;
}

const TENANTS = 100;
const ROUNDS = scaled(15, 5);
