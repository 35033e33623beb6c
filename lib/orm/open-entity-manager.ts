import type { BasePostgreSqlEntityManager } from '@mikro-orm/postgresql';

/**
 * The type of MikroORM's EntityManager for the classes that override its methods. Each overridden method, protected or not, has the parameters
 * of the installed version of MikroORM. It has no type parameters: TypeScript replaces them by their constraints.
 *
 * An override takes `...args: Args<'find'>`, or names some arguments and passes on the others as `...rest`. So a parameter that MikroORM adds
 * is passed on, and one that it moves or removes is a type error. `spec/orm/overrides.spec.ts` checks every override.
 */
export interface OpenEntityManager extends Omit<Mikro, keyof OverriddenMethods>, OverriddenMethods {}

export type OpenEntityManagerClass = new (...args: ConstructorParameters<typeof BasePostgreSqlEntityManager>) => OpenEntityManager;

/** The arguments of an overridden method. */
export type Args<Name extends keyof OverriddenMethods> = Parameters<OverriddenMethods[Name]>;

/** What an overridden method returns. */
export type Result<Name extends keyof OverriddenMethods> = ReturnType<OverriddenMethods[Name]>;

interface OverriddenMethods {
  addFilter(...args: Parameters<Mikro['addFilter']>): ReturnType<Mikro['addFilter']>;
  applyFilters(...args: Parameters<Mikro['applyFilters']>): ReturnType<Mikro['applyFilters']>;
  assign(...args: Parameters<Mikro['assign']>): ReturnType<Mikro['assign']>;
  callRoutine(...args: Parameters<Mikro['callRoutine']>): ReturnType<Mikro['callRoutine']>;
  clearCache(...args: Parameters<Mikro['clearCache']>): ReturnType<Mikro['clearCache']>;
  clone(...args: Parameters<Mikro['clone']>): ReturnType<Mikro['clone']>;
  create(...args: Parameters<Mikro['create']>): ReturnType<Mikro['create']>;
  createQueryBuilder(...args: Parameters<Mikro['createQueryBuilder']>): ReturnType<Mikro['createQueryBuilder']>;
  findOne(...args: Parameters<Mikro['findOne']>): ReturnType<Mikro['findOne']>;
  flush(...args: Parameters<Mikro['flush']>): ReturnType<Mikro['flush']>;
  fork(...args: Parameters<Mikro['fork']>): this & Mikro;
  getConnection(...args: Parameters<Mikro['getConnection']>): ReturnType<Mikro['getConnection']>;
  getContext(...args: Parameters<Mikro['getContext']>): this & Mikro;
  getDataLoader(...args: Parameters<Mikro['getDataLoader']>): ReturnType<Mikro['getDataLoader']>;
  getEntityLoader(...args: Parameters<Mikro['getEntityLoader']>): ReturnType<Mikro['getEntityLoader']>;
  getKysely(...args: Parameters<Mikro['getKysely']>): ReturnType<Mikro['getKysely']>;
  insert(...args: Parameters<Mikro['insert']>): ReturnType<Mikro['insert']>;
  insertMany(...args: Parameters<Mikro['insertMany']>): ReturnType<Mikro['insertMany']>;
  merge(...args: Overloaded<Mikro['merge']>): ReturnType<Mikro['merge']>;
  nativeDelete(...args: Parameters<Mikro['nativeDelete']>): ReturnType<Mikro['nativeDelete']>;
  nativeUpdate(...args: Parameters<Mikro['nativeUpdate']>): ReturnType<Mikro['nativeUpdate']>;
  populate(...args: Parameters<Mikro['populate']>): ReturnType<Mikro['populate']>;
  preparePopulate(...args: Parameters<Mikro['preparePopulate']>): ReturnType<Mikro['preparePopulate']>;
  processWhere(...args: Parameters<Mikro['processWhere']>): ReturnType<Mikro['processWhere']>;
  refresh(...args: Parameters<Mikro['refresh']>): ReturnType<Mikro['refresh']>;
  refreshMaterializedView(...args: Parameters<Mikro['refreshMaterializedView']>): ReturnType<Mikro['refreshMaterializedView']>;
  setFilterParams(...args: Parameters<Mikro['setFilterParams']>): ReturnType<Mikro['setFilterParams']>;
  storeCache(...args: Parameters<Mikro['storeCache']>): ReturnType<Mikro['storeCache']>;
  stream(...args: Parameters<Mikro['stream']>): ReturnType<Mikro['stream']>;
  transactional(...args: Parameters<Mikro['transactional']>): ReturnType<Mikro['transactional']>;
  tryCache(...args: Parameters<Mikro['tryCache']>): ReturnType<Mikro['tryCache']>;
  upsert(...args: Parameters<Mikro['upsert']>): ReturnType<Mikro['upsert']>;
  upsertMany(...args: Parameters<Mikro['upsertMany']>): ReturnType<Mikro['upsertMany']>;
  withSessionContext(...args: Parameters<Mikro['withSessionContext']>): ReturnType<Mikro['withSessionContext']>;
}

/** The arguments of both signatures of an overloaded method. `Parameters` returns only those of the last signature. */
type Overloaded<Method> = Method extends { (...args: infer First): unknown; (...args: infer Last): unknown } ? First | Last : never;

type Mikro = BasePostgreSqlEntityManager;
