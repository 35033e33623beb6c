import type { Options } from '@mikro-orm/core';
import type { Migrator } from '@mikro-orm/migrations';
import type { AbstractSqlDriver, BasePostgreSqlEntityManager, QueryBuilder, QueryBuilderHelper, SqlSchemaGenerator } from '@mikro-orm/sql';
import type { TenantSchemaGenerator } from '../../dist/migrations/set/tenant-schema-generator.js';
import type { OpenDriver } from '../../dist/orm/open-driver.js';
import type { OpenEntityManager } from '../../dist/orm/open-entity-manager.js';
import type { GuardedQueryHelper } from '../../dist/query/guarded-query-helper.js';
import type { TenantQueryBuilder } from '../../dist/query/tenant-query-builder.js';

// `npm run types` checks this file on the installed version of MikroORM. It never runs.

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

const check = <_Holds extends true>(): void => undefined;

/** The number of parameters, or `number` if there is a rest parameter. */
type Count<Method> = Method extends (...args: infer Given) => unknown ? Required<Given>['length'] : never;

/** The overrides with fewer parameters than the methods of MikroORM. */
type Shorter<Ours, Mikros> = {
  [Name in keyof Ours & keyof Mikros]: Mikros[Name] extends (...args: never) => unknown
    ? Count<Mikros[Name]> extends Count<Ours[Name]>
      ? never
      : Name
    : never;
}[keyof Ours & keyof Mikros];

// an override has as many parameters as the method that it overrides
check<Equals<Shorter<OpenEntityManager, BasePostgreSqlEntityManager>, never>>();
check<Equals<Shorter<OpenDriver, AbstractSqlDriver>, never>>();
check<Equals<Shorter<TenantQueryBuilder, QueryBuilder<object>>, never>>();
check<Equals<Shorter<GuardedQueryHelper, QueryBuilderHelper>, never>>();

// the check finds a missing parameter, also an optional one
check<Equals<Shorter<{ run(a: string): void }, { run(a: string, b?: number): void }>, 'run'>>();
check<Equals<Shorter<{ run(...args: [string, number?]): void }, { run(a: string, b?: number): void }>, never>>();
check<Equals<Shorter<{ run(a: string, ...rest: unknown[]): void }, { run(a: string, b?: number): void }>, never>>();

// the parameters are those of the installed version, also for protected methods, and are not `any`
check<Equals<Parameters<OpenEntityManager['processWhere']>, Parameters<BasePostgreSqlEntityManager['processWhere']>>>();
check<Equals<Parameters<OpenEntityManager['processWhere']>[3], 'read' | 'update' | 'delete'>>();
check<Equals<Parameters<OpenEntityManager['tryCache']>[3], boolean | undefined>>();
check<Equals<Parameters<OpenDriver['mapPropToFieldNames']>[4], string | undefined>>();
check<Equals<Parameters<OpenDriver['loadFromUnionTargetPolymorphicPivotTable']>[6], boolean | undefined>>();

// an overloaded method has the parameters of both signatures
check<Equals<Parameters<OpenEntityManager['merge']>['length'], 1 | 2 | 3>>();

// Overrides that do not call MikroORM's own method, always or for tenants. They would ignore a new parameter. If this fails, find out what the
// parameter means, and whether the override must use it.
check<Equals<Count<AbstractSqlDriver['getSchemaName']>, 2>>();
check<Equals<Count<AbstractSqlDriver['getTableName']>, 3>>();
check<Equals<Count<BasePostgreSqlEntityManager['callRoutine']>, 2>>();
check<Equals<Count<BasePostgreSqlEntityManager['refresh']>, 2>>();
check<Equals<Count<BasePostgreSqlEntityManager['refreshMaterializedView']>, 2>>();
check<Equals<Count<SqlSchemaGenerator['getTargetSchema']>, 2>>();
check<Equals<Count<SqlSchemaGenerator['getOrderedMetadata']>, 2>>();
check<Equals<Count<Migrator['init']>, 0>>();
check<Equals<Count<TenantSchemaGenerator['getTargetSchema']>, 0>>();

// the index of the schema in the arguments of `hydrate()`
type Hydrate = InstanceType<NonNullable<Options['hydrator']>>['hydrate'];
check<Equals<Parameters<Hydrate>[7], string | undefined>>();
