import type { Tenancy } from '../tenancy.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { contentsOf, differences, touchedBy, type Touched } from './touched.js';
import { TestError } from '../errors/testing-errors.js';
import { nameOfTest } from './assertions.js';
import type { TestTransaction } from './transaction/test-transaction.js';

/** Looks at what a test has changed. It costs nothing until it is asked. */
export class TestLook {
  readonly #tenancy: Tenancy;
  readonly #transaction: TestTransaction | undefined;
  #before: Map<string, ReadonlyMap<string, string>> = new Map();
  #hasBegun = false;
  readonly #schemas: string[] = [];
  /** The tenants that the kit has made, whose rows are in the public schema. */
  #made = 0;

  constructor(tenancy: Tenancy, transaction: TestTransaction | undefined) {
    this.#tenancy = tenancy;
    this.#transaction = transaction;
  }

  /** The kit has given the test a tenant. */
  async took({ schemaName }: TenantMixin<unknown>, { isNew }: { readonly isNew: boolean }): Promise<void> {
    this.#made += 1;
    this.#schemas.push(schemaName);

    // one that was ready has nothing of this transaction in it
    if (isNew && this.#transaction !== undefined) {
      this.#before.set(schemaName, (await this.#look()).get(schemaName) ?? new Map());
    }
  }

  async begin(): Promise<void> {
    this.#before = new Map(await this.#look());
    this.#hasBegun = true;
  }

  async changesIn(schemas: readonly string[]): Promise<string[]> {
    if (!this.#hasBegun && this.#transaction === undefined) {
      throw TestError.usage(
        `The test ${JSON.stringify(nameOfTest())} commits, so \`expectUntouched()\` needs \`await kit.arranged()\` before what it looks at.`,
      );
    }

    const after = new Map(await this.#look());
    const { publicSchema } = this.#tenancy.rules;

    if (!this.#hasBegun) {
      after.set(publicSchema, this.#withoutMade(after.get(publicSchema) ?? new Map()));
    }

    return schemas.flatMap(schema => differences(schema, this.#before, after));
  }

  /** Leaves out the rows of the tenants that the kit has made. */
  #withoutMade(touched: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
    const { tableName } = this.#tenancy.rules.tenantMeta.root;

    return new Map(
      [...touched].filter(
        ([name, what]) =>
          !(name === tableName && what === `${this.#made} inserted`) && !(name.startsWith(`${tableName}_`) && what === 'sequence used'),
      ),
    );
  }

  async #look(): Promise<Touched> {
    const { database, rules } = this.#tenancy;
    await this.#transaction?.sendDeferred();

    return this.#transaction === undefined
      ? contentsOf((sql, params) => database.execute(sql, params, undefined), [rules.publicSchema, ...this.#schemas])
      : touchedBy(this.#transaction.wire);
  }
}
