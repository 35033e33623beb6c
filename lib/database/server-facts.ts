import { SCHEMA_COMMENT } from './owned-schemas.js';
import type { TenantDatabase } from './tenant-database.js';

/** What the server's settings are compared with. */
export interface ServerFacts {
  /** Tables in the schemas of tenants. */
  readonly tenantTables: number;
  /** Tables in the whole database, without those of PostgreSQL. A dump locks each. */
  readonly tables: number;
  /** Foreign keys of tenants' tables to the shared table that has most of them. */
  readonly referencesToOne: number;
  /** The name of that table. */
  readonly mostReferenced: string | undefined;
  /** Tenants' tables with so many rows that it matters what the planner knows of them. */
  readonly filled: number;
  /** Those of them that were never analysed, neither by autovacuum nor by hand. */
  readonly neverAnalysed: number;
  readonly catalogBytes: number;
  /** How many connections the pool of this ORM opens at most. */
  readonly poolSize: number;
  readonly settings: ServerSettings;
}

/** Settings by their names. Sizes are in bytes. */
export interface ServerSettings {
  readonly max_locks_per_transaction: number;
  readonly max_connections: number;
  readonly max_prepared_transactions: number;
  readonly superuser_reserved_connections: number;
  /** From PostgreSQL 16 on. */
  readonly reserved_connections: number;
  readonly autovacuum: boolean;
  readonly autovacuum_analyze_threshold: number;
  readonly shared_buffers: number;
}

/** Reads the facts in one statement. */
export async function readServerFacts(database: TenantDatabase): Promise<ServerFacts> {
  const [row] = await database.execute<FactsRow>(FACTS, [SCHEMA_COMMENT], undefined);
  const settings = row?.settings ?? {};
  const numberOf = (name: string): number => Number(settings[name] ?? 0);

  return {
    tenantTables: Number(row?.tenant_tables ?? 0),
    tables: Number(row?.tables ?? 0),
    referencesToOne: Number(row?.references_to_one ?? 0),
    mostReferenced: row?.most_referenced ?? undefined,
    filled: Number(row?.filled ?? 0),
    neverAnalysed: Number(row?.never_analysed ?? 0),
    catalogBytes: Number(row?.catalog_bytes ?? 0),
    poolSize: database.engine.connectionsAtOnce(),
    settings: {
      max_locks_per_transaction: numberOf('max_locks_per_transaction'),
      max_connections: numberOf('max_connections'),
      max_prepared_transactions: numberOf('max_prepared_transactions'),
      superuser_reserved_connections: numberOf('superuser_reserved_connections'),
      reserved_connections: numberOf('reserved_connections'),
      autovacuum: settings['autovacuum'] === 'on' && settings['track_counts'] === 'on',
      autovacuum_analyze_threshold: numberOf('autovacuum_analyze_threshold'),
      // PostgreSQL gives it in blocks
      shared_buffers: numberOf('shared_buffers') * numberOf('block_size'),
    },
  };
}

interface FactsRow {
  readonly settings: Readonly<Record<string, string>>;
  readonly tenant_tables: number | string;
  readonly tables: number | string;
  readonly references_to_one: number | string | null;
  readonly most_referenced: string | null;
  readonly filled: number | string;
  readonly never_analysed: number | string;
  readonly catalog_bytes: number | string;
}

// a table of a few rows is read whole, whatever the planner thinks. `reltuples` is -1 until a table is first vacuumed or analysed
const FACTS = `with owned as (select oid from pg_namespace where obj_description(oid, 'pg_namespace') = ?),
tables as (
  select c.oid, c.reltuples, c.relnamespace in (select oid from owned) as is_tenants from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema') and c.relpersistence <> 't'
),
shared as (
  select k.confrelid, count(*) as n from pg_constraint k join tables t on t.oid = k.conrelid and t.is_tenants
  where k.contype = 'f' and k.confrelid in (select oid from tables where not is_tenants)
  group by 1 order by 2 desc limit 1
),
filled as (
  select t.reltuples < 0 as never from tables t join pg_stat_all_tables s on s.relid = t.oid where t.is_tenants and s.n_live_tup >= 20
)
select
  (select json_object_agg(name, setting) from pg_settings where name in ('max_locks_per_transaction', 'max_connections', 'max_prepared_transactions',
    'superuser_reserved_connections', 'reserved_connections', 'autovacuum', 'track_counts', 'autovacuum_analyze_threshold', 'shared_buffers',
    'block_size')) as settings,
  (select count(*) from tables where is_tenants) as tenant_tables,
  (select count(*) from tables) as tables,
  (select n from shared) as references_to_one,
  (select confrelid::regclass::text from shared) as most_referenced,
  (select count(*) from filled) as filled,
  (select count(*) from filled where never) as never_analysed,
  (select sum(pg_total_relation_size(oid)) from pg_class where relkind = 'r' and relnamespace = 'pg_catalog'::regnamespace) as catalog_bytes`;
