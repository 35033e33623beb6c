import type { EntityMetadata } from '@mikro-orm/core';
import { DatabaseSchema, SchemaComparator, SqlSchemaGenerator } from '@mikro-orm/postgresql';
import { isTenantEntity } from '../../tenant/entity-kinds.js';
import type { TenantEntityManager } from '../../orm/tenant-entity-manager.js';
import { splitStatements } from '../../postgres/transaction-statements.js';
import { PLACEHOLDER_SCHEMA } from '../../postgres/schema-name.js';
import { asSerials, citusSql } from './citus/citus-sql.js';
import { dropOnce } from './dropped-constraints.js';
import { refuseDrops } from './moved-tables.js';
import { relativeSql, SHARED_PLACEHOLDER } from './relative-sql.js';

/**
 * Generates the SQL of the tenant set. It tells MikroORM that the tenant entities are in one placeholder schema, and the shared tables in
 * another. MikroORM then qualifies every name. Afterwards the first placeholder is removed from the SQL, so that each statement applies to
 * the schema in which the migration runs. The second one is replaced by the public schema.
 *
 * Relies on MikroORM 7, which builds every diff from `getOrderedMetadata` and `getTargetSchema`.
 */
export class TenantSchemaGenerator extends SqlSchemaGenerator {
  readonly #publicSchema: string;
  readonly #readMade: ReadMade;
  readonly #isForCitus: boolean;

  /** @param readMade What the set makes, or what the statements make, where it has no snapshot to be compared with. */
  constructor(
    em: TenantEntityManager,
    publicSchema: string,
    { readMade = async () => undefined, isForCitus = false }: { readonly readMade?: ReadMade; readonly isForCitus?: boolean } = {},
  ) {
    super(em);
    this.#publicSchema = publicSchema;
    this.#readMade = readMade;
    this.#isForCitus = isForCitus;
  }

  override getTargetSchema(): DatabaseSchema {
    // MikroORM's own method also adds the routines of the config, which are shared
    const target = DatabaseSchema.fromMetadata(this.getOrderedMetadata(), this.platform, this.config, PLACEHOLDER_SCHEMA, this.em);

    return this.#withEnums(this.#withSchemas(target));
  }

  override async getUpdateSchemaMigrationSQL(
    ...[given, ...rest]: Parameters<SqlSchemaGenerator['getUpdateSchemaMigrationSQL']>
  ): Promise<{ up: string; down: string }> {
    const made = given?.fromSchema === undefined ? await this.#readMade() : undefined;

    if (made !== undefined && !(await this.#isChanged(made))) {
      return { up: '', down: '' };
    }

    const fromSchema = this.#asPlaceholder(given?.fromSchema ?? (made && this.#withSchemas(made)));

    if (this.#isForCitus) {
      asSerials(fromSchema, this.getTargetSchema());
    }

    if (given?.dropTables !== false && given?.safe !== true) {
      refuseDrops(fromSchema, { to: this.getTargetSchema(), moved: this.#sharedTables(), set: 'tenant' });
    }

    const { up, down } = await super.getUpdateSchemaMigrationSQL({ ...given, schema: PLACEHOLDER_SCHEMA, fromSchema }, ...rest);

    return { up: this.#relative(up), down: this.#relative(down) };
  }

  #relative(sql: string): string {
    const relative = relativeSql(sql, this.#publicSchema);

    return this.#isForCitus ? citusSql(relative, { isOfTenant: true }) : relative;
  }

  // migrations must not create or drop the schema itself
  override diffToSQL(...[diff, ...rest]: Parameters<SqlSchemaGenerator['diffToSQL']>): string {
    const sql = super.diffToSQL({ ...diff, newNamespaces: new Set(), removedNamespaces: new Set() }, ...rest);
    // the public set may have dropped the shared table, and the foreign key with it
    const shared = diff.fromSchema
      .getTables()
      .flatMap(table => Object.values(table.getForeignKeys()))
      .filter(({ referencedTableName }) => referencedTableName.startsWith(`${SHARED_PLACEHOLDER}.`))
      .map(({ constraintName }) => constraintName);

    return dropOnce(sql, constraint => shared.includes(constraint));
  }

  protected override getOrderedMetadata(): EntityMetadata[] {
    // derived objects with another schema, because the metadata itself is shared
    return super
      .getOrderedMetadata(PLACEHOLDER_SCHEMA)
      .filter(isTenantEntity)
      .map(meta => Object.create(meta, { schema: { value: PLACEHOLDER_SCHEMA } }) as EntityMetadata);
  }

  /**
   * Whether what the set makes differs from what the entities make, both as PostgreSQL has them. It keeps an expression, such as the condition
   * of a trigger, in words of its own, which MikroORM would take for a change.
   */
  async #isChanged(made: DatabaseSchema): Promise<boolean> {
    const options = { schema: PLACEHOLDER_SCHEMA, fromSchema: this.#asPlaceholder(undefined), wrap: false };
    const { up } = await super.getUpdateSchemaMigrationSQL(options);
    const wanted = await this.#readMade(splitStatements(this.#relative(up)));
    const diff = wanted && new SchemaComparator(this.platform).compare(made, wanted);

    return diff === undefined || this.diffToSQL(diff, { wrap: false, safe: false, dropTables: true }).trim() !== '';
  }

  #sharedTables(): Set<string> {
    return new Set([...this.metadata.getAll().values()].filter(meta => !isTenantEntity(meta.root)).map(({ tableName }) => tableName));
  }

  #withSchemas(schema: DatabaseSchema): DatabaseSchema {
    for (const table of schema.getTables()) {
      for (const foreignKey of Object.values(table.getForeignKeys())) {
        foreignKey.referencedTableName = this.#withSchema(foreignKey.referencedTableName);
      }
    }

    return schema;
  }

  // MikroORM gives a foreign key the type of a key that is a native enum, and does not say that it is one
  #withEnums(schema: DatabaseSchema): DatabaseSchema {
    for (const column of schema.getTables().flatMap(table => table.getColumns())) {
      const [, name] = /^\*\.(.+?)(?:\[\])?$/.exec(column.type) ?? [];

      if (name !== undefined) {
        column.nativeEnumName ??= name;
      }
    }

    return schema;
  }

  #withSchema(tableName: string): string {
    // a shared table always has a schema. A name without one is the parent table of an inheritance tree, in the tenant
    const [schemaName, name] = tableName.includes('.') ? tableName.split('.') : [PLACEHOLDER_SCHEMA, tableName];

    return `${schemaName === this.#publicSchema ? SHARED_PLACEHOLDER : schemaName}.${name}`;
  }

  // MikroORM gives a snapshot the schema of the config, and ignores enums in other schemas
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
}

type ReadMade = (statements?: readonly string[]) => Promise<DatabaseSchema | undefined>;
