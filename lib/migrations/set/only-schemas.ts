import type { Transaction } from '@mikro-orm/core';
import type { AbstractSqlPlatform } from '@mikro-orm/postgresql';

/**
 * The connection for MikroORM's introspection, which then finds the tables and views of these schemas alone. MikroORM lists those of all
 * schemas, and reads the columns and keys of each. What the list costs would grow with the square of the number of tenants.
 *
 * @param ctx The transaction for all statements. MikroORM reads triggers outside of the one that it is given.
 */
export function onlySchemas<Connection extends { execute(...args: any[]): Promise<unknown> }>(
  connection: Connection,
  { platform, schemas, ctx }: { readonly platform: AbstractSqlPlatform; readonly schemas: readonly string[]; readonly ctx?: Transaction },
): Connection {
  const helper = platform.getSchemaHelper();
  const lists = new Set([helper?.getListTablesSQL(), helper?.getListViewsSQL(), helper?.getListMaterializedViewsSQL()]);
  const names = schemas.map(name => platform.quoteValue(name)).join(', ');
  const execute = async (sql: unknown, params?: unknown, method?: unknown, given?: unknown, ...rest: unknown[]): Promise<unknown> => {
    // the first column is the name of the table or view, by which MikroORM sorts
    const ofSchemas = lists.has(sql as string)
      ? `select * from (${sql as string}) as found where schema_name in (${names}) order by 1`
      : sql;
    const found = await connection.execute(ofSchemas, params, method, ctx ?? given, ...rest);

    return Array.isArray(found)
      ? (found as readonly Found[]).filter(({ schema_name: name }) => name === undefined || schemas.includes(name))
      : found;
  };

  return Object.create(connection, { execute: { value: execute } }) as Connection;
}

interface Found {
  readonly schema_name?: string;
}
