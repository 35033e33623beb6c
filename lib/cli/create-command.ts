import { CLIHelper } from '@mikro-orm/cli';
import { MigrationError } from '../errors/index.js';
import { dumpFinding } from './citus-findings.js';
import { EXIT } from './exit.js';
import { paint } from './output.js';
import type { TenantArgs } from './tenant-args.js';
import { withTenantsOf } from './with-tenants-of.js';

/** `migration:create --tenants` */
export async function createForTenants(args: TenantArgs): Promise<number> {
  if (args.tenants !== undefined && args.tenants.length > 0) {
    throw MigrationError.oneSetForAll(args.tenants);
  }

  return withTenantsOf(args, async tenants => {
    const { path, name, blank, initial, dropMoved } = args;
    const created = await tenants.createMigration({
      ...(path === undefined ? {} : { path }),
      ...(name === undefined ? {} : { name }),
      ...(blank === undefined ? {} : { blank }),
      ...(initial === undefined ? {} : { initial }),
      ...(dropMoved === undefined ? {} : { dropMoved }),
    });

    if (created.fileName === '') {
      CLIHelper.info(paint('No changes required, the tenant set is up-to-date', 'green', process.stdout));
      return EXIT.done;
    }

    if (args.dump === true) {
      dumpSql('up', created.diff.up);
      dumpSql('down', created.diff.down);
    }

    CLIHelper.info(paint(`${created.fileName} successfully created in the tenant set`, 'green', process.stdout));
    // of the new one alone: what it says of the others is for `migration:check`
    const written = created.fileName.replace(/\.[cm]?[jt]s$/, '');
    (await tenants.findForCitus()).filter(({ migration }) => migration === written).forEach(dumpFinding);

    return EXIT.done;
  });
}

function dumpSql(direction: string, statements: readonly string[]): void {
  CLIHelper.dump(paint(`${direction}:`, 'green', process.stdout));
  CLIHelper.dump(statements.map(sql => `  ${sql}`).join('\n'));
}
