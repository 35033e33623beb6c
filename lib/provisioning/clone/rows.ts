import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';

/**
 * Marks a statement that is made from the catalogs: it has names and literals in its text that PostgreSQL has told, and cannot have parameters. The mark is
 * seen in `pg_stat_activity` and in logs.
 */
export function made(sql: string): string {
  return `${MADE}${sql}`;
}

const MADE = '/* made from the catalogs */ ';

/** The rows of a query as JSON has them, so that every driver gives the same values. */
export async function jsonRows<Row>(database: Pick<TenantDatabase, 'execute'>, sql: string, ctx: Transaction): Promise<Row[]> {
  const [found] = await database.execute<{ rows: string }>(
    made(`select coalesce(json_agg(r), '[]')::text as rows from (${sql}) r`),
    [],
    ctx,
  );

  return JSON.parse(found?.rows ?? '[]') as Row[];
}

/**
 * The objects of a schema, by the index of `pg_depend`: a search of the other catalogs by their schema would read those of all tenants. What PostgreSQL
 * does not note as in the schema belongs to something that is: an index to its table, a row type to its table, an array to its type.
 */
export function objectsOf(oid: string): string {
  return `objects as materialized (
    select classid, objid from pg_depend where refclassid = 'pg_namespace'::regclass and refobjid = ${oid}
  ), relations as materialized (
    select c.* from objects o join pg_class c on c.oid = o.objid where o.classid = 'pg_class'::regclass
  )`;
}

/** A name, as SQL has it. */
export type Sql = string;
