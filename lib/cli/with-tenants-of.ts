import { CLIHelper } from '@mikro-orm/cli';
import type { MikroORM } from '@mikro-orm/core';
import { TenantService } from '../api/tenant-service.js';
import { selectSchemaNames } from '../migrations/run/selection.js';
import { lacksTable } from '../postgres/sql-state.js';
import { Tenancy } from '../tenancy.js';
import type { TenantArgs } from './tenant-args.js';

/** Opens the ORM of the project, runs a command on its tenants, and closes the ORM. */
export async function withTenantsOf(args: TenantArgs, fn: (tenants: TenantService, orm: MikroORM) => Promise<number>): Promise<number> {
  CLIHelper.quiet = args.quiet ?? false;
  const orm = await CLIHelper.getORM(args.contextName, args.config);

  try {
    const tenancy = Tenancy.of(orm.config);

    try {
      return await fn(new TenantService(tenancy), orm);
    } catch (error) {
      // where the public set has not run yet, this says so, whatever table was missed first
      await (lacksTable(error) ? selectSchemaNames(tenancy.database, {}) : undefined);

      throw error;
    }
  } finally {
    await orm.close(true);
  }
}
