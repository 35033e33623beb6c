import { helper, type Configuration } from '@mikro-orm/core';
import type { AbstractSqlDriver } from '@mikro-orm/postgresql';
import { TenantError } from '../errors/index.js';
import { addLiveOrm, removeLiveOrm } from '../scope/live-orms.js';
import { TenantRules } from '../scope/tenant-rules.js';
import { checkPlatform } from '../tenant/driver-check.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import { explainSharedWrite } from '../entities/flush-errors.js';
import { surviveLostConnections } from '../connection/lost-connections.js';
import { TenantDatabase } from '../database/tenant-database.js';
import { noticeCommits } from '../database/on-commit.js';
import { writeLiterals } from '../connection/literal-values.js';
import { sealValues } from '../connection/sealed-values.js';
import { guardConnection } from '../connection/sql-guard.js';
import { forTenant } from '../connection/sql-target.js';
import { guardQuery, type TenantQueryBuilder } from '../query/tenant-query-builder.js';
import { tenantSchema } from '../scope/tenant-schema.js';
import { requireShapes } from './seams/check-shapes.js';
import type { Args, OpenDriverClass } from './open-driver.js';

/**
 * The user's driver with every table name under guard. Whatever MikroORM reads or writes of an entity asks the driver for
 * its schema (`getSchemaName`), for its qualified table (`getTableName`), or for a query builder; there is no fourth way.
 */
export function extendDriver(Driver: DriverClass): DriverClass {
  class TenantDriver extends (Driver as unknown as OpenDriverClass) {
    constructor(...args: ConstructorParameters<OpenDriverClass>) {
      super(...args);
      const [config] = args;
      requireShapes(this);
      checkPlatform(this.platform, Driver);
      writeLiterals(this.platform);
      sealValues(this.platform);
      [this.connection, ...this.replicas].forEach(connection => {
        surviveLostConnections(connection);
        guardConnection(connection, config, this.platform);
        noticeCommits(connection);
      });
    }

    override getSchemaName(...args: Args<'getSchemaName'>) {
      const [meta, options] = args;

      if (meta === undefined || !isTenantEntity(meta)) {
        return meta?.schema ?? super.getSchemaName(...args);
      }

      const rules = TenantRules.of(this.config);

      return tenantSchema(meta.className, options?.schema ?? options?.parentSchema, rules.scope, rules);
    }

    // MikroORM leaves the default schema out, and PostgreSQL would then look the table up on the `search_path`
    override getTableName(...[meta, options, quote = true]: Args<'getTableName'>) {
      const tableName = `${this.getSchemaName(meta, options)}.${meta.tableName}`;

      return quote ? String(this.platform.quoteIdentifier(tableName)) : tableName;
    }

    // its SQL goes to the connection past the query builder
    override async findVirtual(...args: Args<'findVirtual'>) {
      const options: { readonly em?: { readonly schema: string | undefined } } | undefined = args[2];

      return forTenant(TenantRules.of(this.config), options?.em?.schema, () => super.findVirtual(...args));
    }

    override createQueryBuilder(...args: Args<'createQueryBuilder'>) {
      const rules = TenantRules.of(this.config);
      const query = super.createQueryBuilder(...args);
      guardQuery(query, { rules, scope: rules.scope });

      return query;
    }

    // the library's own errors are not the database's, and stay what they are
    override convertException(...args: Args<'convertException'>) {
      const [exception] = args;

      return exception instanceof TenantError ? exception : super.convertException(...args);
    }

    // one statement for several rows, which is not a query builder's
    override async nativeUpdateMany(...args: Args<'nativeUpdateMany'>) {
      try {
        return await super.nativeUpdateMany(...args);
      } catch (error) {
        throw explainSharedWrite(error, this.metadata.get(args[0]), TenantRules.of(this.config));
      }
    }

    // here the formulas of what is joined are written out; every query builder of this driver is a guarded one
    override mapPropToFieldNames(...[query, prop, alias, meta, schema, ...rest]: Args<'mapPropToFieldNames'>) {
      const ofFormula = (query as unknown as TenantQueryBuilder).schemaOfFormula(meta, schema);

      return super.mapPropToFieldNames(query, prop, alias, meta, ofFormula, ...rest);
    }

    // MikroORM reads this kind of pivot table without the schema that it was given
    override async loadFromUnionTargetPolymorphicPivotTable(...args: Args<'loadFromUnionTargetPolymorphicPivotTable'>) {
      const schema = args[PIVOT_OPTIONS]?.schema;
      const find = (...[entityName, where, options, ...rest]: Parameters<AbstractSqlDriver['find']>): unknown =>
        this.find(entityName, where, schema === undefined ? options : { schema, ...options }, ...rest);
      const self = Object.create(this, { find: { value: find } }) as this;

      return super.loadFromUnionTargetPolymorphicPivotTable.apply(self, args);
    }

    // an ORM whose discovery fails never comes here, and is none to choose from afterwards
    override setMetadata(...args: Args<'setMetadata'>) {
      super.setMetadata(...args);
      addLiveOrm(this.config);
    }

    // which closes, and so unregisters
    override async reconnect(...args: Args<'reconnect'>) {
      const connection = await super.reconnect(...args);
      addLiveOrm(this.config);

      return connection;
    }

    override async close(...args: Args<'close'>) {
      removeLiveOrm(this.config);
      await TenantDatabase.of(this.config).close();
      await super.close(...args);
    }

    // MikroORM looks among the rows of the `em`'s own schema, and would lock the one that has the same key there
    override async lockPessimistic(...[entity, options, ...rest]: Args<'lockPessimistic'>) {
      const schema = helper(entity).__schema ?? (options as SchemaOption).schema;
      await super.lockPessimistic(entity, { ...options, schema } as typeof options, ...rest);
    }
  }

  // what the user chose is what logs and messages should name
  return Object.defineProperty(TenantDriver, 'name', { value: Driver.name }) as unknown as DriverClass;
}

/** The place of `options` among the arguments of what reads a pivot table. */
const PIVOT_OPTIONS = 5;

interface SchemaOption {
  readonly schema?: string | undefined;
}

type DriverClass = new (config: Configuration) => AbstractSqlDriver;
