import type { Transaction } from '@mikro-orm/core';
import { readPlacements } from '../../database/citus/placements.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { MoveError } from '../../errors/index.js';
import { quoteTable } from '../../postgres/schema-name.js';
import { quoteLiteral } from '../../postgres/quote-literal.js';
import { jsonRows, made } from '../clone/rows.js';
import type { ExtractTable } from './extract-plan.js';

/** No trigger of the user's runs for rows that are only moved, and foreign keys are looked at in the end. Returns what puts both back. */
export async function quiet(
  database: TenantDatabase,
  { schemaName, tables }: { readonly schemaName: string; readonly tables: readonly ExtractTable[] },
  ctx: Transaction,
): Promise<string[]> {
  const rows = await jsonRows<{ table: string; trigger: string | null; state: 'O' | 'A' | 'R'; constraint: string | null }>(
    database,
    `select c.relname as table, quote_ident(t.tgname) as trigger, t.tgenabled as state, null as constraint from pg_trigger t join pg_class c on c.oid = t.tgrelid
      where c.relnamespace = ${quoteLiteral(schemaName)}::regnamespace and not t.tgisinternal and t.tgenabled <> 'D' and t.tgparentid = 0
    union all
    select c.relname, null, 'O', quote_ident(k.conname) from pg_constraint k join pg_class c on c.oid = k.conrelid
      where c.relnamespace = ${quoteLiteral(schemaName)}::regnamespace and k.contype = 'f' and not k.condeferrable and k.conparentid = 0`,
    ctx,
  );
  const ours = rows.filter(({ table }) => tables.some(({ name }) => name === table));

  if ((await database.engine.citus(ctx)) !== undefined && (await readPlacements(database, [schemaName], ctx)).has(schemaName)) {
    const triggers = ours.flatMap(({ table, trigger }) => (trigger === null ? [] : [`${trigger} of ${table}`]));

    // a foreign key of a sharded table cannot be deferred, nor a trigger be disabled. Each table comes after those that it refers to
    if (triggers.length > 0) {
      throw MoveError.extract(
        schemaName,
        `its tables are on a node of Citus, where triggers cannot be disabled: ${triggers.join(', ')}. Drop them for the move, or give the tenant its rows with \`citus: { shardTenants: false }\`, and distribute it then`,
        triggers,
      );
    }

    return [];
  }

  const alter = ({ table }: { readonly table: string }): string => `alter table ${quoteTable(schemaName, table)}`;
  await runAll(
    database,
    ours.map(row =>
      row.trigger === null
        ? `${alter(row)} alter constraint ${row.constraint} deferrable initially deferred`
        : `${alter(row)} disable trigger ${row.trigger}`,
    ),
    ctx,
  );
  await database.execute('set constraints all deferred', [], ctx);

  return ours.map(row =>
    row.trigger === null
      ? `${alter(row)} alter constraint ${row.constraint} not deferrable`
      : `${alter(row)} ${ENABLE[row.state]} trigger ${row.trigger}`,
  );
}

/** The next row gets a number that no row has. Where all rows are one tenant's, it is the one that the public table would have given. */
export async function setPositions(
  database: TenantDatabase,
  {
    schemaName,
    tables,
    areAllRows,
  }: { readonly schemaName: string; readonly tables: readonly ExtractTable[]; readonly areAllRows: boolean },
  ctx: Transaction,
): Promise<void> {
  const sequences = await jsonRows<{ table: string; column: string; sequence: string; public: string | null }>(
    database,
    `select c.relname as table, quote_ident(a.attname) as column, d.objid::regclass::text as sequence,
      pg_get_serial_sequence(quote_ident(${quoteLiteral(database.publicSchema)}) || '.' || quote_ident(c.relname), a.attname) as public
    from pg_class c join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid and d.classid = 'pg_class'::regclass and d.deptype in ('a', 'i')
    join pg_class s on s.oid = d.objid and s.relkind = 'S' join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid
    where c.relnamespace = ${quoteLiteral(schemaName)}::regnamespace
      and exists (select from pg_class p join pg_attribute b on b.attrelid = p.oid and b.attname = a.attname and not b.attisdropped
        where p.relnamespace = ${quoteLiteral(database.publicSchema)}::regnamespace and p.relname = c.relname)`,
    ctx,
  );

  for (const { table, column, sequence, public: former } of sequences) {
    const target = tables.find(({ name }) => name === table);

    if (target !== undefined) {
      const own = `select max(${column})::bigint as last from ${target.to}`;
      const kept = former === null || !areAllRows ? '' : ` union all select case when is_called then last_value end from ${former}`;
      // two statements: beside a sharded table, Citus would set the sequence of its node
      const [row] = await database.execute<{ last: string | null }>(
        made(`select max(last)::text as last from (${own}${kept}) every`),
        [],
        ctx,
      );

      if (row?.last != null) {
        await database.execute(made(`select setval(${quoteLiteral(sequence)}, ${BigInt(row.last)})`), [], ctx);
      }
    }
  }
}

export async function runAll(database: TenantDatabase, statements: readonly string[], ctx: Transaction): Promise<void> {
  for (const sql of statements) {
    await database.execute(made(sql), [], ctx);
  }
}

const ENABLE = { O: 'enable', A: 'enable always', R: 'enable replica' } as const;
