import { CLIHelper } from '@mikro-orm/cli';
import { TenantService } from '../api/tenant-service.js';
import { Tenancy } from '../tenancy.js';
import type { TenantArgs } from './tenant-args.js';

/** Opens the ORM of the project, runs a command on its tenants, and closes the ORM. */
export async function withTenantsOf(args: TenantArgs, fn: (tenants: TenantService) => Promise<number>): Promise<number> {
  CLIHelper.quiet = args.quiet ?? false;
  const orm = await CLIHelper.getORM(args.contextName, args.config);

  try {
    return await fn(new TenantService(Tenancy.of(orm.config)));
  } finally {
    await orm.close(true);
  }
}
