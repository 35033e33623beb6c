import { reasonOf } from '../errors/index.js';
import { EXIT } from './exit.js';
import { count, oneLine, print, printError, writeJson } from './output.js';
import { detailsOf, duration } from './run-summary.js';
import { numberOf, selectionOf, type TenantArgs } from './tenant-args.js';
import { withTenantsOf } from './with-tenants-of.js';

/** `tenant:seed`, and `seeder:run --tenants` */
export function seedTenants(args: TenantArgs): Promise<number> {
  const { json, quiet } = args;
  const concurrency = numberOf('--concurrency', args.concurrency, 1);

  return withTenantsOf(args, async service => {
    const results = await service.seed(args.class, {
      ...selectionOf(args),
      ...(concurrency === undefined ? {} : { concurrency }),
      onProgress: result => {
        const { schemaName, ok, durationMs } = result;

        if (json === true) {
          const error = ok ? {} : { error: { message: reasonOf(result.error), ...detailsOf(result.error) } };
          writeJson('tenant', { schemaName, ok, durationMs: Math.round(durationMs), ...error });
        } else if (!ok) {
          printError(`${schemaName}: failed: ${oneLine(reasonOf(result.error))}`);
        } else if (quiet !== true) {
          print(`${schemaName}: seeded (${duration(durationMs)})`);
        }
      },
    });
    const failed = results.filter(({ ok }) => !ok).map(({ schemaName }) => schemaName);

    if (json === true) {
      writeJson('summary', { total: results.length, seeded: results.length - failed.length, failed });
    } else {
      print(
        `${count(results.length, 'tenant')}: ${results.length - failed.length} seeded, ${failed.length} failed`,
        failed.length === 0 ? 'green' : 'yellow',
      );
    }

    return failed.length === 0 ? EXIT.done : EXIT.failed;
  });
}
