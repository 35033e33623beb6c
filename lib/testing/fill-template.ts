import { TenantError } from '../errors/index.js';
import { TestDatabaseError } from '../errors/testing-errors.js';
import type { WrappedOrm } from '../scope/wrapped-orm.js';
import type { TestTenants } from './test-tenants.js';

/**
 * Makes what a template has, in the database that the ORM is connected to.
 *
 * @throws TestDatabaseError `TEST_TEMPLATE`
 */
export async function fillTemplate(orm: WrappedOrm, { prepare, tenants, readyTenants }: TemplateContents): Promise<void> {
  try {
    await orm.migrator.up();
  } catch (error) {
    throw TestDatabaseError.notMigrated('the public set', error);
  }

  try {
    await prepare();
  } catch (error) {
    throw TestDatabaseError.notMigrated('`prepare`', error);
  }

  try {
    await tenants.makeReady(readyTenants);
  } catch (error) {
    throw TestDatabaseError.notMigrated(error instanceof TenantError ? 'the tenant set' : 'making the ready tenants', error);
  }
}

interface TemplateContents {
  readonly prepare: () => unknown;
  readonly tenants: TestTenants;
  readonly readyTenants: number;
}
