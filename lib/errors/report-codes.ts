import type { ReportError, TenantsBehindError } from './report-errors.js';

/** The codes of reports over tenants, as in error-codes.ts. */
export interface ReportErrorCodes {
  /**
   * `acrossTenants()` has no reason, reads something that is not a tenant entity, uses a property that is no column of its own, or has met tenants that
   * were renamed or dropped meanwhile.
   * @remedy Change the report as the message says, or run it again.
   */
  REPORT_USAGE: ReportError;
  /**
   * Tenants lack a table or a column that a report reads, and `onBehind` is `'throw'`. `behind` names them. Nothing was read.
   * @remedy Migrate them, select others, or leave them out.
   */
  TENANTS_BEHIND: TenantsBehindError;
}
