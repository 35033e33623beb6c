import { sqlStateOf } from '../assertions/failure.ts';
import type { LibraryOrm } from '../orm/library-orm.ts';

/** What everybody who uses the connection next gets of those before: none of it may be a scope's. */
export interface SessionState {
  readonly path: string;
  readonly role: string;
  readonly session: string;
  /** Whether a transaction is open. */
  readonly open: boolean;
}

/** The state of the one connection of the ORM's pool, asked for outside of scopes. */
export async function readSession(orm: LibraryOrm): Promise<SessionState> {
  const connection = orm.em.getConnection();
  const [state] = await connection.execute<Omit<SessionState, 'open'>[]>(STATE);
  // there is no other statement that says it everywhere
  const probe = await connection.execute('savepoint probe').then(
    () => 'open',
    (error: unknown) => sqlStateOf(error),
  );

  return { ...(state as Omit<SessionState, 'open'>), open: probe !== '25P01' };
}

const STATE = `select current_setting('search_path') as path, current_setting('role') as role, session_user::text as session`;
