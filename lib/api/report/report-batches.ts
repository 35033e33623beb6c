import type { Transaction } from '@mikro-orm/core';
import pMap from 'p-map';
import { servingSql } from '../../connection/pool/tenants-of-client.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { ReportError, TenantsBehindError } from '../../errors/index.js';
import { selectSchemaNames, type TenantSelection } from '../../migrations/run/selection.js';
import { callBeforeReport } from '../../orm/tenant-hooks.js';
import { areSame, lacksColumn, splitTenants, type ReadyTenant } from './behind-tenants.js';
import { handOver } from './hand-over.js';
import type { ReportTemplate, Sql } from './report-template.js';
import type { BehindTenant, ReportOptions } from './report-types.js';

/** The tenants of a report in batches. Each batch is one statement in a read-only transaction of its own. */
export class ReportBatches {
  readonly behind: BehindTenant[];
  readonly tenants: readonly ReadyTenant[];
  readonly #database: TenantDatabase;
  readonly #template: ReportTemplate;
  readonly #options: ReportOptions<any>;

  static async of(database: TenantDatabase, template: ReportTemplate, options: ReportOptions<any>): Promise<ReportBatches> {
    const selection: TenantSelection = options.tenants ?? {};
    const names = await selectSchemaNames(database, selection);
    const { ready, behind } = await splitTenants(database, names, template.columns);
    // a tenant may have been given the name of another one between the two
    const selected = new Set(await selectSchemaNames(database, { ...selection, only: [], skip: [] }));
    const tenants = ready.filter(({ schemaName }) => selected.has(schemaName));
    const { className } = template.meta;
    // one line, whatever it was given
    const reason = options.reason.replaceAll(/\s+/g, ' ');
    database.orm.config
      .getLogger()
      .log('info', `report across ${tenants.length} tenants, ${className}: ${reason}`, { enabled: true, level: 'info' });

    await callBeforeReport(database, {
      reason: options.reason,
      entity: className,
      schemaNames: tenants.map(({ schemaName }) => schemaName),
    });

    if (behind.length > 0 && options.onBehind === 'throw') {
      throw new TenantsBehindError(behind);
    }

    return new ReportBatches(database, template, { tenants, behind, options });
  }

  private constructor(database: TenantDatabase, template: ReportTemplate, { tenants, behind, options }: Selected) {
    this.#database = database;
    this.#template = template;
    this.#options = options;
    this.tenants = tenants;
    this.behind = behind;
  }

  /** Runs the statement that `sqlOf` makes for each batch, several at once. Gives the rows in the order of the batches. */
  async all<Row>(sqlOf: (tenants: readonly ReadyTenant[]) => Sql): Promise<Row[][]> {
    return pMap(this.#batches(), tenants => this.#read<Row>(tenants, sqlOf), { concurrency: this.#concurrency });
  }

  /** The same, one batch after the other, each when it is wanted, and of a batch a part at a time where the database can. */
  async *parts<Row>(sqlOf: (tenants: readonly ReadyTenant[]) => Sql): AsyncGenerator<Row[], void> {
    for (const tenants of this.#batches()) {
      // on one connection, whoever reads could send nothing else meanwhile
      if (this.#sharesConnection) {
        yield await this.#read<Row>(tenants, sqlOf);
      } else {
        yield* this.#stream<Row>(tenants, sqlOf);
      }
    }
  }

  get #sharesConnection(): boolean {
    return this.#database.isInTransaction || this.#database.engine.connectionsAtOnce() === 1;
  }

  get #concurrency(): number {
    return this.#sharesConnection ? 1 : (this.#options.concurrency ?? CONCURRENCY);
  }

  #batches(): ReadyTenant[][] {
    const size = this.#options.batchSize ?? BATCH_SIZE;

    return Array.from({ length: Math.ceil(this.tenants.length / size) }, (_, n) => this.tenants.slice(n * size, (n + 1) * size));
  }

  async #read<Row>(tenants: readonly ReadyTenant[], sqlOf: (tenants: readonly ReadyTenant[]) => Sql): Promise<Row[]> {
    return this.#withoutThoseBehind(
      tenants,
      ready =>
        this.#readOnly(ready, async ctx => {
          const { sql, params } = sqlOf(ready);
          const rows = await this.#database.execute<Row>(sql, params, ctx);
          await this.#checkTenants(ready, ctx);

          return rows;
        }),
      [],
    );
  }

  #stream<Row>(tenants: readonly ReadyTenant[], sqlOf: (tenants: readonly ReadyTenant[]) => Sql): AsyncGenerator<Row[], void> {
    return handOver(give =>
      this.#withoutThoseBehind(
        tenants,
        ready =>
          this.#readOnly(ready, async ctx => {
            const { sql, params } = sqlOf(ready);
            await this.#database.execute(`declare ${CURSOR} no scroll cursor for ${sql}`, params, ctx);
            // from here on it reads the tables that it has found, whoever has their names
            await this.#checkTenants(ready, ctx);

            for (let isMore = true; isMore;) {
              const rows = await this.#database.execute<Row>(`fetch forward ? from ${CURSOR}`, [FETCHED], ctx);
              isMore = rows.length === FETCHED;
              await give(rows);
            }
          }),
        undefined,
      ),
    );
  }

  async #checkTenants(tenants: readonly ReadyTenant[], ctx: Transaction): Promise<void> {
    if (!(await areSame(this.#database, tenants, ctx))) {
      throw ReportError.tenantsChanged();
    }
  }

  /** Tenants may be migrated, renamed or dropped after they were looked at. */
  async #withoutThoseBehind<Result>(
    tenants: readonly ReadyTenant[],
    read: (ready: readonly ReadyTenant[]) => Promise<Result>,
    nothing: Result,
  ): Promise<Result> {
    try {
      return await read(tenants);
    } catch (error) {
      if (!lacksColumn(error)) {
        throw error;
      }

      const { ready, behind } = await splitTenants(
        this.#database,
        tenants.map(({ schemaName }) => schemaName),
        this.#template.columns,
      );
      const still = tenants.filter(({ schemaName, oid }) => ready.some(each => each.schemaName === schemaName && each.oid === oid));

      if (still.length === tenants.length) {
        throw error;
      }

      this.behind.push(...behind);

      if (this.#options.onBehind === 'throw') {
        throw new TenantsBehindError(behind);
      }

      return still.length === 0 ? nothing : read(still);
    }
  }

  async #readOnly<Result>(tenants: readonly ReadyTenant[], fn: (ctx: Transaction) => Promise<Result>): Promise<Result> {
    const { orm } = this.#database;
    const readOnly = servingSql(
      tenants.map(({ schemaName }) => schemaName),
      'set transaction read only',
    );
    const outer = orm.em.getTransactionContext();

    if (outer === undefined) {
      return this.#database.inTransaction(async ctx => {
        await this.#database.execute(readOnly, [], ctx);

        return fn(ctx);
      });
    }

    const connection = orm.em.getConnection('write');
    const savepoint: Transaction = await connection.begin({ ctx: outer });

    try {
      await this.#database.execute(readOnly, [], savepoint);

      return await fn(savepoint);
    } finally {
      // with it, the transaction may write again
      await connection.rollback(savepoint);
    }
  }
}

const CURSOR = 'landlord_report';

const FETCHED = 1_000;

const BATCH_SIZE = 100;

const CONCURRENCY = 4;

interface Selected {
  readonly tenants: readonly ReadyTenant[];
  readonly behind: BehindTenant[];
  readonly options: ReportOptions<any>;
}
