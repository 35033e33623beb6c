import { HttpTenantError } from './web-errors.js';

/** The tenant is suspended: status 403, or `suspendedStatus`. Without `suspendedStatus`, a visitor is answered as for an unknown tenant. */
export class TenantSuspendedError extends HttpTenantError {
  constructor(status = 403) {
    super('TENANT_SUSPENDED', status, 'This tenant is suspended.');
  }
}

/** The tenant is in maintenance: status 503 with `Retry-After`. */
export class TenantMaintenanceError extends HttpTenantError {
  constructor(retryAfterSeconds: number = RETRY_AFTER_SECONDS) {
    super('TENANT_IN_MAINTENANCE', 503, 'This tenant is in maintenance. Try again later.', {
      headers: { 'Retry-After': String(retryAfterSeconds) },
    });
  }
}

const RETRY_AFTER_SECONDS = 60;
