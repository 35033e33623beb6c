import type { EntityMetadata, MetadataStorage } from '@mikro-orm/core';
import { DatabaseSchema, type SqlSchemaGenerator } from '@mikro-orm/postgresql';
import { isTenantEntity } from '../../tenant/entity-kinds.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { asSerials, publicCitusSql } from './citus/citus-sql.js';
import { isForCitus } from './citus/is-citus.js';
import { missingIn, referenceTables, unreferenced } from './citus/reference-tables.js';
import { clearTables } from './clear-tables.js';
import { dropOnce } from './dropped-constraints.js';
import { tenantMigrationsOptions } from './migration-set.js';
import { keepTables, refuseDrops } from './moved-tables.js';
import { onlySchemas } from './only-schemas.js';

type UpdateOptions = NonNullable<Parameters<SqlSchemaGenerator['getUpdateSchemaMigrationSQL']>[0]>;

type GeneratorClass = new (em: unknown) => SqlSchemaGenerator;

/**
 * The driver's schema generator, restricted to shared tables. It serves `orm.schema` and the public set. MikroORM would drop every table and
 * schema in the database that has no entity, and recognises tenant tables only by their bare names. This generator sees only the schemas of
 * shared entities, but all of their tables.
 */
export function createPublicSchemaGenerator(database: TenantDatabase): SqlSchemaGenerator {
  const { orm } = database;
  const stock = orm.driver.getPlatform().getSchemaGenerator(orm.driver, orm.em);
  const generator = new (extendSchemaGenerator(stock.constructor as GeneratorClass, database))(orm.em);
  made.add(generator.constructor);

  return generator;
}

/** Whether it is one of these. The name of its class does not tell: a bundler may have shortened it. */
export function isPublicSchemaGenerator(generator: object | undefined): boolean {
  return generator !== undefined && made.has(generator.constructor);
}

const made = new WeakSet<object>();

function extendSchemaGenerator(Generator: GeneratorClass, database: TenantDatabase): GeneratorClass {
  return class PublicSchemaGenerator extends Generator {
    // never includes tenant tables, whatever `includeWildcardSchema` says
    override getTargetSchema(...[schema, , ...rest]: Parameters<SqlSchemaGenerator['getTargetSchema']>): DatabaseSchema {
      return super.getTargetSchema(schema, false, ...rest);
    }

    override async getCreateSchemaSQL(...args: Parameters<SqlSchemaGenerator['getCreateSchemaSQL']>): Promise<string> {
      const sql = await super.getCreateSchemaSQL(...args);

      return (await isForCitus(database)) ? publicCitusSql(sql, referenceTables(database)) : sql;
    }

    override async getUpdateSchemaSQL(...[options, ...rest]: Parameters<SqlSchemaGenerator['getUpdateSchemaSQL']>): Promise<string> {
      const sql = dropOnce(await super.getUpdateSchemaSQL(await this.#comparisonOptions(options), ...rest));

      return (await isForCitus(database)) ? publicCitusSql(sql, await unreferenced(database, referenceTables(database))) : sql;
    }

    override async getUpdateSchemaMigrationSQL(
      ...[options, ...rest]: Parameters<SqlSchemaGenerator['getUpdateSchemaMigrationSQL']>
    ): Promise<{ up: string; down: string }> {
      const compared = await this.#comparisonOptions(options);

      const moved = tablesOfTenants(this.metadata);

      if (compared.dropTables === false) {
        keepTables(compared.fromSchema, { to: this.getTargetSchema(), moved });
      } else if (compared.safe !== true) {
        refuseDrops(compared.fromSchema, { to: this.getTargetSchema(), moved, set: 'public' });
      }

      const { up, down } = await super.getUpdateSchemaMigrationSQL(compared, ...rest);

      return (await isForCitus(database))
        ? {
            up: publicCitusSql(dropOnce(up), missingIn(database, referenceTables(database))),
            down: publicCitusSql(dropOnce(down), []),
          }
        : { up: dropOnce(up), down: dropOnce(down) };
    }

    // for the public schema by name, MikroORM would include the tenant tables
    protected override getOrderedMetadata(...[schema, , ...rest]: Parameters<SqlSchemaGenerator['getOrderedMetadata']>): EntityMetadata[] {
      const metadata = super.getOrderedMetadata(schema, false, ...rest);

      return schema === database.publicSchema ? metadata.filter(meta => !isTenantEntity(meta)) : metadata;
    }

    override async clear(...args: Parameters<SqlSchemaGenerator['clear']>): Promise<void> {
      const [options] = args;
      const schema = options?.schema ?? database.publicSchema;

      // deleted one table after the other, as MikroORM does it
      if (options?.truncate === false || !database.rules.sharedSchemas.has(schema)) {
        return super.clear(...args);
      }

      const metadata = this.getOrderedMetadata(schema).filter(meta => !isTenantEntity(meta) && (meta.view ?? false) === false);
      await clearTables(metadata, { connection: this.connection, ctx: this.em?.getTransactionContext(), rules: database.rules });

      if (options?.clearIdentityMap ?? true) {
        this.clearIdentityMap();
      }
    }

    async #comparisonOptions(options: UpdateOptions = {}): Promise<UpdateOptions> {
      return {
        ...options,
        fromSchema: options.fromSchema ?? (await this.#introspect(options.schema)),
        // otherwise a shared table with the same name as a tenant table would be left out of the comparison
        includeWildcardSchema: true,
      };
    }

    async #introspect(schemaName: string | undefined): Promise<DatabaseSchema> {
      await this.ensureDatabase();
      const schemas = schemaName === undefined ? [database.publicSchema, ...this.getTargetSchema().getNamespaces()] : [schemaName];
      const { skipTables = [], skipViews } = this.options;
      // a schema given by name may be a tenant's, whose history table has no entity
      const skip = schemaName === undefined ? skipTables : [...skipTables, tenantMigrationsOptions(database).tableName];
      const found = await DatabaseSchema.create(
        onlySchemas(this.connection, { platform: this.platform, schemas }),
        this.platform,
        this.config,
        schemaName,
        schemas,
        undefined,
        skip,
        skipViews,
      );
      found.setNamespaces(new Set(found.getNamespaces().filter(name => schemas.includes(name))));
      await found.loadRoutines(this.connection, this.platform, schemas);

      if (await isForCitus(database)) {
        asSerials(found, this.getTargetSchema(schemaName));
      }

      return found;
    }
  };
}

function tablesOfTenants(metadata: MetadataStorage): Set<string> {
  return new Set([...metadata.getAll().values()].filter(meta => isTenantEntity(meta.root)).map(({ tableName }) => tableName));
}
