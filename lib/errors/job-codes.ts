import type { TenantJobError, TenantPathError } from './job-errors.js';

/** The codes of work off the request, as in error-codes.ts. */
export interface JobErrorCodes {
  /**
   * A job carries no value of `captureTenant()`, or one that was changed or has another version. `retryable` is false.
   * @remedy Store what `captureTenant()` returns with the job, as JSON, and pass it to `resumeTenant()` unchanged.
   */
  JOB_TENANT_INVALID: TenantJobError;
  /**
   * The tenant that a job was queued in was deleted, whoever has its name or key now. `retryable` is false.
   * @remedy Let the queue give the job up. `restored: true` is for jobs of a database that was restored from a dump.
   */
  JOB_TENANT_GONE: TenantJobError;
  /**
   * The tenant that a job was queued in is suspended. `retryable` is false.
   * @remedy Let the queue give the job up, and queue it again when the tenant is active. `states` lets work of suspended tenants run.
   */
  JOB_TENANT_SUSPENDED: TenantJobError;
  /**
   * The tenant that a job was queued in is in maintenance. `retryable` is true.
   * @remedy Let the queue try again later.
   */
  JOB_TENANT_IN_MAINTENANCE: TenantJobError;
  /**
   * `tenantPath()` got a path that could leave the tenant's folder, or that file systems read in different ways.
   * @remedy Pass a relative path with forward slashes, without `.` and `..`.
   */
  TENANT_PATH: TenantPathError;
}
