import type { EntityClass, EntityKey } from '@mikro-orm/core';
import { PublicContextRequiredError, ReportError } from '../../errors/index.js';
import { publicScope } from '../../scope/make-scope.js';
import type { TenantMixin } from '../../tenant/tenant-mixin.js';
import { Tenancy } from '../../tenancy.js';
import { aggregateAll, partsOf } from './report-aggregates.js';
import { ReportBatches } from './report-batches.js';
import { ColumnTypes, sortKeysOf, sortRows, type SortKey } from './report-order.js';
import { RowMaker, type RawRow } from './report-rows.js';
import { limitOf, orderedUnionOf, unionOf } from './report-sql.js';
import { columnOf, makeTemplate, type ReportTemplate, type WantedQuery } from './report-template.js';
import type {
  AggregateOptions,
  AggregateRow,
  Aggregates,
  BehindTenant,
  ReportOptions,
  ReportQuery,
  ReportRow,
  RowOf,
} from './report-types.js';

/**
 * A report over the rows of many tenants: `acrossTenants(Book, { where: { isLent: true } }, { reason: 'billing' })`. Nothing is read before the
 * report is iterated, or one of its methods is called.
 *
 * A batch of tenants is one statement in a read-only transaction, so a report over several batches is not of one moment. Conditions, filters and
 * types are MikroORM's. Rows are plain objects with the schema name of their tenant.
 *
 * It is for the public scope, and for code outside any scope.
 *
 * @throws PublicContextRequiredError `PUBLIC_CONTEXT_REQUIRED` in a tenant's scope.
 * @throws ReportError `REPORT_USAGE` without a reason.
 */
export function acrossTenants<
  Entity extends object,
  Field extends EntityKey<Entity> = EntityKey<Entity>,
  Tenant extends TenantMixin<unknown> = TenantMixin<unknown>,
>(entity: EntityClass<Entity>, query: ReportQuery<Entity, Field>, options: ReportOptions<Tenant>): TenantsReport<Entity, Field> {
  const tenancy = Tenancy.select(options);
  refuseTenantScope(tenancy);

  // plain JavaScript passes anything
  if (typeof options?.reason !== 'string' || options.reason.trim() === '') {
    throw ReportError.withoutReason();
  }

  for (const [name, value, least] of [
    ['limit', query.limit, 0],
    ['offset', query.offset, 0],
    ['batchSize', options.batchSize, 1],
    ['concurrency', options.concurrency, 1],
  ] as const) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= least)) {
      throw ReportError.notANumber(name, value, least);
    }
  }

  return new TenantsReport<Entity, Field>(tenancy, entity, { query, options });
}

/** A report over tenants. Each call of a method, and each iteration, reads anew. */
export class TenantsReport<Entity extends object, Field extends EntityKey<Entity> = EntityKey<Entity>> implements AsyncIterable<
  ReportRow<RowOf<Entity, Field>>
> {
  readonly #tenancy: Tenancy;
  readonly #entity: EntityClass<Entity>;
  readonly #query: ReportQuery<Entity, Field>;
  readonly #options: ReportOptions<any>;
  #behind: readonly BehindTenant[] | undefined;

  /** @internal */
  constructor(
    tenancy: Tenancy,
    entity: EntityClass<Entity>,
    { query, options }: { readonly query: ReportQuery<Entity, Field>; readonly options: ReportOptions<any> },
  ) {
    this.#tenancy = tenancy;
    this.#entity = entity;
    this.#query = query;
    this.#options = options;
  }

  /** The rows, each with its tenant. Without an order they are read a part at a time, as they are wanted. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ReportRow<RowOf<Entity, Field>>, void> {
    const parts = this.#rows();

    try {
      for (;;) {
        // each part is read in the public scope, whatever scope the reader is in
        const { done, value } = await this.#inPublic(() => parts.next());

        if (done === true) {
          return;
        }

        yield* value;
      }
    } finally {
      await this.#inPublic(() => parts.return());
    }
  }

  /** All rows at once. */
  async toArray(): Promise<ReportRow<RowOf<Entity, Field>>[]> {
    const rows: ReportRow<RowOf<Entity, Field>>[] = [];

    for await (const row of this) {
      rows.push(row);
    }

    return rows;
  }

  /** How many rows match, over all tenants. `limit` and `offset` do not count. */
  async count(): Promise<number> {
    const [{ count = 0 } = {}] = (await this.aggregate({ count: 'count' })) as readonly { readonly count?: number }[];

    return count;
  }

  /**
   * Computes over the rows that match, of all tenants together: `aggregate({ books: 'count', copies: { sum: 'copies' } }, { groupBy: ['format'] })`.
   * `limit`, `offset` and `orderBy` do not count. Without `groupBy` and `byTenant` it is one result, also if there are no rows.
   *
   * @throws ReportError `REPORT_USAGE` for a property that is no column of the entity, or cannot be added up.
   */
  async aggregate<
    const Wanted extends Aggregates<Entity>,
    const Group extends EntityKey<Entity> = never,
    const ByTenant extends boolean = false,
  >(wanted: Wanted, options: AggregateOptions<Entity, Group, ByTenant> = {}): Promise<AggregateRow<Entity, Wanted, Group, ByTenant>[]> {
    return this.#inPublic(async () => {
      const { database } = this.#tenancy;
      const parts = partsOf(this.#meta, wanted);
      const groups = (options.groupBy ?? []).map(name => columnOf(this.#meta, name, '`groupBy`'));
      const fields = [...groups.map(({ name }) => name), ...parts.flatMap(({ of }) => of?.name ?? [])];
      const { template, batches } = await this.#prepare({ fields });
      const asked = { database, parts, groups, byTenant: options.byTenant === true };

      return (await aggregateAll(batches, template, asked)) as AggregateRow<Entity, Wanted, Group, ByTenant>[];
    });
  }

  /**
   * The tenants that lack a table or a column that the report reads, so that their rows are not in it. After a report has been read, they are
   * those that were left out of it; before, it looks for them.
   */
  async behind(): Promise<readonly BehindTenant[]> {
    if (this.#behind === undefined) {
      await this.#inPublic(() => this.#prepare(this.#query.fields === undefined ? {} : { fields: this.#query.fields }));
    }

    return this.#behind ?? [];
  }

  async *#rows(): AsyncGenerator<ReportRow<any>[], void> {
    const { limit, offset = 0, orderBy, fields } = this.#query;
    const order = sortKeysOf(this.#meta, orderBy);
    const sorted = [orderBy ?? []].flat().flatMap(each => Object.keys(each as object));
    const { template, batches } = await this.#prepare(fields === undefined ? {} : { fields: [...fields, ...sorted] });
    const maker = new RowMaker(this.#tenancy.database, this.#entity, { meta: template.meta, properties: wantedOf(template, fields) });
    const most = limit === undefined ? undefined : limit + offset;

    if (order.length > 0) {
      const rows = await this.#sorted(batches, template, { order, most });
      yield maker.make(rows.slice(offset, most));
      return;
    }

    const tail = limitOf(most);
    let seen = 0;

    for await (const part of batches.parts<RawRow>(tenants => unionOf(template, tenants, { tail }))) {
      const rows = part.slice(Math.max(0, offset - seen), most === undefined ? undefined : Math.max(0, most - seen));
      seen += part.length;
      yield maker.make(rows);

      if (most !== undefined && seen >= most) {
        return;
      }
    }
  }

  /** The first rows of each batch, and of those the first ones. */
  async #sorted(batches: ReportBatches, template: ReportTemplate, { order, most }: Sorting): Promise<RawRow[]> {
    const { database } = this.#tenancy;
    const types = await ColumnTypes.of(database, template, { columns: order.map(({ column }) => column), tenants: batches.tenants });
    const found = await batches.all<RawRow>(tenants => orderedUnionOf(template, tenants, { order, most }));
    let rows: RawRow[] = [];

    for (const each of found) {
      rows.push(...each);

      // so that a large limit over many batches does not make one list of all of them
      if (most !== undefined && rows.length > Math.max(2 * most, MOST_SORTED)) {
        rows = (await sortRows(database, rows, { order, types })).slice(0, most);
      }
    }

    return found.length < 2 ? rows : (await sortRows(database, rows, { order, types })).slice(0, most);
  }

  async #prepare(wanted: Pick<WantedQuery, 'fields'>): Promise<{ readonly template: ReportTemplate; readonly batches: ReportBatches }> {
    const { database } = this.#tenancy;
    const { where, filters } = this.#query;
    const template = await makeTemplate(database, this.#entity, { ...wanted, where, filters });
    const batches = await ReportBatches.of(database, template, this.#options);
    this.#behind = batches.behind;

    return { template, batches };
  }

  get #meta(): ReportTemplate['meta'] {
    const meta = this.#tenancy.rules.metadata.find(this.#entity);

    if (meta === undefined) {
      throw ReportError.notTenantEntity(this.#entity.name);
    }

    return meta;
  }

  #inPublic<Result>(fn: () => Promise<Result>): Promise<Result> {
    const { rules } = this.#tenancy;

    return this.#tenancy.inOpenTransaction(async () => {
      refuseTenantScope(this.#tenancy);

      return this.#tenancy.enter(publicScope(rules), fn);
    });
  }
}

/** What is sorted by and was not asked for is no part of a row. */
function wantedOf({ properties }: ReportTemplate, fields: readonly string[] | undefined): ReportTemplate['properties'] {
  return fields === undefined
    ? properties
    : properties.filter(({ name, primary, embedded }) => primary === true || fields.includes(name) || fields.includes(embedded?.[0] ?? ''));
}

function refuseTenantScope({ rules: { scope } }: Tenancy): void {
  if (scope?.kind === 'tenant') {
    throw PublicContextRequiredError.forReport(scope.schemaName);
  }
}

const MOST_SORTED = 10_000;

interface Sorting {
  readonly order: readonly SortKey[];
  readonly most: number | undefined;
}
