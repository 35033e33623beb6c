import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { MoveError } from '../../errors/index.js';
import { quoteIdentifier, searchPathOf } from '../../postgres/schema-name.js';
import { made } from '../clone/rows.js';
import { quiet, runAll, setPositions } from './extract-steps.js';
import { planExtract, type ExtractPlan, type ExtractSelection, type ExtractTable } from './extract-plan.js';

/** What was moved, or would be. */
export interface ExtractReport {
  readonly schemaName: string;
  readonly tables: readonly { readonly table: string; readonly rows: number }[];
  /** Why nothing can be moved. Empty after a move. */
  readonly refused: readonly string[];
}

export interface Extraction {
  readonly schemaName: string;
  readonly selection: ExtractSelection;
  /** Whether the rows stay in the public tables too. */
  readonly keep: boolean;
  readonly ctx: Transaction;
  readonly onTable?: ((table: string, done: number, total: number) => void) | undefined;
}

/**
 * Moves rows of public tables into the tables of the same names in a tenant's schema, compares both by number and checksum, and only then deletes them. Does
 * not commit.
 *
 * Returns without moving anything where `refused` says why.
 *
 * @throws MoveError `EXTRACT_REFUSED` if the copy is not equal, or the tenant's tables have rows.
 */
export async function extractRows(database: TenantDatabase, extraction: Extraction): Promise<ExtractReport> {
  const { schemaName, selection, ctx } = extraction;
  await prepare(database, schemaName, ctx);
  const plan = await planExtract(database, { schemaName, selection }, ctx);
  const { tables } = plan;
  await lock(database, tables, ctx);
  const across = await rowsAcross(database, plan, ctx);
  const refused = [...plan.refused, ...across];
  const counts = new Map<string, Digest>();

  for (const table of tables) {
    counts.set(table.name, await digestOf(database, table, { in: 'from' }, ctx));
  }

  // what is there from another time, and is equal, is not copied again
  const copied = await tablesThatHaveAll(
    database,
    tables.filter(({ isWhole }) => isWhole || extraction.keep),
    { counts, ctx },
  );
  const report = {
    schemaName,
    tables: tables.map(table => ({ table: table.name, rows: copied.includes(table) ? 0 : (counts.get(table.name)?.rows ?? 0) })),
    refused,
  };

  if (refused.length > 0 || report.tables.every(({ rows }) => rows === 0)) {
    return report;
  }

  await refuseFilled(database, extraction, { tables: tables.filter(table => !copied.includes(table)), counts });
  const restore = await quiet(database, { schemaName, tables }, ctx);

  for (const [index, table] of tables.entries()) {
    await (copied.includes(table) ? undefined : copy(database, table, ctx));
    extraction.onTable?.(table.name, index + 1, tables.length);
  }

  await database.execute('set constraints all immediate', [], ctx);
  await runAll(database, restore, ctx);

  for (const table of tables) {
    const found = await digestOf(database, table, { in: 'to' }, ctx);
    const expected = counts.get(table.name);

    if (found.rows !== expected?.rows || found.checksum !== expected.checksum) {
      throw MoveError.extract(
        schemaName,
        `the copy of table ${table.name} was not equal: ${expected?.rows} rows became ${found.rows}, or their values changed`,
      );
    }
  }

  await setPositions(database, { schemaName, tables, areAllRows: selection.column === undefined }, ctx);

  // triggers of the public tables look up their names as they do otherwise
  await runAll(database, ['set local search_path to default', 'set local row_security to default'], ctx);

  if (!extraction.keep) {
    await remove(database, { schemaName, tables, counts }, ctx);
  }

  return report;
}

async function prepare(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<void> {
  // texts of values are compared and read again
  await runAll(
    database,
    [
      // what generated columns and constraints call is looked up in the tenant
      `set local search_path to ${searchPathOf(schemaName)}`,
      'set local row_security to off',
      'set local datestyle to iso',
      'set local intervalstyle to postgres',
      'set local extra_float_digits to 1',
    ],
    ctx,
  );
}

/** Nobody writes in the tables until the end, and everybody may read. */
async function lock(database: TenantDatabase, tables: readonly ExtractTable[], ctx: Transaction): Promise<void> {
  if (tables.length > 0) {
    await database.execute(made(`lock table ${tables.map(({ from }) => from).join(', ')} in share row exclusive mode`), [], ctx);
  }
}

/** Rows that are moved and refer to rows that stay, and the other way round. */
async function rowsAcross(database: TenantDatabase, { tables, keys }: ExtractPlan, ctx: Transaction): Promise<string[]> {
  const byName = new Map(tables.map(table => [table.name, table]));
  const found: string[] = [];

  for (const { name, table, columns, target, targetColumns } of keys) {
    const [from, to] = [byName.get(table), byName.get(target)];

    if (from === undefined || to === undefined || (from.condition === 'true' && to.condition === 'true')) {
      continue;
    }

    const equal = columns
      .map((column, index) => `r.${quoteIdentifier(column)} = w.${quoteIdentifier(targetColumns[index] ?? '')}`)
      .join(' and ');
    const isMoved = (alias: string, { condition }: ExtractTable): string => `exists (select from (select ${alias}.*) t where ${condition})`;
    // a row that every tenant gets may be referred to by all, and may refer to nobody's
    const crosses = to.isWhole
      ? 'false'
      : from.isWhole
        ? 'true'
        : `coalesce(${isMoved('r', from)}, false) <> coalesce(${isMoved('w', to)}, false)`;
    const [row] = await database.execute<{ rows: number }>(
      made(`select count(*)::int as rows from ${from.from} r join ${to.from} w on ${equal} where ${crosses}`),
      [],
      ctx,
    );

    if ((row?.rows ?? 0) > 0) {
      found.push(`${row?.rows} rows of ${table} refer by ${name} to rows of ${target} that are not the same customer's`);
    }
  }

  return found;
}

/** The tables of which the tenant has all rows already. */
async function tablesThatHaveAll(
  database: TenantDatabase,
  tables: readonly ExtractTable[],
  { counts, ctx }: { readonly counts: ReadonlyMap<string, Digest>; readonly ctx: Transaction },
): Promise<ExtractTable[]> {
  const found: ExtractTable[] = [];

  for (const table of tables) {
    const { rows, checksum } = await digestOf(database, table, { in: 'to' }, ctx);

    if (rows > 0 && rows === counts.get(table.name)?.rows && checksum === counts.get(table.name)?.checksum) {
      found.push(table);
    }
  }

  return found;
}

async function refuseFilled(
  database: TenantDatabase,
  { schemaName, ctx }: Extraction,
  { tables, counts }: { readonly tables: readonly ExtractTable[]; readonly counts: ReadonlyMap<string, Digest> },
): Promise<void> {
  const filled: string[] = [];

  for (const { name, to } of tables) {
    const [row] = await database.execute<{ filled: boolean }>(made(`select exists (select from ${to}) as filled`), [], ctx);

    if (row?.filled === true && (counts.get(name)?.rows ?? 0) > 0) {
      filled.push(`table ${name} has rows`);
    }
  }

  if (filled.length > 0) {
    throw MoveError.extract(schemaName, `the tenant has rows of its own already: ${filled.join(', ')}`, filled);
  }
}

async function copy(database: TenantDatabase, { from, to, columns, condition }: ExtractTable, ctx: Transaction): Promise<void> {
  const names = columns.map(({ name }) => quoteIdentifier(name)).join(', ');
  const values = columns
    .map(({ name, type, isSameType }) => (isSameType ? `t.${quoteIdentifier(name)}` : `t.${quoteIdentifier(name)}::text::${type}`))
    .join(', ');
  await database.execute(
    made(`insert into ${to} (${names}) overriding system value select ${values} from ${from} t where ${condition}`),
    [],
    ctx,
  );
}

async function digestOf(
  database: TenantDatabase,
  table: ExtractTable,
  { in: where }: { readonly in: 'from' | 'to' },
  ctx: Transaction,
): Promise<Digest> {
  const row = table.columns.map(({ name }) => `t.${quoteIdentifier(name)}::text`).join(', ');
  const condition = where === 'from' ? ` where ${table.condition}` : '';
  const [found] = await database.execute<{ rows: number; checksum: string }>(
    made(
      `select count(*)::int as rows, coalesce(sum(hashtextextended(row(${row})::text, 0)::numeric), 0)::text as checksum from ${table[where]} t${condition}`,
    ),
    [],
    ctx,
  );

  return { rows: found?.rows ?? 0, checksum: found?.checksum ?? '' };
}

async function remove(
  database: TenantDatabase,
  {
    schemaName,
    tables,
    counts,
  }: { readonly schemaName: string; readonly tables: readonly ExtractTable[]; readonly counts: ReadonlyMap<string, Digest> },
  ctx: Transaction,
): Promise<void> {
  const removed = tables.filter(({ isWhole }) => !isWhole);

  if (removed.length === 0) {
    return;
  }

  // one statement: each condition looks at other tables as they were, and foreign keys are looked at when all of it is gone
  const parts = removed.map(({ from, condition }, index) => `d${index} as (delete from ${from} t where ${condition} returning 1)`);
  const numbers = removed.map((_, index) => `(select count(*) from d${index})::int as d${index}`);
  const [row] = await database.execute<Record<string, number>>(made(`with ${parts.join(', ')} select ${numbers.join(', ')}`), [], ctx);

  for (const [index, { name }] of removed.entries()) {
    const [deleted, expected] = [row?.[`d${index}`], counts.get(name)?.rows];

    if (deleted !== expected) {
      throw MoveError.extract(
        schemaName,
        `${deleted} rows of ${name} would be deleted instead of ${expected}; a trigger of the public table may keep some`,
      );
    }
  }
}

interface Digest {
  readonly rows: number;
  readonly checksum: string;
}
