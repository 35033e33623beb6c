import type {
  Collection,
  EntityKey,
  FilterOptions,
  FilterQuery,
  Primary,
  PrimaryProperty,
  QueryOrder,
  QueryOrderNumeric,
  Reference,
  Scalar,
  ScalarReference,
} from '@mikro-orm/core';
import type { TenantSelection } from '../../migrations/run/selection.js';
import type { OrmOption } from '../../scope/live-orms.js';
import type { TenantMixin } from '../../tenant/tenant-mixin.js';

/** What is read of each tenant. */
export interface ReportQuery<Entity extends object, Field extends EntityKey<Entity> = EntityKey<Entity>> {
  /** The condition, as for `em.find()`. Relations in it stay in the tenant. */
  readonly where?: FilterQuery<Entity>;

  /** The properties that a row has. The primary key is always there. @default all that are not lazy */
  readonly fields?: readonly Field[];

  /**
   * The order over all tenants, by properties of the entity itself. Rows that are equal by it are in the order of their tenants' names, then of
   * their keys. The database compares, with its own collation. With an order, all rows are read before the first is given, so set a `limit`.
   *
   * @default none
   */
  readonly orderBy?: ReportOrder<Entity> | readonly ReportOrder<Entity>[];

  /** How many rows there are at most, over all tenants. @default all */
  readonly limit?: number;

  /** How many rows are left out first, over all tenants. @default 0 */
  readonly offset?: number;

  /** Filters of MikroORM, as for `em.find()`. Those that are on by default apply. */
  readonly filters?: FilterOptions;
}

export type ReportOrder<Entity> = {
  readonly [Key in EntityKey<Entity>]?: QueryOrder | `${QueryOrder}` | QueryOrderNumeric;
};

/** Why other tenants' rows are read, which tenants', and how. */
export interface ReportOptions<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> extends OrmOption {
  /** Why the rows of many tenants are read, for example `'billing'`. It is written to MikroORM's logger. */
  readonly reason: string;

  /** Which tenants. Those that are suspended are among them. @default all */
  readonly tenants?: TenantSelection<Tenant>;

  /**
   * How many tenants one statement reads. It locks all of their tables and indexes that it uses, so a number that is too large for the server's
   * `max_locks_per_transaction` fails with "out of shared memory".
   *
   * @default 100
   */
  readonly batchSize?: number;

  /** How many batches are read at once, each on a connection of its own. It is 1 in a transaction and on PGlite. @default 4 */
  readonly concurrency?: number;

  /**
   * What happens if tenants lack a table or a column that the report reads. `'skip'` leaves them out, and `report.behind()` names them. `'throw'`
   * throws `TENANTS_BEHIND` before anything is read.
   *
   * @default 'skip'
   */
  readonly onBehind?: 'skip' | 'throw';
}

/** A tenant that a report has left out. */
export interface BehindTenant {
  readonly schemaName: string;
  /** The columns that it lacks, such as `book.title`. */
  readonly missing: readonly string[];
}

/** A row of a tenant. It is a plain object: no EntityManager manages it. */
export interface ReportRow<Row> {
  /** The schema name of the tenant. */
  readonly tenant: string;
  readonly row: Row;
}

/** The row of an entity: its own columns. A relation is the key that it refers to. */
export type RowOf<Entity extends object, Field extends EntityKey<Entity> = EntityKey<Entity>> = {
  -readonly [
    Key in Field | (PrimaryProperty<Entity> & EntityKey<Entity>) as Entity[Key] extends AnyCollection | undefined | null ? never : Key
  ]: ValueOf<Entity[Key]>;
};

/** What is computed over the rows of all tenants. */
export type Aggregates<Entity> = Readonly<Record<string, Aggregate<Entity>>>;

/** The number of rows; of those where the property is not null; or a sum, mean, least or greatest value of a property. */
export type Aggregate<Entity> =
  | 'count'
  | { readonly count: EntityKey<Entity> }
  | { readonly sum: EntityKey<Entity> }
  | { readonly avg: EntityKey<Entity> }
  | { readonly min: EntityKey<Entity> }
  | { readonly max: EntityKey<Entity> };

export interface AggregateOptions<Entity extends object, Group extends EntityKey<Entity> = never, ByTenant extends boolean = false> {
  /** One result for each combination of values of these properties, in their order. */
  readonly groupBy?: readonly Group[];
  /** One result for each tenant, or each tenant and group. A tenant without rows has none. */
  readonly byTenant?: ByTenant;
}

/** The results of `aggregate()`. Sums and means are exact decimals, as text. They are null where there is no value. */
export type AggregateRow<
  Entity extends object,
  Wanted extends Aggregates<Entity>,
  Group extends EntityKey<Entity>,
  ByTenant extends boolean,
> = { readonly [Key in Group]: ValueOf<Entity[Key]> } & {
  readonly [Name in keyof Wanted]: AggregateValue<Entity, Wanted[Name]>;
} & (ByTenant extends true ? { readonly tenant: string } : unknown);

type AggregateValue<Entity, Wanted> = Wanted extends 'count' | { readonly count: unknown }
  ? number
  : Wanted extends { readonly sum: unknown } | { readonly avg: unknown }
    ? string | null
    : Wanted extends { readonly min: infer Key extends keyof Entity } | { readonly max: infer Key extends keyof Entity }
      ? ValueOf<Entity[Key]> | null
      : never;

type ValueOf<Value> =
  | (Value extends Scalar | readonly unknown[] | null | undefined
      ? Value
      : Value extends ScalarReference<infer Inner>
        ? Inner
        : Value extends Reference<infer Target>
          ? Primary<Target>
          : Value extends object
            ? Primary<Value>
            : Value)
  | (undefined extends Value ? null : never);

type AnyCollection = Collection<any, any>;
