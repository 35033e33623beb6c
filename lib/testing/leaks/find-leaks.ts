import { randomUUID } from 'node:crypto';
import { TestError } from '../../errors/testing-errors.js';
import { runInTenant } from '../../api/run-in.js';
import type { TenantMixin } from '../../tenant/tenant-mixin.js';
import type { TenantEntityManager } from '../../orm/tenant-entity-manager.js';
import type { WrappedOrm } from '../../scope/wrapped-orm.js';
import { Tenancy } from '../../tenancy.js';
import type { TestKit } from '../kit.js';
import { contentsOf, differences, type Touched } from '../touched.js';
import { requestFor, type LeakRequest, type MarkedTenant, type RequestOf } from './requests.js';
import { serve, type Answer, type ServedApp } from './send.js';
import { marksElsewhere, moveSequences } from './marks.js';

export interface LeakSuiteOptions<Orm extends object = WrappedOrm, Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> {
  readonly kit: TestKit<Orm>;

  /** The application, on the kit's ORM. */
  readonly app: ServedApp;

  /** What is sent as each of the two tenants. `requestsOf(document)` reads them from an OpenAPI document. */
  readonly requests: readonly RequestOf[];

  /** Stores something of the tenant, in its scope, with `mark` in each text that the application shows. */
  readonly fill: (em: TenantEntityManager, mark: string, tenant: Tenant) => unknown;

  /** What a request has to have to be the tenant's. @default its host in `Host` */
  readonly headersOf?: (tenant: Tenant) => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;

  /** Waits for what the requests have started, such as jobs, before the tables are looked at. */
  readonly settle?: () => unknown;

  /** How often each request is sent as each tenant while others are under way. @default 5 */
  readonly rounds?: number;
}

/** What the suite has found, and how far it has looked. */
export interface LeakReport {
  /** One line for each leak. */
  readonly leaks: readonly string[];
  /** The requests whose answers showed nothing of their own tenant, which can show little of another one either. */
  readonly silent: readonly string[];
  readonly sent: number;
}

/**
 * Sends each request as two tenants with different data: alone, then interleaved, and looks whether anything of one shows in an answer to the
 * other, or has come into its tables or the shared ones. The test has to commit (`mode: 'real'`), as what it looks for are the application's own
 * connections, caches and jobs.
 */
export async function findLeaks<Orm extends object, Tenant extends TenantMixin<unknown> = TenantMixin<unknown>>(
  options: LeakSuiteOptions<Orm, Tenant>,
): Promise<LeakReport> {
  const { kit, app, requests, rounds = 5 } = options;

  if (kit.isRolledBack) {
    throw TestError.usage(
      `The test ${JSON.stringify(kit.testName)} runs in a transaction, in which the leak suite would miss what other connections do. Run it with \`mode: 'real'\`.`,
    );
  }

  const pair = [await arrange(options), await arrange(options)] as const;
  const server = await serve(app);
  const report = new Report(pair);

  try {
    const sendAs = async (request: RequestOf, tenant: Marked<Tenant>): Promise<void> => {
      const made = await requestFor(request, tenant);
      const sent = { ...made, headers: { ...tenant.headers, ...made.headers } };
      report.add(sent, tenant, await server.send(sent));
    };

    const untouched = await contents(kit, pair[1].schemaName);

    for (const request of requests) {
      await sendAs(request, pair[0]);
    }

    await options.settle?.();
    const touched = differences(pair[1].schemaName, untouched, await contents(kit, pair[1].schemaName));
    touched.forEach(each => report.addLine(`the requests of "${pair[0].schemaName}" alone have changed ${each}`));

    for (const request of requests) {
      await sendAs(request, pair[1]);
      await sendAs(request, pair[0]);
    }

    for (let round = 0; round < rounds; round += 1) {
      await Promise.all(requests.flatMap(request => pair.map(tenant => sendAs(request, tenant))));
    }

    await options.settle?.();
  } finally {
    await server.close();
  }

  const elsewhere = await kit.outside(() => marksElsewhere(kit.orm as Orm & WrappedOrm, pair));

  return report.end(elsewhere);
}

/**
 * The same, and fails where it has found something.
 *
 * @throws TestError `TEST_LEAK`
 */
export async function expectNoLeaks<Orm extends object, Tenant extends TenantMixin<unknown> = TenantMixin<unknown>>(
  options: LeakSuiteOptions<Orm, Tenant>,
): Promise<LeakReport> {
  const report = await findLeaks(options);

  if (report.leaks.length > 0) {
    throw TestError.leak(options.kit.testName ?? '', report.leaks);
  }

  return report;
}

async function arrange<Orm extends object, Tenant extends TenantMixin<unknown>>({
  kit,
  fill,
  headersOf,
}: LeakSuiteOptions<Orm, Tenant>): Promise<Marked<Tenant>> {
  const mark = `mark-${randomUUID()}`;
  const tenant = await kit.testTenant<Tenant>();
  await moveSequences(kit.orm as Orm & WrappedOrm, tenant.schemaName);
  await runInTenant<unknown, Tenant>(tenant, em => fill(em, mark, tenant), { orm: kit.orm as Orm & WrappedOrm });

  return {
    mark,
    schemaName: tenant.schemaName,
    domainUrl: tenant.domainUrl,
    headers: (await headersOf?.(tenant)) ?? { Host: tenant.domainUrl },
    tenant,
  };
}

function contents<Orm extends object>(kit: TestKit<Orm>, schemaName: string): Promise<Touched> {
  const { database } = Tenancy.of((kit.orm as Orm & WrappedOrm).config);

  return kit.outside(() => contentsOf((sql, params) => database.execute(sql, params, undefined), [schemaName]));
}

class Report {
  readonly #pair: readonly MarkedTenant[];
  readonly #leaks = new Set<string>();
  readonly #silent = new Map<string, boolean>();
  #sent = 0;

  constructor(pair: readonly MarkedTenant[]) {
    this.#pair = pair;
  }

  add({ method, path }: LeakRequest, tenant: MarkedTenant, answer: Answer): void {
    this.#sent += 1;
    const text = [answer.body, ...Object.entries(answer.headers).map(([name, value]) => `${name}: ${String(value)}`)].join('\n');
    const title = `${method} ${path}`;

    for (const other of this.#pair.filter(each => each !== tenant)) {
      for (const sign of [other.mark, other.domainUrl, other.schemaName]) {
        if (text.includes(sign)) {
          this.#leaks.add(
            `${title} as "${tenant.schemaName}" shows ${JSON.stringify(sign)} of "${other.schemaName}" (status ${answer.status})`,
          );
        }
      }
    }

    this.#silent.set(title, (this.#silent.get(title) ?? true) && !text.includes(tenant.mark));
  }

  addLine(line: string): void {
    this.#leaks.add(line);
  }

  end(elsewhere: readonly string[]): LeakReport {
    return {
      leaks: [...this.#leaks, ...elsewhere],
      silent: [...this.#silent].filter(([, isSilent]) => isSilent).map(([title]) => title),
      sent: this.#sent,
    };
  }
}

interface Marked<Tenant> extends MarkedTenant {
  readonly headers: Readonly<Record<string, string>>;
  readonly tenant: Tenant;
}
