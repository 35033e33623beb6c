import { helper, Platform, QueryFlag, Utils, type Configuration } from '@mikro-orm/core';
import { AbstractSqlDriver, type QueryBuilder } from '@mikro-orm/postgresql';
import { TenantError } from '../errors/index.js';
import { addLiveOrm, removeLiveOrm } from '../scope/live-orms.js';
import { guardContextOf } from '../scope/guard-context.js';
import { isInTenant } from '../scope/scope.js';
import { TenantRules } from '../scope/tenant-rules.js';
import { checkPlatform } from '../tenant/driver-check.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import type { Others } from '../tenant/other-arguments.js';
import { mayHoldEntities, refuseForeignEntities } from '../entities/foreign-entities.js';
import { explainSharedWrite } from '../entities/flush-errors.js';
import { surviveLostConnections } from '../connection/pool/lost-connections.js';
import { shareConnections } from '../connection/pool/pooled-tenants.js';
import { TenantDatabase } from '../database/tenant-database.js';
import { noticeCommits } from '../database/on-commit.js';
import { writeLiterals } from '../connection/statements/literal-values.js';
import { sealValues } from '../connection/statements/sealed-values.js';
import { guardConnection } from '../connection/guard/sql-guard.js';
import { forTenant } from '../connection/statements/sql-target.js';
import { carryInNativeQueries } from '../query/carrying-queries.js';
import { createTenantQuery, guardQuery, type TenantQueryBuilder } from '../query/tenant-query-builder.js';
import { tenantOfEm, type ScopedEm } from '../scope/tenant-of-em.js';
import { tenantSchema } from '../scope/tenant-schema.js';
import { markGlobalContext } from './entity-manager-class.js';
import { requireShapes } from './seams/check-shapes.js';
import type { Args, OpenDriverClass, Result } from './open-driver.js';

/**
 * Extends the user's driver so that it checks the schema of every table. To read or write an entity, MikroORM gets its schema from
 * `getSchemaName`, its qualified table from `getTableName`, or a query builder. There is no other way.
 */
export function extendDriver(Driver: DriverClass): DriverClass {
  // a driver of the user's own may make another
  const isMikroMaker = Driver.prototype.createQueryBuilder === AbstractSqlDriver.prototype.createQueryBuilder;

  class TenantDriver extends (Driver as unknown as OpenDriverClass) {
    /** Asked for with every row that is read, and always the same. */
    declare knownRules: TenantRules | undefined;

    constructor(...args: ConstructorParameters<OpenDriverClass>) {
      super(...args);
      const [config] = args;

      // one of another database lacks much of what is looked at, and is told as such
      if (this.platform instanceof Platform) {
        checkPlatform(this.platform, Driver);
      }

      requireShapes(this);
      markGlobalContext(config);
      writeLiterals(this.platform);
      sealValues(this.platform);
      carryInNativeQueries(this.platform);
      [this.connection, ...this.replicas].forEach(connection => {
        shareConnections(connection, config);
        surviveLostConnections(connection, config);
        guardConnection(connection, config, {
          platform: this.platform,
          refuseForeign: (given, schemaName) => {
            if (mayHoldEntities(given)) {
              refuseForeignEntities(given, schemaName, { ...guardContextOf(config), values: 'texts' });
            }
          },
        });
        noticeCommits(connection);
      });
    }

    // asked for with every row
    override getSchemaName(meta?: Args<'getSchemaName'>[0], options?: Args<'getSchemaName'>[1], ...rest: Others<Args<'getSchemaName'>, 2>) {
      if (meta === undefined || !isTenantEntity(meta)) {
        return meta?.schema ?? super.getSchemaName(meta, options, ...rest);
      }

      const requested = options?.schema ?? options?.parentSchema;

      // as `tenantSchema` says, with fewer steps
      if (requested !== undefined && isInTenant(requested, this.config)) {
        return requested;
      }

      const rules = (this.knownRules ??= TenantRules.of(this.config));

      return tenantSchema(meta.className, requested, rules.scope, rules);
    }

    // MikroORM leaves the default schema out, and PostgreSQL would then look the table up on the `search_path`
    override getTableName(meta: Args<'getTableName'>[0], options?: Args<'getTableName'>[1], quote: Args<'getTableName'>[2] = true) {
      const tableName = `${this.getSchemaName(meta, options)}.${meta.tableName}`;

      return quote ? String(this.platform.quoteIdentifier(tableName)) : tableName;
    }

    // sends its SQL to the connection without a query builder
    override async findVirtual(...args: Args<'findVirtual'>) {
      const options: { readonly em?: ScopedEm } | undefined = args[2];

      return forTenant(TenantRules.of(this.config), tenantOfEm(options?.em), () => super.findVirtual(...args));
    }

    // every read and every write makes one, which is why it names its arguments
    override createQueryBuilder(
      entityName: Args<'createQueryBuilder'>[0],
      ctx?: Args<'createQueryBuilder'>[1],
      type?: Args<'createQueryBuilder'>[2],
      convertsTypes?: Args<'createQueryBuilder'>[3],
      loggerContext?: Args<'createQueryBuilder'>[4],
      alias?: Args<'createQueryBuilder'>[5],
      em?: Args<'createQueryBuilder'>[6],
      ...rest: Others<Args<'createQueryBuilder'>, 7>
    ) {
      const rules = (this.knownRules ??= TenantRules.of(this.config));
      let query: object | undefined;

      // as MikroORM makes it, of the class of the guarded ones: one whose class is changed afterwards is slow for good
      if (isMikroMaker && rest.length === 0) {
        // a query of the driver's own has no EntityManager that would say it later
        const connection = em === undefined ? this.resolveConnectionType({ ctx, connectionType: type }) : type;
        query = createTenantQuery(entityName, this.metadata, this as never, ctx, alias, connection, em, loggerContext);

        if (convertsTypes !== true) {
          (query as QueryBuilder | undefined)?.unsetFlag(QueryFlag.CONVERT_CUSTOM_TYPES);
        }
      }

      query ??= super.createQueryBuilder(entityName, ctx, type, convertsTypes, loggerContext, alias, em, ...rest);
      const guarded = guardQuery(query, { rules, scope: rules.scope });

      // what it is made from was given to its constructor, before it was guarded
      if (typeof entityName !== 'function') {
        guarded.take([entityName]);
      }

      return query as Result<'createQueryBuilder'>;
    }

    // the library's own errors must not be converted to database errors
    override convertException(...args: Args<'convertException'>) {
      const [exception] = args;

      return exception instanceof TenantError ? exception : super.convertException(...args);
    }

    // this method and the next one write their SQL without a query builder
    override async nativeInsertMany(...args: Args<'nativeInsertMany'>) {
      this.refuseForeign(Utils.className(args[0]), [args[1]], args[2]);

      return super.nativeInsertMany(...args);
    }

    override async nativeUpdateMany(...args: Args<'nativeUpdateMany'>) {
      this.refuseForeign(Utils.className(args[0]), [args[1], args[2]], args[3]);

      try {
        return await super.nativeUpdateMany(...args);
      } catch (error) {
        throw await explainSharedWrite(error, this.metadata.get(args[0]), TenantRules.of(this.config));
      }
    }

    // MikroORM writes the formulas of joined tables here. Every query builder of this driver is a `TenantQueryBuilder`
    override mapPropToFieldNames(...[query, prop, alias, meta, schema, ...rest]: Args<'mapPropToFieldNames'>) {
      const formulaSchema = (query as unknown as TenantQueryBuilder).schemaOfFormula(meta, schema);

      return super.mapPropToFieldNames(query, prop, alias, meta, formulaSchema, ...rest);
    }

    // MikroORM ignores the given schema when it reads this kind of pivot table
    override async loadFromUnionTargetPolymorphicPivotTable(...args: Args<'loadFromUnionTargetPolymorphicPivotTable'>) {
      const schema = args[PIVOT_OPTIONS]?.schema;
      const find = (...[entityName, where, options, ...rest]: Parameters<AbstractSqlDriver['find']>): unknown =>
        this.find(entityName, where, schema === undefined ? options : { schema, ...options }, ...rest);
      const self = Object.create(this, { find: { value: find } }) as this;

      return super.loadFromUnionTargetPolymorphicPivotTable.apply(self, args);
    }

    // not called if discovery fails, so such an ORM is never registered as live
    override setMetadata(...args: Args<'setMetadata'>) {
      super.setMetadata(...args);
      addLiveOrm(this.config);
    }

    // `reconnect` calls `close`, which unregisters the ORM
    override async reconnect(...args: Args<'reconnect'>) {
      const connection = await super.reconnect(...args);
      addLiveOrm(this.config);

      return connection;
    }

    override async close(...args: Args<'close'>) {
      removeLiveOrm(this.config);
      // `mikro-orm debug` opens and closes a driver without an ORM
      await TenantDatabase.find(this.config)?.close();
      await super.close(...args);
    }

    // MikroORM uses the schema of the `em`, and would lock the row with the same key there
    override async lockPessimistic(...[entity, options, ...rest]: Args<'lockPessimistic'>) {
      const schema = helper(entity).__schema ?? (options as SchemaOption).schema;
      await super.lockPessimistic(entity, { ...options, schema } as typeof options, ...rest);
    }

    private refuseForeign(entity: string, given: readonly unknown[], options: SchemaOption | undefined): void {
      // most rows are no more than values
      if (mayHoldEntities(given)) {
        refuseForeignEntities(given, options?.schema, { ...guardContextOf(this.config), entity });
      }
    }
  }

  // logs and messages should show the name of the user's driver
  return Object.defineProperty(TenantDriver, 'name', { value: Driver.name }) as unknown as DriverClass;
}

/** The index of `options` in the arguments of `loadFromUnionTargetPolymorphicPivotTable`. */
const PIVOT_OPTIONS = 5;

interface SchemaOption {
  readonly schema?: string | undefined;
}

type DriverClass = new (config: Configuration) => AbstractSqlDriver;
