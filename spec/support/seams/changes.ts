import {
  ChangeSetComputer,
  Collection,
  Configuration,
  EntityFactory,
  EntityLoader,
  EntityManager,
  EntityMetadata,
  QueryHelper,
  RawQueryFragment,
  RequestContext,
  TransactionContext,
  Utils,
} from '@mikro-orm/core';
import { DataloaderUtils } from '@mikro-orm/core/dataloader';
import { Migration, Migrator } from '@mikro-orm/migrations';
import { AbstractSqlDriver, AbstractSqlPlatform, DatabaseSchema, Kysely, QueryBuilder, SqlSchemaGenerator } from '@mikro-orm/sql';
import { createRequire } from 'node:module';
import { GUARDED } from '../../../dist/scope/guarded-method.js';
import { ProbeClient } from '../../../dist/orm/seams/probe-database.js';
import { all, define, ignoreReplacement, rename, replace, shifted, shiftReplacement, unshifted, type Open } from './breakages.ts';

const NOT_CALLED = 'no longer called';

/** Changes of seams that are neither a method that a class of the library's overrides, nor one that it replaces on an object. */
export const CHANGES: Readonly<Record<string, readonly { readonly how: string; make(): () => void }[]>> = {
  'QueryHelper.getActiveFilters': [
    { how: 'gives none', make: () => define(QueryHelper, 'getActiveFilters', { value: () => [], writable: true }) },
  ],
  'Filter.cond': [{ how: 'its argument 2 moved', make: () => filtersWith(cond => shifted(cond, 2)) }],
  'FilterFunction.length': [
    {
      how: 'no longer read',
      make: () =>
        filtersWith(
          cond =>
            (...args: unknown[]) =>
              cond(...args),
        ),
    },
  ],
  'FilterParameters.clone': [
    {
      how: NOT_CALLED,
      make: () => {
        const copy = methodOf(Utils, 'copy');

        return define(Utils, 'copy', { writable: true, value: (object: unknown) => copy.call(Utils, object, false) });
      },
    },
  ],
  'SimpleQuery.commit': [
    {
      how: 'sent as a prepared statement',
      make: () => replace(packageOfPg('pg').Query.prototype, 'requiresPreparation', () => true),
    },
  ],
  'RequestContext.storage': [{ how: NOT_CALLED, make: () => noManagerOf(RequestContext) }],
  'RequestContext.getEntityManager': [{ how: NOT_CALLED, make: () => noManagerOf(RequestContext) }],
  'RequestContext.currentRequestContext': [
    { how: 'tells of none', make: () => define(RequestContext, 'currentRequestContext', { value: () => undefined }) },
  ],
  'EntityManager.name': [{ how: NOT_CALLED, make: () => noManagerOf(RequestContext) }],
  'TransactionContext.storage': [{ how: NOT_CALLED, make: () => noManagerOf(TransactionContext) }],
  'TransactionContext.getEntityManager': [{ how: NOT_CALLED, make: () => noManagerOf(TransactionContext) }],
  'TransactionContext.create': [
    { how: 'enters none', make: () => define(TransactionContext, 'create', { value: (_em: object, next: () => unknown) => next() }) },
  ],
  'Cursor.read': [{ how: 'renamed', make: () => renameOfCursor('read') }],
  'Cursor.close': [{ how: 'renamed', make: () => renameOfCursor('close') }],
  'EntityManager.schema': [
    { how: 'no longer read', make: () => define(EntityManager.prototype, 'schema', { get: () => undefined, set: () => undefined }) },
  ],
  'Kysely.withSchema': [{ how: 'without effect', make: () => define(Kysely.prototype, 'withSchema', { value: itself, writable: true }) }],
  'Kysely.withPlugin': [{ how: 'without effect', make: () => define(Kysely.prototype, 'withPlugin', { value: itself, writable: true }) }],
  // a proxy answers for these, so that they are changed in the sources
  'KyselyExecutor.transformQuery': [],
  'KyselyExecutor.compileQuery': [],
  'KyselyExecutor.executeQuery': [],
  'KyselyExecutor.withPlugin': [{ how: NOT_CALLED, make: () => pluginsPastExecutor() }],
  'Query.context': [
    {
      how: 'no longer read',
      make: () => {
        const execute = methodOf(QueryBuilder.prototype, 'execute');

        return replace(QueryBuilder.prototype, 'execute', async function (this: Open, ...args: unknown[]) {
          const { context } = this;
          this.context = undefined;

          return execute.apply(this, args).finally(() => (this.context = context));
        });
      },
    },
  ],
  'VirtualEntity.expression': [
    {
      how: NOT_CALLED,
      make: () =>
        replace(AbstractSqlDriver.prototype, 'findFromVirtual', async function (this: Open, ...[, where, options, type]: Open[]) {
          return this.wrapVirtualExpressionInSubquery(this.metadata.get('ProbeReport'), 'select 1 from probe_author', where, options, type);
        }),
    },
  ],
  'EntityProperty.lazy': [{ how: 'no longer read', make: () => eachRelation('autoJoinOneToOneOwner', 'lazy') }],
  'EntityProperty.formula': [
    {
      how: 'no longer given the schema',
      make: () => {
        const evaluateFormula = methodOf(AbstractSqlDriver.prototype, 'evaluateFormula');

        return replace(
          AbstractSqlDriver.prototype,
          'evaluateFormula',
          function (this: Open, formula: unknown, columns: unknown, table: object) {
            return evaluateFormula.call(this, formula, columns, { ...table, schema: undefined });
          },
        );
      },
    },
  ],
  'EntityProperty.onCreate': [{ how: NOT_CALLED, make: () => replace(EntityFactory.prototype, 'assignDefaultValues', () => undefined) }],
  'EntityProperty.onUpdate': [
    { how: NOT_CALLED, make: () => replace(ChangeSetComputer.prototype, 'processPropertyInitializers', () => undefined) },
  ],
  'Platform.config': [
    {
      how: 'no longer read',
      make: () => {
        const getThroughRelationFormula = methodOf(AbstractSqlPlatform.prototype, 'getThroughRelationFormula');

        return replace(AbstractSqlPlatform.prototype, 'getThroughRelationFormula', function (this: object, ...args: unknown[]) {
          return getThroughRelationFormula.apply(Object.getPrototypeOf(this), args);
        });
      },
    },
  ],
  'AbstractSqlDriver.find': [
    {
      how: NOT_CALLED,
      make: () => {
        const load = methodOf(AbstractSqlDriver.prototype, 'loadFromUnionTargetPolymorphicPivotTable');

        return replace(AbstractSqlDriver.prototype, 'loadFromUnionTargetPolymorphicPivotTable', function (this: Open, ...args: unknown[]) {
          return load.apply(Object.getPrototypeOf(this), args);
        });
      },
    },
  ],
  'Collection.getEntityManager': [
    { how: NOT_CALLED, make: () => replace(Collection.prototype, 'getEntityManager', stock(Collection.prototype, 'getEntityManager')) },
  ],
  'Collection.matching': [
    { how: 'as it was', make: () => replace(Collection.prototype, 'matching', stock(Collection.prototype, 'matching')) },
  ],
  'RawQueryFragment.as': [
    { how: 'as it was', make: () => replace(RawQueryFragment.prototype, 'as', stock(RawQueryFragment.prototype, 'as')) },
  ],
  'EntityManager.getEntityLoader': [{ how: NOT_CALLED, make: () => batchesBy(em => EntityManager.prototype.getEntityLoader.call(em)) }],
  'EntityLoader.findChildrenFromPivotTable': [0, 2].map(place => ({
    how: `its argument ${place} moved`,
    make: () => {
      const findChildrenFromPivotTable = methodOf(EntityLoader.prototype, 'findChildrenFromPivotTable');

      return all([
        batchesBy(em => {
          const loader = em.getEntityLoader();

          return { findChildrenFromPivotTable: shifted((...args: unknown[]) => loader.findChildrenFromPivotTable(...args), place) };
        }),
        replace(EntityLoader.prototype, 'findChildrenFromPivotTable', unshifted(findChildrenFromPivotTable, place)),
      ]);
    },
  })),
  'DataLoader.load': [
    { how: 'called by another name', make: () => initOfCollections(async (loader, key) => loader.loadRenamed(key)) },
    { how: 'its key turned round', make: () => initOfCollections(async (loader, key) => loader.load(key.toReversed())) },
  ],
  'Client.query': [
    { how: NOT_CALLED, make: () => ignoreReplacement(ProbeClient.prototype, 'query') },
    { how: 'its argument 0 moved', make: () => shiftReplacement(ProbeClient.prototype, 'query', 0) },
  ],
  'PoolEvents.connect': [{ how: 'no longer told', make: () => withoutEvent('connect') }],
  'PoolEvents.release': [{ how: 'no longer told', make: () => withoutEvent('release') }],
  'Discovery.onMetadata': [{ how: NOT_CALLED, make: () => discoveryWithout('onMetadata') }],
  'Discovery.afterDiscovered': [{ how: NOT_CALLED, make: () => discoveryWithout('afterDiscovered') }],
  'EntityMetadata.schema': [
    {
      how: 'no longer written',
      make: () => {
        const schemas = new WeakMap<object, unknown>();

        return define(EntityMetadata.prototype, 'schema', {
          get(this: object) {
            return schemas.get(this);
          },
          set(this: object, schema: unknown) {
            schemas.set(this, schema === 'public' ? undefined : schema);
          },
        });
      },
    },
  ],
  'EntityMetadata.triggers': [
    {
      how: 'no longer read',
      make: () => {
        const fromMetadata = methodOf(DatabaseSchema, 'fromMetadata');

        return define(DatabaseSchema, 'fromMetadata', {
          value: (metas: object[], ...rest: unknown[]) =>
            fromMetadata.call(
              DatabaseSchema,
              metas.map(meta => Object.create(meta, { triggers: { value: [] } }) as object),
              ...rest,
            ),
        });
      },
    },
  ],
  'SqlSchemaGenerator.getUpdateSchemaSQL': [
    {
      how: NOT_CALLED,
      make: () =>
        replace(SqlSchemaGenerator.prototype, 'update', async function (this: Open, options: object) {
          await this.execute(await SqlSchemaGenerator.prototype.getUpdateSchemaSQL.call(this, options));
        }),
    },
  ],
  'Migration.ctx': [
    {
      how: 'no longer read',
      make: () =>
        replace(Migration.prototype, 'execute', async function (this: Open, sql: string, params: unknown[]) {
          return this.driver.execute(sql, params, 'all');
        }),
    },
  ],
  'Migrator.init': [{ how: NOT_CALLED, make: () => replace(Migrator.prototype, 'checkSchema', async () => false) }],
};

/** A method as it is found, to be called on whatever it is of. */
function methodOf(holder: Open, member: string): Open {
  return holder[member];
}

function itself<T>(this: T): T {
  return this;
}

function noManagerOf(Context: object): () => void {
  return define(Context, 'getEntityManager', { value: () => undefined, writable: true });
}

function stock(prototype: Open, member: string): Function {
  return prototype[member][GUARDED] as Function;
}

/** Kysely makes an instance with a plugin by itself. */
function pluginsPastExecutor(): () => void {
  const withPlugin = methodOf(Kysely.prototype, 'withPlugin');

  return define(Kysely.prototype, 'withPlugin', {
    writable: true,
    value(this: Open, plugin: Open) {
      Reflect.deleteProperty(this.getExecutor(), 'withPlugin');

      return withPlugin.call(this, plugin);
    },
  });
}

function eachRelation(method: string, field: string): () => void {
  const fn: Open = (AbstractSqlDriver.prototype as Open)[method];

  return replace(AbstractSqlDriver.prototype, method, function (this: Open, meta: Open, ...rest: unknown[]) {
    const set = meta.relations.filter((property: Open) => property[field] === true);
    set.forEach((property: Open) => (property[field] = false));

    try {
      return fn.call(this, meta, ...rest);
    } finally {
      set.forEach((property: Open) => (property[field] = true));
    }
  });
}

/** The batches of m:n collections are loaded by what is given. */
function batchesBy(loaderOf: (em: Open) => object): () => void {
  const getManyToManyColBatchLoadFn = methodOf(DataloaderUtils, 'getManyToManyColBatchLoadFn');

  return define(DataloaderUtils, 'getManyToManyColBatchLoadFn', {
    writable: true,
    value: (em: Open) => getManyToManyColBatchLoadFn.call(DataloaderUtils, { config: em.config, getEntityLoader: () => loaderOf(em) }),
  });
}

function initOfCollections(load: (loader: Open, key: unknown[]) => Promise<unknown>): () => void {
  return replace(Collection.prototype, 'init', async function (this: Open, options: object) {
    const em = this.getEntityManager();

    return load(await em.getDataLoader('1:m'), [this, { ...options }]);
  });
}

function renameOfCursor(member: string): () => void {
  const { prototype } = packageOfPg('pg-cursor');

  return rename(prototype, member);
}

function packageOfPg(name: string): Open {
  return createRequire(createRequire(import.meta.url).resolve('@mikro-orm/postgresql/package.json'))(name);
}

/** MikroORM calls other functions in place of those of filters. */
function filtersWith(change: (cond: Open) => Open): () => void {
  const getActiveFilters = methodOf(QueryHelper, 'getActiveFilters');

  return define(QueryHelper, 'getActiveFilters', {
    writable: true,
    value: (...args: unknown[]) =>
      getActiveFilters
        .apply(QueryHelper, args)
        .map((filter: Open) => (typeof filter.cond === 'function' ? { ...filter, cond: change(filter.cond) } : filter)),
  });
}

function withoutEvent(event: string): () => void {
  const { Pool } = packageOfPg('pg');

  return define(Pool.prototype, 'emit', {
    value(this: Open, name: string, ...args: unknown[]) {
      return name !== event && Object.getPrototypeOf(Object.getPrototypeOf(Pool.prototype)).emit.call(this, name, ...args);
    },
  });
}

function discoveryWithout(hook: string): () => void {
  const get = methodOf(Configuration.prototype, 'get');

  return replace(Configuration.prototype, 'get', function (this: Open, name: string, ...rest: unknown[]) {
    const value = get.call(this, name, ...rest);

    return name === 'discovery' ? { ...value, [hook]: undefined } : value;
  });
}
