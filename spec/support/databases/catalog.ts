import type { SpecDatabase } from './database.ts';

type Database = Pick<SpecDatabase, 'query'>;

/** The schemas of the database, without PostgreSQL's own, those of Citus and `public`. */
export async function schemaNames(database: Database): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    `select nspname::text as name from pg_namespace where nspname !~ '^(pg_.*|information_schema|public|citus|citus_internal|columnar|columnar_internal)$' order by 1`,
  );

  return rows.map(row => row.name);
}

/** The schemas that have a table or view of that name, or that have it with this column. */
export async function schemasWith(database: Database, tableName: string, column?: string): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    `select distinct table_schema::text as name from information_schema.columns where table_name = $1 and column_name = coalesce($2::text, column_name) order by 1`,
    [tableName, column],
  );

  return rows.map(row => row.name);
}

/** The tables and views of a schema. */
export async function tablesOf(database: Database, schemaName: string): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    `select table_name::text as name from information_schema.tables where table_schema = $1 order by 1`,
    [schemaName],
  );

  return rows.map(row => row.name);
}

/** The names in a tenant's history of migrations, in the order they ran; undefined where there is no history. */
export async function historyOf(database: Database, schemaName: string, table = 'mikro_orm_migrations'): Promise<string[] | undefined> {
  if (!(await tablesOf(database, schemaName)).includes(table)) {
    return undefined;
  }

  const rows = await database.query<{ name: string }>(`select name from "${schemaName}"."${table}" order by id`);

  return rows.map(row => row.name);
}

/** The schema names that the rows of the tenants' table hold. */
export async function storedTenants(database: Database, tableName = 'library'): Promise<string[]> {
  const rows = await database.query<{ name: string }>(`select schema_name as name from public."${tableName}" order by 1`);

  return rows.map(row => row.name);
}
