import type { ReportError, TenantsBehindError } from './report-errors.js';

/** The codes of reports over tenants, as in error-codes.ts. */
export interface ReportErrorCodes {
  /**
   * `acrossTenants()` has no reason, reads something that is not a tenant entity, or uses a property that is no column of its own.
   * @remedy Change the report as the message says.
   */
  REPORT_USAGE: ReportError;
  /**
   * Tenants were renamed or dropped while a report was read, so that their names may be other tenants' now. No row of those was given.
   * @remedy Run the report again.
   */
  REPORT_CHANGED: ReportError;
  /**
   * Tenants lack a table or a column that a report reads, and `onBehind` is `'throw'`. `behind` names them. Nothing was read.
   * @remedy Migrate them, select others, or leave them out.
   */
  TENANTS_BEHIND: TenantsBehindError;
}
