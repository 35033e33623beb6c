import type { TenantIdentity } from '../scope/tenant-identity.js';
import type { QueryResult } from './kysely-types.js';
import type { TenantCheck } from './tenant-check.js';

/** The answer to what was read outside of a transaction. Where this process has changed the tenant meanwhile, it is given once it is known whose it is. */
export function readFor(
  identity: TenantIdentity,
  running: Promise<QueryResult>,
  { check, confirm, explain }: Reading,
): Promise<QueryResult> {
  const { changes } = check;

  return running.then(
    result => (check.hasChangedSince(identity, changes) ? confirm(identity).then(() => result) : result),
    (error: unknown) => explain(identity, error),
  );
}

/** The same of a stream, whose first rows are of whom all are. If the tenant has changed meanwhile, it is begun again: nothing else can be asked while it is open. */
export async function* streamFor(
  identity: TenantIdentity,
  open: () => AsyncIterableIterator<QueryResult>,
  { check, confirm }: Reading,
): AsyncIterableIterator<QueryResult> {
  for (;;) {
    const { changes } = check;
    const rows = open();
    const first = await rows.next();

    if (!check.hasChangedSince(identity, changes)) {
      try {
        if (first.done !== true) {
          yield first.value;
          yield* rows;
        }
      } finally {
        // a reader may stop early
        await rows.return?.();
      }

      return;
    }

    await rows.return?.();
    await confirm(identity);
    // the commit that changes the tenant may take longer
    await new Promise(resolve => void setTimeout(resolve, AGAIN_MS));
  }
}

/** How long a stream waits before it is begun again, in milliseconds. */
const AGAIN_MS = 10;

/** What a connection reads with. */
export interface Reading {
  readonly check: Pick<TenantCheck, 'changes' | 'hasChangedSince'>;
  /** Asks the database whether the tenant still has its name. Throws if it has not. */
  readonly confirm: (identity: TenantIdentity) => Promise<void>;
  /** Throws what the error tells of the tenant. */
  readonly explain: (identity: TenantIdentity, error: unknown) => Promise<never>;
}
