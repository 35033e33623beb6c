import { TenantError, reasonOf } from './tenant-error.js';

/** The pooler between the ORM and PostgreSQL gives each statement another connection, so there are no transactions to work in. */
export class PoolerModeError extends TenantError {
  constructor(cause: unknown) {
    super(
      'POOLER_WITHOUT_TRANSACTIONS',
      `The pooler in front of PostgreSQL refuses transactions: ${reasonOf(cause)}. ` +
        'Some raw SQL in a scope, `roles`, flushes and changes of tenants need them. Nothing was run. ' +
        'Set `pool_mode = transaction` (or `session`) for this database in PgBouncer, or connect to PostgreSQL itself.',
      { cause },
    );
  }
}
