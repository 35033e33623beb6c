import type { DeletedTenantError, LockTableError } from './life-errors.js';

/** The codes of the life of tenants, as in error-codes.ts. */
export interface LifeErrorCodes {
  /**
   * No deleted tenant has this name or id: it was never deleted softly, or it was restored or purged meanwhile.
   * @remedy Call `tenants().listDeleted()`, or run `mikro-orm tenant:list --deleted`.
   */
  DELETED_TENANT_UNKNOWN: DeletedTenantError;
  /**
   * Several deleted tenants had this name, one after the other. `ids` has theirs.
   * @remedy Name the one that you mean by its id.
   */
  DELETED_TENANT_AMBIGUOUS: DeletedTenantError;
  /**
   * Dropping the schema takes more locks than the server has room for. `needed` and `room` are the numbers. Nothing was dropped.
   * @remedy Raise `max_locks_per_transaction` as the message says, and restart the server.
   */
  LOCK_TABLE_TOO_SMALL: LockTableError;
}
