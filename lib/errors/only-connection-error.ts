import { TenantError } from './tenant-error.js';

/** Work that needs a connection of its own was called in a transaction which has the pool's only one. */
export class OnlyConnectionError extends TenantError {
  constructor() {
    super(
      'ONLY_CONNECTION_TAKEN',
      "This needs a connection of its own, and the caller's transaction has the only one that the pool has. It would wait for itself. Nothing was done. " +
        'Call it outside of the transaction, or allow more connections with `pool.max`.',
    );
  }
}
