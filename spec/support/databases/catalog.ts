import type { SpecDatabase } from './database.ts';

/** The schemas of the database, without PostgreSQL's own and `public`. */
export async function schemaNames(database: SpecDatabase): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    `select nspname::text as name from pg_namespace where nspname !~ '^(pg_.*|information_schema|public)$' order by 1`,
  );

  return rows.map(row => row.name);
}

/** The schemas that have a table of that name. */
export async function schemasWith(database: SpecDatabase, tableName: string): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    `select table_schema::text as name from information_schema.tables where table_name = $1 order by 1`,
    [tableName],
  );

  return rows.map(row => row.name);
}

/** The schema names that the rows of the tenants' table hold. */
export async function storedTenants(database: SpecDatabase, tableName = 'library'): Promise<string[]> {
  const rows = await database.query<{ name: string }>(`select schema_name as name from public."${tableName}" order by 1`);

  return rows.map(row => row.name);
}
