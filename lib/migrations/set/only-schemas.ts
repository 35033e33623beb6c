import type { Transaction } from '@mikro-orm/core';
import type { AbstractSqlPlatform } from '@mikro-orm/postgresql';

/**
 * The connection for MikroORM's introspection, which then finds the tables and views of these schemas alone. MikroORM lists those of all
 * schemas, and reads the columns and keys of each. What the list costs would grow with the square of the number of tenants. What belongs to an
 * extension, such as a view of Citus or of `pg_stat_statements`, is left out: MikroORM would drop it.
 *
 * @param ctx The transaction for all statements. MikroORM reads triggers outside of the one that it is given.
 */
export function onlySchemas<Connection extends { execute(...args: any[]): Promise<unknown> }>(
  connection: Connection,
  { platform, schemas, ctx }: { readonly platform: AbstractSqlPlatform; readonly schemas: readonly string[]; readonly ctx?: Transaction },
): Connection {
  const helper = platform.getSchemaHelper();
  const lists = new Map([
    [helper?.getListTablesSQL(), 'table_name'],
    [helper?.getListViewsSQL(), 'view_name'],
    [helper?.getListMaterializedViewsSQL(), 'view_name'],
  ]);
  const names = schemas.map(name => platform.quoteValue(name)).join(', ');
  const execute = async (sql: unknown, params?: unknown, method?: unknown, given?: unknown, ...rest: unknown[]): Promise<unknown> => {
    // the first column is the name of the table or view, by which MikroORM sorts
    const column = lists.get(sql as string);
    const ofSchemas =
      column === undefined
        ? sql
        : `select * from (${sql as string}) as found where schema_name in (${names}) and not ${ofExtension(column)} order by 1`;
    const found = await connection.execute(ofSchemas, params, method, ctx ?? given, ...rest);

    return Array.isArray(found)
      ? (found as readonly Found[]).filter(({ schema_name: name }) => name === undefined || schemas.includes(name))
      : found;
  };

  return Object.create(connection, { execute: { value: execute } }) as Connection;
}

function ofExtension(column: string): string {
  return (
    `exists (select from pg_depend d join pg_class c on c.oid = d.objid join pg_namespace n on n.oid = c.relnamespace ` +
    `where d.classid = 'pg_class'::regclass and d.deptype = 'e' and n.nspname = found.schema_name and c.relname = found.${column})`
  );
}

interface Found {
  readonly schema_name?: string;
}
