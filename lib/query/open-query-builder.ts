import type { EntityMetadata, RawQueryFragment, Transaction } from '@mikro-orm/core';
import type { QueryBuilder, QueryType } from '@mikro-orm/postgresql';
import type { PopulateHint } from '../entities/shared-relations.js';
import type { HelpedQuery, Join } from './guarded-query-helper.js';

/** The parts of MikroORM's QueryBuilder that are overridden or read here, private ones among them. */
export interface OpenQueryBuilder extends OverriddenMethods {
  context: Transaction | undefined;
  readonly em: { readonly schema: string | undefined } | undefined;
  readonly helper: object;
  /** `rawTableName` is the text that names a table in place of an entity. */
  readonly mainAlias: HelpedQuery['mainAlias'] & { readonly meta: EntityMetadata; readonly rawTableName?: string };
  readonly driver: HelpedQuery['driver'];
  readonly state: HelpedQuery['state'] & {
    readonly ctes: readonly { readonly name: string }[];
    readonly joins: Readonly<Record<string, Join>>;
    readonly populate: readonly PopulateHint[];
    readonly schema?: string;
  };
  readonly type: QueryType;
}

/** Typed like `OpenEntityManager` in `lib/orm/open-entity-manager.ts`. */
interface OverriddenMethods {
  clone(...args: Parameters<Mikro['clone']>): object;
  execute(...args: Parameters<Mikro['execute']>): Promise<unknown>;
  getCount(...args: Parameters<Mikro['getCount']>): Promise<unknown>;
  getNativeQuery(...args: Parameters<Mikro['getNativeQuery']>): object;
  getResultList(...args: Parameters<Mikro['getResultList']>): Promise<unknown>;
  getSingleResult(...args: Parameters<Mikro['getSingleResult']>): Promise<unknown>;
  having(...args: Parameters<Mikro['having']>): this;
  insert(...args: Parameters<Mikro['insert']>): this;
  merge(...args: Parameters<Mikro['merge']>): this;
  // MikroORM declares an iterator; it is a generator
  stream(...args: Parameters<Mikro['stream']>): AsyncGenerator<unknown>;
  toQuery(...args: Parameters<Mikro['toQuery']>): ReturnType<Mikro['toQuery']>;
  toRaw(...args: Parameters<Mikro['toRaw']>): RawQueryFragment;
  update(...args: Parameters<Mikro['update']>): this;
  where(...args: Parameters<Mikro['where']>): this;
  // all that is done with what these are given is to look at it and to pass it on
  count(field?: unknown, ...rest: unknown[]): this;
  from(target: unknown, ...rest: unknown[]): this;
  groupBy(fields: unknown, ...rest: unknown[]): this;
  orderBy(orderBy: unknown, ...rest: unknown[]): this;
  populate(populate: unknown, populateWhere?: unknown, populateFilter?: unknown, ...rest: unknown[]): this;
  select(fields: unknown, ...rest: unknown[]): this;
  // private: MikroORM declares no parameters for them
  createQueryBuilderHelper(...args: unknown[]): object;
  getSchema(alias: { readonly meta: EntityMetadata }, ...rest: unknown[]): string | undefined;
  joinReference(field: unknown, alias: string, condition: unknown, ...rest: unknown[]): object;
}

/** The arguments of an overridden method. */
export type Args<Name extends keyof OverriddenMethods> = Parameters<OverriddenMethods[Name]>;

type Mikro = QueryBuilder<object>;

/** What an overridden method returns. */
export type Result<Name extends keyof OverriddenMethods> = ReturnType<OverriddenMethods[Name]>;

export type OpenQueryBuilderClass = new (...args: ConstructorParameters<typeof QueryBuilder>) => OpenQueryBuilder;
