import type { EntityMetadata } from '@mikro-orm/core';
import { DatabaseSchema, SqlSchemaGenerator } from '@mikro-orm/postgresql';
import { MigrationError } from '../../errors/index.js';
import { isTenantEntity } from '../../tenant/entity-kinds.js';
import type { TenantEntityManager } from '../../orm/tenant-entity-manager.js';
import { PLACEHOLDER_SCHEMA, quoteIdentifier } from '../../postgres/schema-name.js';

/**
 * Generates the SQL of the tenant set. To MikroORM the tenant entities live in one fixed schema of a placeholder's name, and the
 * shared tables they refer to in another: that is the case it qualifies completely. The first name is then taken out of the SQL, so
 * that everything lands in whichever schema the migration runs in; the second becomes the public schema.
 *
 * Relies on `getOrderedMetadata` and `getTargetSchema` being what MikroORM 7 builds every diff from.
 */
export class TenantSchemaGenerator extends SqlSchemaGenerator {
  readonly #publicSchema: string;

  constructor(em: TenantEntityManager, publicSchema: string) {
    super(em);
    this.#publicSchema = publicSchema;
  }

  override getTargetSchema(): DatabaseSchema {
    // not `super`'s, which adds the routines of the config: those are shared
    const target = DatabaseSchema.fromMetadata(this.getOrderedMetadata(), this.platform, this.config, PLACEHOLDER_SCHEMA, this.em);

    for (const table of target.getTables()) {
      for (const foreignKey of Object.values(table.getForeignKeys())) {
        foreignKey.referencedTableName = this.#withSchema(foreignKey.referencedTableName);
      }
    }

    return target;
  }

  override async getUpdateSchemaMigrationSQL(
    ...[given, ...rest]: Parameters<SqlSchemaGenerator['getUpdateSchemaMigrationSQL']>
  ): Promise<{ up: string; down: string }> {
    const options = { ...given, schema: PLACEHOLDER_SCHEMA, fromSchema: this.#asPlaceholder(given?.fromSchema) };
    const { up, down } = await super.getUpdateSchemaMigrationSQL(options, ...rest);

    return { up: this.#relative(up), down: this.#relative(down) };
  }

  // the schema is there already: to create or drop it is not the migrations' work
  override diffToSQL(...[diff, ...rest]: Parameters<SqlSchemaGenerator['diffToSQL']>): string {
    return super.diffToSQL({ ...diff, newNamespaces: new Set(), removedNamespaces: new Set() }, ...rest);
  }

  protected override getOrderedMetadata(): EntityMetadata[] {
    // an object of its own that differs in the schema alone: the metadata itself is everybody's
    return super
      .getOrderedMetadata(PLACEHOLDER_SCHEMA)
      .filter(isTenantEntity)
      .map(meta => Object.create(meta, { schema: { value: PLACEHOLDER_SCHEMA } }) as EntityMetadata);
  }

  #withSchema(tableName: string): string {
    // a shared table always has a schema; the parent table of an inheritance tree is given without the tenant's
    const [schemaName, name] = tableName.includes('.') ? tableName.split('.') : [PLACEHOLDER_SCHEMA, tableName];

    return `${schemaName === this.#publicSchema ? SHARED_PLACEHOLDER : schemaName}.${name}`;
  }

  // MikroORM reads a snapshot as the config's schema, and takes enums of a schema of another name for somebody else's
  #asPlaceholder(snapshot: DatabaseSchema | undefined): DatabaseSchema {
    const schema = new DatabaseSchema(this.platform, PLACEHOLDER_SCHEMA);

    if (snapshot !== undefined) {
      schema.setTables(snapshot.getTables());
      schema.setViews(snapshot.getViews());
      schema.setNamespaces(new Set(snapshot.getNamespaces()));
      schema.setNativeEnums(snapshot.getNativeEnums());
    }

    return schema;
  }

  #relative(sql: string): string {
    const relative = sql.replaceAll(OWN_PREFIX, '').replaceAll(`"${SHARED_PLACEHOLDER}".`, `${quoteIdentifier(this.#publicSchema)}.`);

    if (relative.includes(PLACEHOLDER_SCHEMA)) {
      throw MigrationError.notRelative(relative.split('\n').filter(line => line.includes(PLACEHOLDER_SCHEMA)));
    }

    return relative;
  }
}

const SHARED_PLACEHOLDER = `${PLACEHOLDER_SCHEMA}_shared`;

// quoted where MikroORM writes it, bare where an expression of the user's was given the table's qualified name
const OWN_PREFIX = new RegExp(`"${PLACEHOLDER_SCHEMA}"\\.|\\b${PLACEHOLDER_SCHEMA}\\.`, 'g');
