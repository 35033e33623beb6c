import type { Transaction } from '@mikro-orm/core';
import { copyIn, copyOut, type ChunkSink } from '../../connection/pool/copy.js';
import { nativeClientOf } from '../../connection/pool/pooled-connection.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { isPglite } from '../../tenant/is-pglite.js';
import type { TableText } from '../clone/read-schema.js';
import { made } from '../clone/rows.js';
import { decodeRow, encodeRow } from '../../postgres/copy-text.js';

/** A table whose rows go out or come in, and the columns that are written, as SQL. */
export type TableRows = Pick<TableText, 'name' | 'columns'>;

/**
 * Reads the rows of a table on the path in the text format of `copy`. Where there is no client of `pg`, as on PGlite, they are read by a cursor, and are
 * the same bytes.
 */
export async function readTableRows(
  database: TenantDatabase,
  table: TableRows,
  { ctx, sink }: { readonly ctx: Transaction; readonly sink: ChunkSink },
): Promise<void> {
  if (await takesCopy(database)) {
    await copyOut(`copy ${targetOf(table)} to stdout`, sink, sql => database.execute(sql, [], ctx));
    return;
  }

  const columns = table.columns.map(({ name }, index) => `case when ${name} is not null then format('%s', ${name}) end as c${index}`);
  await database.execute(made(`declare landlord_rows no scroll cursor for select ${columns.join(', ')} from only ${table.name}`), [], ctx);

  for (;;) {
    const rows = await database.execute<Record<string, string | null>>(`fetch ${ROWS_AT_ONCE} from landlord_rows`, [], ctx);

    if (rows.length === 0) {
      break;
    }

    await sink(
      Buffer.from(rows.map(row => (columns.length === 0 ? '\n' : encodeRow(columns.map((_, index) => row[`c${index}`] ?? null)))).join('')),
    );
  }

  await database.execute('close landlord_rows', [], ctx);
}

/** Writes rows into a table on the path, from the text format of `copy`. */
export async function writeTableRows(
  database: TenantDatabase,
  table: TableRows,
  { ctx, source }: { readonly ctx: Transaction; readonly source: AsyncIterable<Buffer> },
): Promise<void> {
  if (await takesCopy(database)) {
    await copyIn(`copy ${targetOf(table)} from stdin`, source, sql => database.execute(sql, [], ctx));
    return;
  }

  let rest: Buffer = Buffer.alloc(0);

  for await (const chunk of source) {
    const end = chunk.lastIndexOf('\n');

    if (end === -1) {
      rest = Buffer.concat([rest, chunk]);
    } else {
      await insert(
        database,
        {
          ...table,
          lines: Buffer.concat([rest, chunk.subarray(0, end)])
            .toString('utf8')
            .split('\n'),
        },
        ctx,
      );
      rest = Buffer.from(chunk.subarray(end + 1));
    }
  }
}

async function insert(
  database: TenantDatabase,
  { name, columns, lines }: TableRows & { readonly lines: readonly string[] },
  ctx: Transaction,
): Promise<void> {
  const platform = database.orm.em.getPlatform();

  for (let start = 0; start < lines.length; start += ROWS_AT_ONCE) {
    const rows = lines.slice(start, start + ROWS_AT_ONCE);

    if (columns.length === 0) {
      await database.execute(made(`insert into ${name} select from generate_series(1, ${rows.length})`), [], ctx);
      continue;
    }

    const values = rows.map(
      row =>
        `(${decodeRow(row)
          .map(value => (value === null ? 'null' : platform.quoteValue(value)))
          .join(', ')})`,
    );
    const names = columns.map(column => column.name).join(', ');
    const typed = columns.map(({ type }, index) => `c${index}::text::${type}`).join(', ');
    await database.execute(
      made(
        `insert into ${name} (${names}) overriding system value select ${typed} from (values ${values.join(', ')}) v (${columns.map((_, index) => `c${index}`).join(', ')})`,
      ),
      [],
      ctx,
    );
  }
}

/** A table without columns has rows all the same. */
function targetOf({ name, columns }: TableRows): string {
  return columns.length === 0 ? name : `${name} (${columns.map(column => column.name).join(', ')})`;
}

async function takesCopy({ orm }: TenantDatabase): Promise<boolean> {
  return !isPglite(orm.config.getPlatform()) && (await nativeClientOf(orm)) !== undefined;
}

const ROWS_AT_ONCE = 500;
