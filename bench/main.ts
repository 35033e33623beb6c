import { across } from './across.ts';
import { citus } from './citus.ts';
import { cli } from './cli.ts';
import { clone } from './clone.ts';
import { curve } from './curve.ts';
import { createTenant } from './create-tenant.ts';
import { doctor } from './doctor.ts';
import { edges } from './edges.ts';
import { exportTenant } from './export.ts';
import { fleet } from './fleet.ts';
import { growth } from './growth.ts';
import { migrateTenants } from './migrate-tenants.ts';
import { nothingToDo } from './nothing-to-do.ts';
import { memory } from './memory.ts';
import { orm } from './orm.ts';
import { overload } from './overload.ts';
import { startServer, type BenchServer } from './server.ts';
import { soak } from './soak.ts';
import { testing } from './testing.ts';
import { publicCheck } from './public-check.ts';
import { printReport, type Report } from './report.ts';
import { request } from './request.ts';
import { resolve } from './resolve.ts';

const BENCHES: Readonly<
  Record<string, (url: string, argument: string | undefined, server: BenchServer) => Promise<Report | readonly Report[]>>
> = {
  across,
  create: createTenant,
  migrate: migrateTenants,
  noop: nothingToDo,
  check: publicCheck,
  citus,
  cli,
  clone,
  curve,
  doctor,
  export: exportTenant,
  growth,
  memory,
  edges,
  overload,
  fleet,
  orm,
  request,
  resolve,
  soak,
  testing,
};

const [name = '', argument] = process.argv.slice(2);
const names = name === 'all' ? Object.keys(BENCHES) : [name];

if (!names.every(each => each in BENCHES)) {
  console.error(`npm run bench -- NAME [ARGUMENT], where NAME is one of ${Object.keys(BENCHES).join(', ')} or all`);
  process.exitCode = 2;
} else {
  await using server = await startServer();

  for (const each of names) {
    const reports = (await BENCHES[each]?.(await server.createDatabase(each), argument, server)) ?? [];

    for (const report of [reports].flat() as readonly Report[]) {
      printReport(each, report);
    }
  }
}
