import type { TenantHookError } from './hook-errors.js';

/** The codes of hooks, as in error-codes.ts. */
export interface HookErrorCodes {
  /**
   * A function of the option `hooks` has thrown. In a transaction that it may undo, everything was rolled back. `hook` and `schemaName` say which.
   * @remedy Read the `cause`.
   */
  HOOK_FAILED: TenantHookError;
  /**
   * A function of the option `hooks` has not ended within `hooks.timeoutMs`. It counts as one that has thrown.
   * @remedy Do what takes long in a job, or raise `hooks.timeoutMs`.
   */
  HOOK_TIMEOUT: TenantHookError;
}
