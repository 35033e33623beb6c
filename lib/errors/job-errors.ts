import { show, TenantError, type TenantErrorCode } from './tenant-error.js';

/**
 * A job cannot run in the tenant that it was queued in. `retryable` says whether it can later: a queue should give up where it is false, because
 * the job would fail again and again.
 */
export class TenantJobError extends TenantError {
  readonly retryable: boolean;

  /** For a value that `captureTenant()` has not made, or one of another version. What it is is not shown in full: it may be anything. */
  static invalid(reason: string, cause?: unknown): TenantJobError {
    return new TenantJobError(
      'JOB_TENANT_INVALID',
      `The job does not say in a way that can be read which tenant it was queued in: ${reason}. It was not run. Store what \`captureTenant()\` returns with the job, as JSON, and pass it on unchanged.`,
      { retryable: false, ...(cause === undefined ? {} : { cause }) },
    );
  }

  static noKey(schemaName: string): TenantJobError {
    return new TenantJobError(
      'JOB_TENANT_INVALID',
      `The key of the tenant ${show(schemaName)} is not known in this scope, or cannot be written as JSON, so no job can be queued for it here. Queue it in \`runInTenant(tenant, …)\`.`,
      { retryable: false },
    );
  }

  static gone(schemaName: string): TenantJobError {
    return new TenantJobError(
      'JOB_TENANT_GONE',
      `The tenant that this job was queued in, ${show(schemaName)} by its name of then, is not served any more: it was deleted. The job was not run, and no later attempt can run it.`,
      { retryable: false },
    );
  }

  static replaced(schemaName: string): TenantJobError {
    return new TenantJobError(
      'JOB_TENANT_GONE',
      `The tenant that this job was queued in, ${show(schemaName)} by its name of then, was deleted, and another tenant has got its key. The job was not run, and no later attempt can run it. ` +
        'If it is the same tenant in a database that was restored from a dump, pass `{ restored: true }`.',
      { retryable: false },
    );
  }

  static suspended(schemaName: string): TenantJobError {
    return new TenantJobError(
      'JOB_TENANT_SUSPENDED',
      `The tenant ${show(schemaName)} is suspended, so this job was not run. Queue it again when the tenant is active, or pass \`states\` for work that suspended tenants get too.`,
      { retryable: false },
    );
  }

  static inMaintenance(schemaName: string): TenantJobError {
    return new TenantJobError(
      'JOB_TENANT_IN_MAINTENANCE',
      `The tenant ${show(schemaName)} is in maintenance, so this job was not run. Run it again later.`,
      {
        retryable: true,
      },
    );
  }

  constructor(code: TenantErrorCode, message: string, { retryable, ...options }: ErrorOptions & { readonly retryable: boolean }) {
    super(code, message, options);
    this.retryable = retryable;
  }
}

/** `tenantPath()` got a file that could be outside of the tenant's folder. */
export class TenantPathError extends TenantError {
  constructor(what: string, value: unknown, reason: string) {
    super(
      'TENANT_PATH',
      `${show(value)} is no ${what} for tenantPath(): ${reason}. No path was made. Pass the name of a file in the tenant's folder, such as 'invoices/2026.pdf'.`,
    );
  }
}
