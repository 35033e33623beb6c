import type { Transaction } from '@mikro-orm/core';
import { hasSqlState } from '../postgres/sql-state.js';
import type { Statements } from './dependents.js';

/** What dropping a schema takes of the server's lock table. */
export interface LocksOfDrop {
  readonly needed: number;
  /** How many locks there is room for, of all sessions. */
  readonly room: number;
  /** `max_locks_per_transaction` as it is. */
  readonly setting: number;
  /** What it should be at least. */
  readonly advised: number;
}

/**
 * How many locks dropping a schema takes: PostgreSQL locks each object that goes with it, not only each table. Counted by what depends on the schema,
 * as the catalog of tables has no index by schema.
 *
 * https://www.postgresql.org/docs/current/runtime-config-locks.html
 */
export async function readLocksOfDrop(database: Statements, schemaName: string, ctx: Transaction): Promise<LocksOfDrop> {
  const [row] = await database.execute<Record<'needed' | 'sessions' | 'setting', number | string>>(LOCKS, [schemaName], ctx);
  const { needed, sessions, setting } = { needed: Number(row?.needed), sessions: Number(row?.sessions), setting: Number(row?.setting) };

  return { needed, room: sessions * setting, setting, advised: adviceFor(needed, sessions) };
}

/** The `max_locks_per_transaction` for so many locks of one transaction. */
export function adviceFor(needed: number, sessions: number): number {
  return Math.ceil((needed * LEFT_FOR_OTHERS) / Math.max(1, sessions) / STEP) * STEP;
}

/** Whether the server had no room for another lock. */
export function hasNoRoomForLocks(error: unknown): boolean {
  return hasSqlState(error, ['53200']);
}

/** All that can hold locks: sessions, prepared transactions and PostgreSQL's own processes. */
export const LOCKING_SESSIONS = `(select sum(setting::int) + 5 from pg_settings where name in ('max_connections', 'max_prepared_transactions',
  'max_worker_processes', 'max_wal_senders', case when current_setting('server_version_num')::int >= 180000 then 'autovacuum_worker_slots' else 'autovacuum_max_workers' end))`;

const LOCKS = `with part as materialized (
  select d.classid, d.objid from pg_depend d
  where d.refclassid = 'pg_namespace'::regclass and d.refobjid = (select oid from pg_namespace where nspname = ?)
), relation as materialized (
  select c.oid, c.reltoastrelid, c.reltype from part p join pg_class c on c.oid = p.objid where p.classid = 'pg_class'::regclass
)
select (select count(*) from part) + (
  select coalesce(sum(case when reltoastrelid <> 0 then 2 else 0 end + case when reltype <> 0 then 2 else 0 end), 0) from relation
) + (select count(*) from relation r join pg_index i on i.indrelid = r.oid)
  + (select count(*) from relation r join pg_constraint k on k.conrelid = r.oid)
  + (select count(*) from relation r join pg_attrdef a on a.adrelid = r.oid)
  + (select count(*) from relation r join pg_trigger t on t.tgrelid = r.oid)
  + (select count(*) from relation r join pg_rewrite w on w.ev_class = r.oid) as needed,
  ${LOCKING_SESSIONS} as sessions, current_setting('max_locks_per_transaction')::int as setting`;

/** A fifth more than one transaction needs. */
const LEFT_FOR_OTHERS = 1.2;

const STEP = 64;
