import { tenantColumns } from '../../database/deleted-tenants.js';
import type { TenantDatabase } from '../../database/tenant-database.js';

/** A name that a schema or a tenant's row has, or both. */
export interface NamedSchema {
  readonly name: string;
  readonly hasRow: boolean;
  readonly hasSchema: boolean;
  /** The comment of the schema. */
  readonly mark: string | null;
  /** Changes when the schema is renamed, or dropped and created again. Undefined without a schema. */
  readonly version: string | null;
}

/** All schemas and all rows of tenants. One statement reads them as of one moment, so that nothing that is created or dropped meanwhile is seen by half. */
export async function readSchemas(database: TenantDatabase): Promise<ReadonlyMap<string, NamedSchema>> {
  const { table, schemaName } = tenantColumns(database.rules);
  const rows = await database.execute<SchemaRow>(
    `select coalesce(n.name, t.name) as name, t.name is not null as has_row, n.name is not null as has_schema, n.mark, n.version from (
        select n.nspname::text as name, d.description as mark, concat(n.oid, ' ', n.xmin) as version from pg_namespace n
        left join pg_description d on d.objoid = n.oid and d.classoid = 'pg_namespace'::regclass and d.objsubid = 0
      ) n full join (select ${schemaName}::text as name from ${table}) t on t.name = n.name`,
    [],
    undefined,
  );

  return new Map(
    rows.map(({ name, has_row: hasRow, has_schema: hasSchema, mark, version }) => [name, { name, hasRow, hasSchema, mark, version }]),
  );
}

interface SchemaRow {
  readonly name: string;
  readonly has_row: boolean;
  readonly has_schema: boolean;
  readonly mark: string | null;
  readonly version: string | null;
}
