import pMap from 'p-map';
import { servingSql } from '../../connection/pool/tenants-of-client.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { quoteIdentifier, quoteTable } from '../../postgres/schema-name.js';
import { isLockTimeout, lacksTable } from '../../postgres/sql-state.js';
import type { Finding, FixStatement } from './finding.js';

/**
 * Sequences whose next value a row has already: the next insert fails. Reads the sequence and the highest value of each column that has one, a hundred
 * at a time, as each takes locks. A table that is locked or was dropped meanwhile is left out.
 */
export async function checkSequences(
  database: TenantDatabase,
  {
    names,
    busy,
    onProgress,
  }: { readonly names: ReadonlySet<string>; readonly busy: Set<string>; readonly onProgress: (checked: number, total: number) => void },
): Promise<Finding[]> {
  const sequences = (await database.execute<Sequence>(SEQUENCES, [], undefined)).filter(({ schema }) => names.has(schema));
  const isCitus = (await database.engine.citus(undefined)) !== undefined;
  const batches = Array.from({ length: Math.ceil(sequences.length / BATCH) }, (_, n) => sequences.slice(n * BATCH, (n + 1) * BATCH));
  let checked = 0;

  const check = async (batch: readonly Sequence[]): Promise<Finding[]> => {
    const values = await readValues(database, batch, busy);
    checked += batch.length;
    onProgress(checked, sequences.length);

    return values.flatMap(({ sequence, highest, next }) => {
      if (highest === null || BigInt(highest) < BigInt(next)) {
        return [];
      }

      const finding = behind(sequence, highest, next);

      return [isCitus ? { ...finding, fix: [fixOnCitus(sequence, highest)] } : finding];
    });
  };

  return (await pMap(batches, check, { concurrency: Math.min(CONCURRENCY, database.engine.connectionsAtOnce()) })).flat();
}

async function readValues(database: TenantDatabase, batch: readonly Sequence[], busy: Set<string>): Promise<Values[]> {
  const [first] = batch;

  if (first === undefined) {
    return [];
  }

  try {
    const rows = await database.inTransaction(async ctx => {
      await database.execute(
        servingSql(new Set(batch.map(({ schema }) => schema)), `set local lock_timeout to ${LOCK_TIMEOUT_MS}`),
        [],
        ctx,
      );

      return database.execute<ValuesRow>(batch.map(selectOf).join(' union all '), [], ctx);
    });

    return rows.flatMap(({ position, highest, next }) => {
      const sequence = batch[position];

      return sequence === undefined ? [] : [{ sequence, highest, next }];
    });
  } catch (error) {
    if (!isLockTimeout(error) && !lacksTable(error)) {
      throw error;
    }

    if (batch.length === 1) {
      busy.add(first.schema);

      return [];
    }

    const middle = Math.ceil(batch.length / 2);

    return [...(await readValues(database, batch.slice(0, middle), busy)), ...(await readValues(database, batch.slice(middle), busy))];
  }
}

function selectOf({ schema, table, column, sequence }: Sequence, position: number): string {
  const highest = `(select max(${quoteIdentifier(column)}) from ${quoteTable(schema, table)})::text`;

  return `select ${position} as position, ${highest} as highest, (case when is_called then last_value + 1 else last_value end)::text as next from ${quoteTable(schema, sequence)}`;
}

function behind({ schema, table, column, sequence }: Sequence, highest: string, next: string): Finding {
  return {
    kind: 'sequence-behind',
    schemaName: schema,
    object: sequence,
    message: `the next value of ${sequence} is ${next}, and ${table}.${column} has ${highest} already, so that the next insert fails`,
    remedy: `Set it: \`select setval('${schema}.${sequence}', ${highest})\`.`,
    // never back: others may have taken values meanwhile
    fix: [
      {
        sql: `select setval(c.oid::regclass, m.highest) from (select max(${quoteIdentifier(column)}) as highest from ${quoteTable(schema, table)}) m,
          ${quoteTable(schema, sequence)} s, pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname = ? and c.relname = ? and m.highest >= s.last_value`,
        params: [schema, sequence],
      },
    ],
  };
}

/** Beside a sharded table, Citus would set the sequence of its node. */
function fixOnCitus({ schema, sequence }: Sequence, highest: string): FixStatement {
  return {
    sql: `select setval(c.oid::regclass, ?::bigint) from ${quoteTable(schema, sequence)} s, pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = ? and c.relname = ? and ?::bigint >= s.last_value`,
    params: [highest, schema, sequence, highest],
  };
}

const SEQUENCES = `select n.nspname::text as schema, t.relname::text as table, a.attname::text as column, s.relname::text as sequence
  from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S' join pg_sequence q on q.seqrelid = s.oid
  join pg_class t on t.oid = d.refobjid and t.relkind in ('r', 'p') join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid
  join pg_namespace n on n.oid = t.relnamespace
  where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
    and q.seqincrement > 0 and not q.seqcycle and s.relnamespace = t.relnamespace order by 1, 2, 3`;

/** Each takes the locks of a table, its index and a sequence, of which a transaction has 64 by default without asking for others' room. */
const BATCH = 100;

/** How many are read at once. */
const CONCURRENCY = 4;

/** How long a table is waited for that somebody has locked. */
const LOCK_TIMEOUT_MS = 500;

interface ValuesRow {
  readonly position: number;
  readonly highest: string | null;
  readonly next: string;
}

interface Values extends Omit<ValuesRow, 'position'> {
  readonly sequence: Sequence;
}

interface Sequence {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  readonly sequence: string;
}
