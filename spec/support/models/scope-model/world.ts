import type { Change } from './tenants.ts';

/** The system that is compared with the model: scopes, reads and writes. */
export interface World {
  /** Runs `fn` in the scope of a tenant, by the name that it has, or by its row as it was when it was created. */
  inTenant(tenant: Named, by: 'name' | 'row', fn: () => Promise<void>): Promise<void>;
  inPublic(fn: () => Promise<void>): Promise<void>;
  /** Runs `fn` in a transaction, or in a savepoint of the one that the flow is in. */
  inTransaction(fn: () => Promise<void>): Promise<void>;
  /** Runs `fn` for each tenant of these names, and returns the names for which it failed. */
  forEach(names: readonly string[], concurrency: number, fn: (name: string) => Promise<void>): Promise<string[]>;
  /** Renames tenants, or drops one and creates another with its name. */
  change(change: Change): Promise<void>;
  /** The current scope, as the library reports it to the flow. */
  here(): Here;
  /** What the flow reads: the text of the row that names its tenant, or the code of the refusal. */
  read(path: ReadPath): Promise<string>;
  /** The same for a query that is created now and run later. */
  keep(path: KeptPath): () => Promise<string>;
  /** Resolves to the code of the refusal, if it is refused. */
  write(text: string, path: WritePath): Promise<string | undefined>;
  /** A read that is stopped immediately, or halfway. */
  abortedRead(when: 'before' | 'meanwhile'): Promise<void>;
}

/** A tenant, and the name that it has now. */
export interface Named {
  readonly label: string;
  readonly name: string;
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

/** The same where the tenant is not the one of its name any more. */
export const CHANGED = 'TENANT_CHANGED';
