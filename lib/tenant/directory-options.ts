/** How the web edge finds the tenant of a request. */
export interface DirectoryOptions {
  /**
   * The maximum number of tenants that a process caches. The least recently used tenant is evicted first. A tenant that is not cached
   * costs one query. Start with the number of tenants that are in use at the same time. Each takes as much memory as its row.
   *
   * @default 10_000
   */
  readonly max?: number;

  /**
   * The maximum time a tenant is cached, in milliseconds. The database reports changes within a second, so this limit matters only for
   * changes that are not reported: without `listen`, behind a transaction pooler, and for plain SQL without `trigger`. It also limits how
   * long cached tenants are served while the database cannot be reached.
   *
   * @default 60_000
   */
  readonly ttlMs?: number;

  /** The maximum number of unknown hosts that are cached. They have a separate cache, so a flood of them evicts no tenant. @default 1_000 */
  readonly unknownMax?: number;

  /** The maximum time an unknown host is cached, in milliseconds. A tenant that is created or changed clears this cache. @default 5_000 */
  readonly unknownTtlMs?: number;

  /**
   * The maximum time a request waits for the lookup of its tenant, in milliseconds. Then `onUnavailable` applies. Choose a value below
   * the timeout of your proxy.
   *
   * @default 5_000
   */
  readonly lookupTimeoutMs?: number;

  /**
   * Whether each process that serves requests keeps one connection outside the pool, on which the database reports changed tenants.
   * A transaction pooler such as PgBouncer does not forward these notifications. In that case give the URL of the database itself.
   * If no notification arrives, a warning is logged once, and changes take effect after `ttlMs`, as with `false`. PGlite needs no extra
   * connection.
   *
   * @default true
   */
  readonly listen?: boolean | { readonly url: string };

  /**
   * Whether the tenants' table gets a trigger. It also reports changes by plain SQL: from `psql`, other programs, raw SQL and data
   * migrations. The next `migration:create` of the public set adds the trigger, or drops it after this option is turned off. `truncate`
   * does not fire it.
   *
   * @default false
   */
  readonly trigger?: boolean;

  /**
   * What happens while the database cannot be reached. `'serve'`: a cached tenant is served until its `ttlMs` ends. Every other request
   * gets status 503 with `Retry-After`. `'refuse'`: a tenant is served only if it was looked up within the last second. Every other request
   * gets status 503. Without `listen`, the process does not notice that the database is gone, so this limit is `ttlMs` instead of a second.
   *
   * @default 'serve'
   */
  readonly onUnavailable?: 'serve' | 'refuse';
}
