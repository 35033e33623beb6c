import { TenantChangedError } from '../../errors/index.js';
import type { Moment } from '../../scope/tenant-identities.js';
import type { TenantIdentity } from '../../scope/tenant-identity.js';
import type { QueryResult } from '../statements/kysely-types.js';
import type { TenantCheck } from './tenant-check.js';

/**
 * The answer to what was read outside of a transaction. Where this process has changed the tenant meanwhile, it is given once it is known whose it
 * is: that of the tenant if its schema has had its name throughout.
 */
export function readFor(
  identity: TenantIdentity,
  running: Promise<QueryResult>,
  { check, confirm, explain }: Reading,
): Promise<QueryResult> {
  const before = check.latest(identity);

  return running.then(
    result =>
      check.hasChangedSince(identity, before)
        ? confirm(identity).then(() => {
            if (check.latest(identity)?.mark !== before?.mark) {
              throw new TenantChangedError(identity.schemaName);
            }

            return result;
          })
        : result,
    (error: unknown) => explain(identity, error, before),
  );
}

/** The same of a stream, whose first rows are of whom all are. If the tenant has changed meanwhile, it is begun again: nothing else can be asked while it is open. */
export async function* streamFor(
  identity: TenantIdentity,
  open: () => AsyncIterableIterator<QueryResult>,
  { check, confirm }: Reading,
): AsyncIterableIterator<QueryResult> {
  for (;;) {
    const before = check.latest(identity);
    const rows = open();
    const first = await rows.next();

    if (!check.hasChangedSince(identity, before)) {
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
    await check.changed(identity);
    await confirm(identity);
  }
}

/** What a connection reads with. */
export interface Reading {
  readonly check: Pick<TenantCheck, 'changed' | 'hasChangedSince' | 'latest'>;
  /** Asks the database whether the tenant still has its name. Throws if it has not. */
  readonly confirm: (identity: TenantIdentity) => Promise<void>;
  /** Throws what the error tells of the tenant. */
  readonly explain: (identity: TenantIdentity, error: unknown, before: Moment | undefined) => Promise<never>;
}
