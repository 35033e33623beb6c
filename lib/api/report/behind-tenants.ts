import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { hasSqlState } from '../../postgres/sql-state.js';
import type { BehindTenant } from './report-types.js';

/** A tenant that has all that a report reads. */
export interface ReadyTenant {
  readonly schemaName: string;
  /** PostgreSQL's own key of the schema. A name may be another tenant's later. */
  readonly oid: string;
}

/** Which tenants have all columns, in their order, and what the others lack. */
export async function splitTenants(
  database: TenantDatabase,
  schemaNames: readonly string[],
  columns: ReadonlyMap<string, ReadonlySet<string>>,
): Promise<{ readonly ready: ReadyTenant[]; readonly behind: BehindTenant[] }> {
  if (schemaNames.length === 0) {
    return { ready: [], behind: [] };
  }

  const wanted = [...columns].flatMap(([table, names]) => [...names].map(name => ({ table, name })));
  const rows = await database.execute<{ name: string; oid: string; found: number }>(
    `with wanted ("table", "name") as (values ${wanted.map(() => '(?, ?)').join(', ')}) ` +
      `select n.nspname::text as "name", n.oid::text as "oid", count(*)::int as "found" from pg_catalog.pg_namespace n ` +
      `join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relkind in ('r', 'p', 'v', 'm', 'f') join wanted w on w."table" = c.relname ` +
      `join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = w."name" and a.attnum > 0 and not a.attisdropped ` +
      `where n.nspname in (${schemaNames.map(() => '?').join(', ')}) group by n.nspname, n.oid`,
    [...wanted.flatMap(({ table, name }) => [table, name]), ...schemaNames],
    database.orm.em.getTransactionContext(),
  );
  const complete = new Map(rows.filter(({ found }) => Number(found) === wanted.length).map(({ name, oid }) => [name, oid]));
  const others = schemaNames.filter(name => !complete.has(name));

  return {
    ready: schemaNames.flatMap(schemaName => {
      const oid = complete.get(schemaName);

      return oid === undefined ? [] : [{ schemaName, oid }];
    }),
    behind: others.length === 0 ? [] : await missingOf(database, others, wanted),
  };
}

/** Whether the schemas are those that the tenants had when the report began. */
export async function areSame(database: TenantDatabase, tenants: readonly ReadyTenant[], ctx: Transaction): Promise<boolean> {
  // by the key, which has an index: a comparison of both for each would cost more than the report
  const rows = await database.execute<{ oid: string; name: string }>(
    `select oid::text as "oid", nspname::text as "name" from pg_catalog.pg_namespace where oid in (${tenants.map(() => '?').join(', ')})`,
    tenants.map(({ oid }) => oid),
    ctx,
  );
  const names = new Map(rows.map(({ oid, name }) => [oid, name]));

  return tenants.every(({ schemaName, oid }) => names.get(oid) === schemaName);
}

/** Whether a statement has failed because a table or a column is not there. */
export function lacksColumn(error: unknown): boolean {
  return hasSqlState(error, ['42P01', '3F000', '42703']);
}

async function missingOf(
  database: TenantDatabase,
  schemaNames: readonly string[],
  wanted: readonly { readonly table: string; readonly name: string }[],
): Promise<BehindTenant[]> {
  const rows = await database.execute<{ schema: string; table: string; name: string }>(
    `select n.nspname::text as "schema", c.relname::text as "table", a.attname::text as "name" from pg_catalog.pg_namespace n ` +
      `join pg_catalog.pg_class c on c.relnamespace = n.oid join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped ` +
      `where n.nspname in (${schemaNames.map(() => '?').join(', ')}) and c.relname in (${wanted.map(() => '?').join(', ')})`,
    [...schemaNames, ...wanted.map(({ table }) => table)],
    database.orm.em.getTransactionContext(),
  );
  const found = new Set(rows.map(({ schema, table, name }) => JSON.stringify([schema, table, name])));

  return schemaNames.map(schemaName => ({
    schemaName,
    missing: wanted
      .filter(({ table, name }) => !found.has(JSON.stringify([schemaName, table, name])))
      .map(({ table, name }) => `${table}.${name}`),
  }));
}
