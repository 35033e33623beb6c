/** How the web edge finds out who is meant by a request. */
export interface DirectoryOptions {
  /**
   * How many tenants a process holds, the least recently used giving way. One that is not held costs a query, so start with as many as
   * are in use at a time; each takes as much memory as its row.
   *
   * @default 10_000
   */
  readonly max?: number;

  /**
   * For how many milliseconds a tenant is held at most. Changes are told by the database within a second, so this matters where they are
   * not: without `listen`, behind a transaction pooler, and for changes by plain SQL without `trigger`. It is also for how long known
   * tenants are served while the database cannot be reached.
   *
   * @default 60_000
   */
  readonly ttlMs?: number;

  /** How many hosts that no tenant has are remembered, in a table of their own: a flood of them pushes no tenant out. @default 1_000 */
  readonly unknownMax?: number;

  /** For how many milliseconds it is remembered that no tenant has a host. A tenant that is created or changed ends it for all. @default 5_000 */
  readonly unknownTtlMs?: number;

  /**
   * How many milliseconds a request waits for the database to say who is meant, before it goes on as `onUnavailable` says.
   * Shorter than your proxy waits.
   *
   * @default 5_000
   */
  readonly lookupTimeoutMs?: number;

  /**
   * Whether each process that serves requests keeps one connection beside the pool on which the database tells it of changed tenants.
   * A transaction pooler such as PgBouncer does not pass on what it tells: give the URL of the database itself then. Where nothing can be
   * heard, that is logged once, and what has changed is seen when `ttlMs` is over, as with `false`. PGlite needs no connection for it.
   *
   * @default true
   */
  readonly listen?: boolean | { readonly url: string };

  /**
   * Whether the tenant entity has a trigger that tells of changes by plain SQL too: by `psql`, other programs, raw SQL and data migrations.
   * The next `migration:create` of the public set writes it, and after this is turned off, drops it. `truncate` fires none.
   *
   * @default false
   */
  readonly trigger?: boolean;

  /**
   * What happens while the database cannot be reached. `'serve'`: a tenant that is held is served until its `ttlMs` is over, and every
   * other request is answered with 503 and `Retry-After`. `'refuse'`: every request whose tenant was not looked up within the last second is;
   * where nothing is listened to, within `ttlMs`, as nobody says there that the database is away.
   *
   * @default 'serve'
   */
  readonly onUnavailable?: 'serve' | 'refuse';
}
