import type { Wire } from './transaction/wire.js';

/** What a transaction has touched: for each schema, what is said of each of its tables and sequences. */
export type Touched = ReadonlyMap<string, ReadonlyMap<string, string>>;

/**
 * Tells what the transaction on the connection has touched so far, also where it was rolled back to a savepoint: rows by the statistics of the
 * transaction, sequences by the locks that it holds, and tables by the transaction that has made or changed them. It reads no table of a tenant.
 */
export async function touchedBy(wire: Wire): Promise<Touched> {
  const [result] = [await wire.send({ sql: TOUCHED })].flat();
  const schemas = new Map<string, Map<string, string>>();

  for (const { schema, name, what } of (result?.rows ?? []) as { schema: string; name: string; what: string }[]) {
    const objects = schemas.get(schema) ?? new Map<string, string>();
    objects.set(name, objects.has(name) ? `${objects.get(name)}, ${what}` : what);
    schemas.set(schema, objects);
  }

  return schemas;
}

/**
 * Tells what the tables of the schemas hold, by a sum over their rows, and how far their sequences are. For tests that commit: there is no
 * transaction to ask.
 */
export async function contentsOf(query: Query, schemas: readonly string[]): Promise<Touched> {
  const tables = await query<{ schema: string; name: string; kind: string; quoted: string }>(
    `select n.nspname::text as schema, c.relname::text as name, c.relkind::text as kind, format('%I.%I', n.nspname, c.relname) as quoted ` +
      `from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'S') order by 1, 2`,
    [],
  );
  const selects = tables
    .filter(({ schema }) => schemas.includes(schema))
    .map(({ kind, quoted }) =>
      kind === 'S'
        ? `select ?::int as at, concat('at ', last_value, ' ', is_called) as what from ${quoted}`
        : `select ?::int as at, concat(count(*), ' rows ', sum(hashtextextended(t::text, 0))) as what from ${quoted} t`,
    );
  const rows = selects.length === 0 ? [] : await query<{ at: number; what: string }>(selects.join(' union all '), [...selects.keys()]);
  const found = tables.filter(({ schema }) => schemas.includes(schema));
  const contents = new Map<string, Map<string, string>>(schemas.map(schema => [schema, new Map()]));

  for (const { at, what } of rows) {
    const table = found[Number(at)];
    contents.get(table?.schema ?? '')?.set(table?.name ?? '', what);
  }

  return contents;
}

/** What differs between two looks at one schema. */
export function differences(schema: string, before: Touched, after: Touched): string[] {
  const [then, now] = [before.get(schema) ?? new Map<string, string>(), after.get(schema) ?? new Map<string, string>()];
  const names = [...new Set([...then.keys(), ...now.keys()])].filter(name => then.get(name) !== now.get(name));

  return names
    .toSorted()
    .map(name => `"${schema}"."${name}": ${now.get(name) ?? 'gone'}${then.has(name) ? ` (before: ${then.get(name)})` : ''}`);
}

const TOUCHED = [
  `select schemaname::text as schema, relname::text as name, concat_ws(', ', nullif(n_tup_ins, 0) || ' inserted', nullif(n_tup_upd, 0) || ' updated', nullif(n_tup_del, 0) || ' deleted') as what ` +
    `from pg_stat_xact_user_tables where n_tup_ins + n_tup_upd + n_tup_del > 0`,
  `select n.nspname::text, c.relname::text, 'sequence used' from pg_locks l join pg_class c on c.oid = l.relation and c.relkind = 'S' ` +
    `join pg_namespace n on n.oid = c.relnamespace where l.pid = pg_backend_pid() and l.mode = 'RowExclusiveLock' and l.locktype = 'relation'`,
  `select n.nspname::text, c.relname::text, 'made or changed by ' || c.xmin from pg_class c join pg_namespace n on n.oid = c.relnamespace ` +
    `where c.relkind in ('r', 'p', 'S', 'v', 'm') and n.nspname !~ '^pg_' and age(c.xmin) <= age(pg_current_xact_id()::xid)`,
].join(' union all ');

type Query = <Row>(sql: string, params: readonly unknown[]) => Promise<Row[]>;
