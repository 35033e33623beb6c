import type { TenantDatabase } from '../database/tenant-database.js';
import { quoteIdentifier } from '../postgres/schema-name.js';
import { hasSqlState } from '../postgres/sql-state.js';

/** The number of the server's version, such as 180001. */
export async function readVersion(database: TenantDatabase): Promise<number> {
  const [row] = await database.execute<{ n: number }>(`select current_setting('server_version_num')::int as n`, [], undefined);

  return row?.n ?? 0;
}

/**
 * What each schema takes, by the entries of the catalog, in one pass. A table that was never analysed has its rows counted by the statistics. With
 * `withActivity` those of each table and index are looked up, which takes most of the time.
 */
export function readStored(
  database: TenantDatabase,
  { version, withActivity }: { readonly version: number; readonly withActivity: boolean },
): Promise<StoredRow[]> {
  const last =
    withActivity && version >= LAST_SCANS
      ? `extract(epoch from max(case when relkind in ('r', 'i', 'm') then pg_stat_get_lastscan(oid) end))`
      : 'null';

  return withPlainStatistics(database, version, sql =>
    sql(
      // large values are in a table of their own, which is empty mostly
      `select n.nspname::text as name, x.* from (
        select case when relkind = 't' and relpages > 0 then (
            select o.relnamespace from pg_depend d join pg_class o on o.oid = d.refobjid
            where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'i' limit 1
          ) else relnamespace end as schema,
          count(*) filter (where relkind in ('r', 'p')) as tables,
          sum(case when relkind in ('r', 'm') then case when reltuples < 0 then pg_stat_get_live_tuples(oid) else reltuples end end) as rows,
          sum(relpages::bigint) * current_setting('block_size')::bigint as bytes, ${last} as last_activity
        from pg_class c group by 1
      ) x join pg_namespace n on n.oid = x.schema`,
      [],
    ),
  );
}

/** When each of these schemas was last read, in seconds since 1970. */
export async function readActivity(
  database: TenantDatabase,
  { version, names }: { readonly version: number; readonly names: readonly string[] },
): Promise<ReadonlyMap<string, number>> {
  if (version < LAST_SCANS || names.length === 0) {
    return new Map();
  }

  const rows = await withPlainStatistics(database, version, sql =>
    sql<{ name: string; last: number | string | null }>(
      `select n.nspname::text as name, extract(epoch from greatest(max(pg_stat_get_lastscan(c.oid)), max(pg_stat_get_lastscan(i.indexrelid)))) as last
        from ${RELATIONS} left join pg_index i on i.indrelid = c.oid where n.nspname in (?) and c.relkind in ('r', 'm') group by 1`,
      [[...names]],
    ),
  );

  return new Map(rows.flatMap(({ name, last }) => (last === null ? [] : [[name, Number(last)]])));
}

/** The bytes of the files of these schemas. */
export async function readBytes(database: TenantDatabase, names: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const bytes = new Map<string, number>();

  for (let start = 0; start < names.length; start += BATCH) {
    const rows = await database.execute<{ name: string; bytes: number | string }>(
      `select n.nspname::text as name, sum(pg_total_relation_size(c.oid)) as bytes from ${RELATIONS}
        where n.nspname in (?) and c.relkind in ('r', 'p', 'm', 'S') group by 1`,
      [names.slice(start, start + BATCH)],
      undefined,
    );
    rows.forEach(row => bytes.set(row.name, Number(row.bytes)));
  }

  return bytes;
}

/** Who is connected for which schema. A statement names its tables with their schema. */
export function readBusy(database: TenantDatabase): Promise<BusyRow[]> {
  return database.execute<BusyRow>(
    `select (regexp_match(query, '"([a-z_][a-z0-9_]*)"[.]"'))[1] as name, count(*) as connections,
      max(extract(epoch from clock_timestamp() - query_start) * 1000) filter (where state = 'active') as slowest
      from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and query ~ '"[a-z_][a-z0-9_]*"[.]"' group by 1`,
    [],
    undefined,
  );
}

/**
 * How long the slowest statement of each tenant took that `pg_stat_statements` remembers, in milliseconds. A statement is a tenant's by its role, or by
 * the schema in its text. Since PostgreSQL 18, equal statements over tables of one name are one whatever their schema is, so that the text says nothing.
 */
export async function readRecorded(database: TenantDatabase, version: number): Promise<ReadonlyMap<string, number> | undefined> {
  const { roles } = database.options;

  if (roles === undefined && version >= SAME_STATEMENTS) {
    return undefined;
  }

  // since 1.8 it tells executions from planning
  const [extension] = await database.execute<{ schema: string }>(
    `select n.nspname::text as schema from pg_extension e join pg_namespace n on n.oid = e.extnamespace
      where e.extname = 'pg_stat_statements' and string_to_array(e.extversion, '.')::int[] >= array[1, 8]`,
    [],
    undefined,
  );

  if (extension === undefined) {
    return undefined;
  }

  const statements = `${quoteIdentifier(extension.schema)}.pg_stat_statements`;
  const ofDatabase = `s.dbid = (select oid from pg_database where datname = current_database())`;

  try {
    const rows = await (roles === undefined
      ? database.execute<Recorded>(
          `select (regexp_match(s.query, '"([a-z_][a-z0-9_]*)"[.]"'))[1] as name, max(s.max_exec_time) as ms from ${statements} s
            where ${ofDatabase} and s.query ~ '"[a-z_][a-z0-9_]*"[.]"' group by 1`,
          [],
          undefined,
        )
      : database.execute<Recorded>(
          `select substr(r.rolname::text, length(?::text) + 1) as name, max(s.max_exec_time) as ms from ${statements}(false) s
            join pg_roles r on r.oid = s.userid where ${ofDatabase} and starts_with(r.rolname::text, ?) group by 1`,
          [roles.prefix, roles.prefix],
          undefined,
        ));

    return new Map(rows.map(({ name, ms }) => [name, Number(ms)]));
  } catch (error) {
    // the extension is there, and its library is not loaded
    if (hasSqlState(error, ['55000'])) {
      return undefined;
    }

    throw error;
  }
}

/** A copy of the statistics of each table that is looked up would be kept until the transaction ends: hundreds of megabytes for many tenants. */
function withPlainStatistics<Result>(database: TenantDatabase, version: number, fn: (sql: Sql) => Promise<Result>): Promise<Result> {
  return database.inTransaction(async ctx => {
    if (version >= FETCHES_PLAINLY) {
      await database.execute(`set local stats_fetch_consistency to none`, [], ctx);
    }

    return fn((sql, params) => database.execute(sql, params, ctx));
  });
}

/** The relations of schemas. The catalog of relations has no index by schema, and that of dependencies has. */
const RELATIONS = `pg_namespace n join pg_depend d on d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid and d.classid = 'pg_class'::regclass
  join pg_class c on c.oid = d.objid`;

/** Each of its files takes a lock for the length of the statement. */
const BATCH = 50;

const FETCHES_PLAINLY = 150_000;

const LAST_SCANS = 160_000;

const SAME_STATEMENTS = 180_000;

type Sql = <Row>(sql: string, params: readonly unknown[]) => Promise<Row[]>;

export interface StoredRow {
  readonly name: string;
  readonly tables: number | string;
  readonly rows: number | string | null;
  readonly bytes: number | string;
  /** In seconds since 1970. */
  readonly last_activity: number | string | null;
}

export interface BusyRow {
  readonly name: string;
  readonly connections: number | string;
  readonly slowest: number | string | null;
}

interface Recorded {
  readonly name: string;
  readonly ms: number | string;
}
