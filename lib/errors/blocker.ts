/** A session of the server that holds a lock which another one waits for. What the server does not show to this role is undefined. */
export interface Blocker {
  /** 0 for a prepared transaction, which no session has. */
  readonly pid: number;
  readonly application: string | undefined;
  readonly user: string | undefined;
  /** As in `pg_stat_activity`, for example `idle in transaction`. */
  readonly state: string | undefined;
  /** Since when its transaction, or what it does now, has lasted, in milliseconds. */
  readonly forMs: number | undefined;
  /** Its current or last query, at most 200 characters. */
  readonly query: string | undefined;
}

/** For example `session 4711 ("psql", idle in transaction for 40 s, last query: select 1)`. */
export function describeBlocker({ pid, application, user, state, forMs, query }: Blocker): string {
  const details = [
    ...(application === undefined || application === '' ? [] : [JSON.stringify(application)]),
    ...(user === undefined ? [] : [`user ${user}`]),
    ...(state === undefined ? [] : [`${state}${forMs === undefined ? '' : ` for ${Math.round(forMs / 1_000)} s`}`]),
    ...(query === undefined || query === '' ? [] : [`query: ${query.replaceAll(/\s+/g, ' ').trim()}`]),
  ];

  return `${pid === 0 ? 'a prepared transaction' : `session ${pid}`}${details.length > 0 ? ` (${details.join(', ')})` : ''}`;
}

export function describeBlockers(blockers: readonly Blocker[]): string {
  return blockers.map(describeBlocker).join(', ');
}
