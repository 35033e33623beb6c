import type { TenantMixin } from '../tenant/tenant-mixin.js';
import type { WrappedOrm } from '../scope/wrapped-orm.js';
import { tenants } from '../api/tenant-service.js';
import { giveConsent } from '../provisioning/consent.js';
import { renameSchema } from '../provisioning/schemas.js';
import { publicScope } from '../scope/make-scope.js';
import { Tenancy } from '../tenancy.js';
import type { TestKitOptions } from './kit-options.js';

/** Gives tests their tenants: one that is ready, or a new one. */
export class TestTenants {
  readonly #orm: WrappedOrm;
  readonly #dataOf: (number: number) => Readonly<Record<string, unknown>>;
  /** The schemas that have their tables, and no row. */
  #ready: string[] = [];
  #free: string[] = [];
  #number = 0;
  /** How many the test has had created. */
  #created = 0;
  #atMost: number;

  constructor(orm: WrappedOrm, { tenant: dataOf = () => ({}), readyAtMost = AT_MOST }: TestTenantsOptions) {
    this.#orm = orm;
    this.#dataOf = dataOf;
    this.#atMost = readyAtMost;
  }

  /** Makes ready tenants up to this number. Their rows are not left, so that no test finds tenants that it has not made. */
  async makeReady(count: number): Promise<void> {
    for (let number = this.#ready.length + 1; number <= count; number += 1) {
      const em = this.#orm.em.fork();
      const tenant = em.create(this.#tenancy.database.options.tenant, {
        ...this.#dataOf(number),
        ...namesOf(`ready_${number}`),
      } as never);
      await em.persistAndFlush(tenant);
      tenant.autoDropSchema = false;
      await em.removeAndFlush(tenant);
    }
  }

  /** Tells which are ready in the database that the ORM is connected to. */
  async findReady(): Promise<void> {
    const rows = await this.#tenancy.database.execute<{ name: string }>(
      `select nspname::text as name from pg_namespace where nspname ~ '^ready_[0-9]+$' order by length(nspname), nspname`,
      [],
      undefined,
    );
    this.#ready = rows.map(({ name }) => name);
    this.begin();
  }

  /** Makes those ready that the test has lacked. It is outside of the test, and its failure is not the test's. */
  async grow(): Promise<void> {
    const count = Math.min(this.#ready.length + this.#created, this.#atMost);

    if (count <= this.#ready.length) {
      return;
    }

    try {
      await this.makeReady(count);
    } catch {
      this.#atMost = 0;
    }

    await this.findReady();
  }

  /** At the beginning of a test, when all that others have taken is back. */
  begin(): void {
    this.#free = [...this.#ready];
    this.#created = 0;
  }

  async take(data: TestTenantData): Promise<{ readonly tenant: TenantMixin<unknown>; readonly isNew: boolean }> {
    this.#number += 1;
    const ready = this.#free.shift();
    const schemaName = data.schemaName ?? ready ?? `test_${this.#number}`;
    const row = { ...this.#dataOf(this.#number), ...namesOf(schemaName), ...data } as never;

    if (ready === undefined) {
      this.#created += 1;

      return { tenant: await tenants(this.#orm).create(row), isNew: true };
    }

    if (ready !== schemaName) {
      await this.#rename(ready, schemaName);
    }

    return { tenant: await this.#store(row), isNew: false };
  }

  /** The row alone: its schema is there. */
  async #store(row: never): Promise<TenantMixin<unknown>> {
    const { database, rules } = this.#tenancy;

    return this.#tenancy.enter(publicScope(rules), async em => {
      const tenant = em.create(database.options.tenant, row);
      giveConsent(tenant, { hasSchema: true });
      await em.persistAndFlush(tenant);

      return tenant;
    });
  }

  async #rename(from: string, to: string): Promise<void> {
    const { database, rules } = this.#tenancy;

    await this.#tenancy.enter(publicScope(rules), em =>
      em.transactional(tx => renameSchema(database, { from, to, ctx: tx.getTransactionContext(), force: true })),
    );
  }

  get #tenancy(): Tenancy {
    return Tenancy.of(this.#orm.config);
  }
}

/** Each takes the space of its tables in each worker's database. */
const AT_MOST = 10;

type TestTenantsOptions = Pick<TestKitOptions, 'tenant' | 'readyAtMost'>;

/** What the row of a tenant is to have. */
export interface TestTenantData {
  readonly schemaName?: string;
  readonly [property: string]: unknown;
}

function namesOf(schemaName: string): { readonly schemaName: string; readonly domainUrl: string } {
  return { schemaName, domainUrl: `${schemaName.replaceAll('_', '-')}.test` };
}
