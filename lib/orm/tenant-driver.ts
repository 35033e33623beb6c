import { helper, QueryFlag, type Configuration, type DriverException, type EntityMetadata, type MetadataStorage } from '@mikro-orm/core';
import type { AbstractSqlDriver } from '@mikro-orm/sql';
import { TenantError } from '../errors/index.js';
import { addLiveOrm, removeLiveOrm } from '../scope/live-orms.js';
import { TenantRules } from '../scope/tenant-rules.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import { explainSharedWrite } from '../entities/flush-errors.js';
import { surviveLostConnections } from '../connection/lost-connections.js';
import { TenantDatabase } from '../database/tenant-database.js';
import { noticeCommits } from '../database/on-commit.js';
import { sealValues } from '../connection/sealed-values.js';
import { guardConnection } from '../connection/sql-guard.js';
import { forTenant } from '../connection/sql-target.js';
import { guardQuery, TenantQueryBuilder } from '../query/tenant-query-builder.js';
import { tenantOfEm } from '../scope/tenant-of-em.js';
import { tenantSchema } from '../scope/tenant-schema.js';

type CreateQueryBuilderArgs = Parameters<AbstractSqlDriver['createQueryBuilder']>;

type LockOptions = Parameters<AbstractSqlDriver['lockPessimistic']>[1] & { readonly schema?: string | undefined };

/** The place of `options` among the arguments of what reads a pivot table. */
const PIVOT_OPTIONS = 5;

type MapPropArgs = [query: TenantQueryBuilder, prop: unknown, alias: string, meta: EntityMetadata, schema: string | undefined];

type DriverClass = new (config: Configuration, ...rest: any[]) => AbstractSqlDriver;

/**
 * The user's driver with every table name under guard. Whatever MikroORM reads or writes of an entity asks the driver for
 * its schema (`getSchemaName`), for its qualified table (`getTableName`), or for a query builder; there is no fourth way.
 */
export function extendDriver(Driver: DriverClass): DriverClass {
  class TenantDriver extends Driver {
    constructor(config: Configuration, ...rest: any[]) {
      super(config, ...rest);
      sealValues(this.platform);
      [this.connection, ...this.replicas].forEach(connection => {
        surviveLostConnections(connection);
        guardConnection(connection, config);
        noticeCommits(connection);
      });
    }

    override getSchemaName(meta?: EntityMetadata, options?: { schema?: string; parentSchema?: string }): string | undefined {
      if (meta === undefined || !isTenantEntity(meta)) {
        return meta?.schema ?? super.getSchemaName(meta, options);
      }

      const rules = TenantRules.of(this.config);

      return tenantSchema(meta.className, options?.schema ?? options?.parentSchema, rules.scope, rules);
    }

    // MikroORM leaves the default schema out, and PostgreSQL would then look the table up on the `search_path`
    override getTableName(meta: EntityMetadata, options: { schema?: string }, quote = true): string {
      const tableName = `${this.getSchemaName(meta, options)}.${meta.tableName}`;

      return quote ? String(this.platform.quoteIdentifier(tableName)) : tableName;
    }

    // its SQL goes to the connection past the query builder
    override async findVirtual(...args: any[]): Promise<any> {
      return forTenant(TenantRules.of(this.config), tenantOfEm(args[2]?.em), () => (super.findVirtual as any)(...args));
    }

    override createQueryBuilder(...args: any[]): any {
      const [entityName, ctx, preferredType, convertCustomTypes, loggerContext, alias, em] = args as CreateQueryBuilderArgs;
      const type = em === undefined ? this.resolveConnectionType({ ctx, connectionType: preferredType } as never) : preferredType;
      const query = new TenantQueryBuilder(entityName as never, this.metadata, this as never, ctx, alias, type, em, loggerContext);
      const rules = TenantRules.of(this.config);
      guardQuery(query, { rules, scope: rules.scope });

      if (convertCustomTypes !== true) {
        query.unsetFlag(QueryFlag.CONVERT_CUSTOM_TYPES);
      }

      return query;
    }

    // the library's own errors are not the database's, and stay what they are
    override convertException(exception: Error): DriverException {
      return exception instanceof TenantError ? exception : super.convertException(exception);
    }

    // one statement for several rows, which is not a query builder's
    override async nativeUpdateMany(...args: any[]): Promise<any> {
      try {
        return await (super.nativeUpdateMany as any)(...args);
      } catch (error) {
        throw explainSharedWrite(error, this.metadata.get(args[0]), TenantRules.of(this.config));
      }
    }

    // here the formulas of what is joined are written out
    override mapPropToFieldNames(...args: any[]): any {
      const [query, , , meta, schema] = args as MapPropArgs;
      args[4] = query.schemaOfFormula(meta, schema);

      return (super.mapPropToFieldNames as any)(...args);
    }

    // MikroORM reads this kind of pivot table without the schema that it was given
    override async loadFromUnionTargetPolymorphicPivotTable(...args: any[]): Promise<any> {
      const schema: string | undefined = args[PIVOT_OPTIONS]?.schema;
      const find = (entity: any, where: any, options: object): unknown => this.find(entity, where, { schema, ...options } as never);
      const self = Object.create(this, { find: { value: find } }) as this;

      return (super.loadFromUnionTargetPolymorphicPivotTable as any).apply(self, args);
    }

    // an ORM whose discovery fails never comes here, and is none to choose from afterwards
    override setMetadata(metadata: MetadataStorage): void {
      super.setMetadata(metadata);
      addLiveOrm(this.config);
    }

    // which closes, and so unregisters
    override async reconnect(...args: any[]): Promise<any> {
      const connection: unknown = await (super.reconnect as any)(...args);
      addLiveOrm(this.config);

      return connection;
    }

    override async close(force?: boolean): Promise<void> {
      removeLiveOrm(this.config);
      await TenantDatabase.of(this.config).close();
      await super.close(force);
    }

    // MikroORM looks among the rows of the `em`'s own schema, and would lock the one that has the same key there
    override async lockPessimistic<T extends object>(entity: T, options: LockOptions): Promise<void> {
      await super.lockPessimistic(entity, { ...options, schema: helper(entity).__schema ?? options.schema } as LockOptions);
    }
  }

  // what the user chose is what logs and messages should name
  return Object.defineProperty(TenantDriver, 'name', { value: Driver.name });
}
