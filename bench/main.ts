import { curve } from './curve.ts';
import { createTenant } from './create-tenant.ts';
import { migrateTenants } from './migrate-tenants.ts';
import { nothingToDo } from './nothing-to-do.ts';
import { startServer } from './server.ts';
import { printReport, type Report } from './report.ts';

const BENCHES: Readonly<Record<string, (url: string) => Promise<Report>>> = {
  create: createTenant,
  migrate: migrateTenants,
  noop: nothingToDo,
  curve,
};

const [name = ''] = process.argv.slice(2);
const names = name === 'all' ? Object.keys(BENCHES) : [name];

if (!names.every(each => each in BENCHES)) {
  console.error(`npm run bench -- NAME, where NAME is one of ${Object.keys(BENCHES).join(', ')} or all`);
  process.exitCode = 2;
} else {
  await using server = await startServer();

  for (const each of names) {
    const report = await BENCHES[each]?.(await server.createDatabase(each));

    if (report !== undefined) {
      printReport(each, report);
    }
  }
}
