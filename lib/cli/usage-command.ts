import { CLIHelper } from '@mikro-orm/cli';
import type { TenantUsage, UsageOrder } from '../api/usage.js';
import { EXIT } from './exit.js';
import { count, writeJson } from './output.js';
import { duration } from './run-summary.js';
import { numberOf, selectionOf, type TenantArgs } from './tenant-args.js';
import { withTenantsOf } from './with-tenants-of.js';

/** `tenant:usage` */
export function showUsage(args: TenantArgs): Promise<number> {
  const { orderBy, exact = false, json } = args;
  const limit = numberOf('--limit', args.limit, 1) ?? DEFAULT_LIMIT;
  const offset = numberOf('--offset', args.offset, 0) ?? 0;

  return withTenantsOf(args, async service => {
    const { total, tenants, sum, recordsStatements } = await service.usage({
      ...selectionOf(args),
      limit,
      offset,
      exact,
      ...(orderBy === undefined ? {} : { orderBy: orderBy as UsageOrder }),
    });

    if (json === true) {
      tenants.forEach(tenant => writeJson('tenant', tenant));
      writeJson('summary', { total, ...sum, recordsStatements });

      return EXIT.done;
    }

    CLIHelper.dumpTable({
      columns: ['Tenant', 'Tables', 'Rows', 'Size', 'Last read', 'Connections', 'Slowest'],
      rows: tenants.map(columnsOf),
      empty: 'No tenants found',
    });
    const shown = tenants.length === total ? '' : `, ${offset + 1} to ${offset + tenants.length} shown`;
    CLIHelper.dump(`${count(total, 'tenant')}${shown}: ${count(sum.tables, 'table')}, ${sum.rows} rows, ${size(sum.bytes)}`);

    return EXIT.done;
  });
}

function columnsOf({ schemaName, tables, rows, bytes, lastActivity, connections, slowestMs }: TenantUsage): string[] {
  return [
    schemaName,
    String(tables),
    String(rows),
    size(bytes),
    lastActivity?.toISOString() ?? '',
    String(connections),
    slowestMs === undefined ? '' : duration(slowestMs),
  ];
}

function size(bytes: number): string {
  const unit = UNITS.findLast(({ bytes: least }) => bytes >= least) ?? { name: 'B', bytes: 1 };

  return `${unit.bytes === 1 ? bytes : (bytes / unit.bytes).toFixed(1)} ${unit.name}`;
}

const UNITS = ['kB', 'MB', 'GB', 'TB'].map((name, index) => ({ name, bytes: 1024 ** (index + 1) }));

const DEFAULT_LIMIT = 20;
