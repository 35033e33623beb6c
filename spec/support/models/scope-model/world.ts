/** The system that is compared with the model: scopes, reads and writes. */
export interface World {
  /** Runs `fn` in the scope of a tenant. */
  inTenant(tenant: string, by: 'name' | 'row', fn: () => Promise<void>): Promise<void>;
  inPublic(fn: () => Promise<void>): Promise<void>;
  /** Runs `fn` in a transaction, or in a savepoint of the one that the flow is in. */
  inTransaction(fn: () => Promise<void>): Promise<void>;
  /** Runs `fn` for each tenant, and returns the tenants for which it failed. */
  forEach(tenants: readonly string[], concurrency: number, fn: (tenant: string) => Promise<void>): Promise<string[]>;
  /** The current scope, as the library reports it to the flow. */
  here(): Here;
  /** What the flow reads: the text of the row that names its tenant, or the code of the refusal. */
  read(path: ReadPath): Promise<string>;
  /** The same for a query that is created now and run later. */
  keep(path: KeptPath): () => Promise<string>;
  write(text: string, path: WritePath): Promise<void>;
  /** A read that is stopped immediately, or halfway. */
  abortedRead(when: 'before' | 'meanwhile'): Promise<void>;
}

export interface Here {
  readonly tenant: string | undefined;
  readonly schema: string | undefined;
  /** The schema of the global EntityManager. */
  readonly em: string | undefined;
}

export type ReadPath = (typeof READ_PATHS)[number];
export type KeptPath = (typeof KEPT_PATHS)[number];
export type WritePath = (typeof WRITE_PATHS)[number];

export const READ_PATHS = ['find', 'find in a fork', 'qb', 'Kysely', 'repository'] as const;
export const KEPT_PATHS = ['qb', 'Kysely', 'stream', 'fork'] as const;
export const WRITE_PATHS = ['flush', 'insert'] as const;

export const PUBLIC = 'public';

/** The codes for a read of a tenant's table without a tenant, and in another tenant's scope. */
export const NO_TENANT = 'TENANT_CONTEXT_REQUIRED';
export const OTHER_TENANT = 'CROSS_TENANT';
