/** What is held against the model: scopes, and what is read and written in them. */
export interface World {
  /** Runs `fn` in the scope of a tenant. */
  inTenant(tenant: string, by: 'name' | 'row', fn: () => Promise<void>): Promise<void>;
  inPublic(fn: () => Promise<void>): Promise<void>;
  /** Runs `fn` in a transaction, or in a savepoint of the one that the flow is in. */
  inTransaction(fn: () => Promise<void>): Promise<void>;
  /** Runs `fn` for each of the tenants, and tells which of them it failed for. */
  forEach(tenants: readonly string[], concurrency: number, fn: (tenant: string) => Promise<void>): Promise<string[]>;
  /** What the flow is told about where it is. */
  here(): Here;
  /** What the flow reads: the text of the row that names its tenant, or the code of the refusal. */
  read(path: ReadPath): Promise<string>;
  /** The same, by what was made now and is run later. */
  keep(path: KeptPath): () => Promise<string>;
  write(text: string, path: WritePath): Promise<void>;
  /** A read that is broken off at once, or on the way. */
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

/** What a read of a tenant's table is answered with where there is no tenant, and where it is another's. */
export const NO_TENANT = 'TENANT_CONTEXT_REQUIRED';
export const OTHER_TENANT = 'CROSS_TENANT';
