import pg from 'pg';
import type { SpecDatabase } from './database.ts';

type Database = Pick<SpecDatabase, 'query'>;

/** A separate session. It is closed after the specs of the `describe`, unless it was closed before. */
export async function openSession(database: Pick<SpecDatabase, 'url' | 'atEnd'>): Promise<pg.Client> {
  const session = new pg.Client({ connectionString: database.url ?? '' });
  await session.connect();
  database.atEnd(() => session.end());

  return session;
}

/** How many sessions wait for a lock, or for one of which the condition on `pg_locks` is true. */
export async function countLockWaits(database: Database, condition = 'true'): Promise<number> {
  const [row] = await database.query<{ count: number }>(
    `select count(*)::int as count from pg_locks join pg_stat_activity using (pid) where not granted and datname = current_database() and ${condition}`,
  );

  return row?.count ?? 0;
}

/** The sessions in which directories listen, each with what it has asked for last. */
export async function findListeners(database: Database): Promise<{ readonly pid: number; readonly query: string }[]> {
  return database.query(
    `select pid, query from pg_stat_activity where datname = current_database() and application_name = 'landlord directory'`,
  );
}
