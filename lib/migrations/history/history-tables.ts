import type { Transaction } from '@mikro-orm/core';
import { WANTS_COPIES, type Copies } from '../../connection/copy.js';
import { SCHEMA_COMMENT } from '../../database/owned-schemas.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { quoteIdentifier, quoteTable } from '../../postgres/schema-name.js';
import { historyTableName } from '../set/migration-set.js';

/** What the catalog says of a schema, and the rows of its history. */
export interface FoundHistory {
  readonly schema: FoundSchema;
  /** Oldest first. Empty without a history, and where it may not be read. */
  readonly rows: readonly HistoryRow[];
}

export interface FoundSchema {
  readonly name: string;
  readonly oid: string;
  readonly has_history: boolean;
  /** Whether it has tables. Only asked of a schema without a history. */
  readonly has_tables: boolean;
  /** Whether the library has created it. Only asked of a schema without a history. */
  readonly is_owned: boolean;
  /** Whether `copy` can read the history. */
  readonly is_plain: boolean;
  readonly may_read: boolean;
  readonly role: string;
}

export interface HistoryRow {
  readonly id: number;
  readonly name: string;
  readonly executed_at?: Date | string;
}

interface Reading {
  readonly schemaNames: readonly string[];
  readonly lockTimeoutMs: number;
}

/** Reads the histories of these schemas in two statements. A schema that does not exist is left out. */
export async function readHistoryTables(
  database: TenantDatabase,
  { schemaNames, lockTimeoutMs, withDates }: Reading & { readonly withDates: boolean },
): Promise<FoundHistory[]> {
  return database.inTransaction(async ctx => {
    await database.execute(`set local lock_timeout to ${lockTimeoutMs}`, [], ctx);

    return readHistoriesIn(database, { schemaNames, withDates }, ctx);
  });
}

/** The same in a transaction that is open. */
export async function readHistoriesIn(
  database: TenantDatabase,
  { schemaNames, withDates }: Pick<Reading, 'schemaNames'> & { readonly withDates: boolean },
  ctx: Transaction,
): Promise<FoundHistory[]> {
  const schemas = await findSchemas(database, schemaNames, ctx);
  const rows = await selectAll(database, schemas.filter(mayBeRead), { withDates, ctx });

  return schemas.map(schema => ({ schema, rows: rows.get(schema.name) ?? [] }));
}

/** The same without dates, and as messages of several statements. They copy the tables, so there has to be a pool of `pg`, and the database has to take scripts. */
export async function copyHistoryTables(database: TenantDatabase, { schemaNames, lockTimeoutMs }: Reading): Promise<FoundHistory[]> {
  return database.onOneConnection(async ctx => {
    try {
      const { roles } = database.options;
      const begin = ['begin', `set local lock_timeout to ${lockTimeoutMs}`];
      // the guard sets no role on a connection of its own
      await database.execute(
        [...begin, ...(roles?.ddl === undefined ? [] : [`set local role ${quoteIdentifier(roles.ddl)}`])].join(';\n'),
        [],
        ctx,
      );
      const schemas = await findSchemas(database, schemaNames, ctx);
      const readable = schemas.filter(mayBeRead);
      const [answer] = await database.execute<Copies>(copyingAll(database, readable), [], ctx);
      const rows =
        answer === undefined
          ? await selectAll(database, readable, { withDates: false, ctx })
          : new Map(readable.map(({ name }, place) => [name, historyRows(answer.copies[place] ?? [])]));
      await (answer === undefined ? database.execute('commit', [], ctx) : undefined);

      return schemas.map(schema => ({ schema, rows: rows.get(schema.name) ?? [] }));
    } catch (error) {
      // on a lost connection the transaction is gone too
      await database.execute('rollback', [], ctx).catch(() => undefined);
      throw error;
    }
  });
}

/** A statement that copies the history of a schema, and the rows of what it has copied. */
export function copyingSql(database: TenantDatabase, schemaName: string): string {
  return `copy ${quoteTable(schemaName, historyTableName(database))} (id, name) to stdout`;
}

export function historyRows(copied: Copies['copies'][number]): HistoryRow[] {
  return copied.map(([id, name]) => ({ id: Number(id), name: name ?? '' })).toSorted((a, b) => a.id - b.id);
}

function copyingAll(database: TenantDatabase, schemas: readonly FoundSchema[]): string {
  const copies = schemas.map(({ name, is_plain: isPlain }) =>
    isPlain ? copyingSql(database, name) : `copy (select id, name from ${quoteTable(name, historyTableName(database))}) to stdout`,
  );

  return `${WANTS_COPIES}${[...copies, 'commit'].join(';\n')}`;
}

/** Reads the histories of these schemas in one statement. */
async function selectAll(
  database: TenantDatabase,
  schemas: readonly FoundSchema[],
  { withDates, ctx }: { readonly withDates: boolean; readonly ctx: Transaction },
): Promise<Map<string, HistoryRow[]>> {
  const histories = new Map<string, HistoryRow[]>();

  if (schemas.length === 0) {
    return histories;
  }

  // plain rows: with aggregation and sorting on the server, planning so many sub-queries takes three times as long. A position identifies
  // the schema, because a name would have to be quoted as a value
  const columns = withDates ? 'id, name, executed_at' : 'id, name';
  const tableName = historyTableName(database);
  const selects = schemas.map(({ name }, position) => `select ${position} as position, ${columns} from ${quoteTable(name, tableName)}`);
  const rows = await database.execute<HistoryRow & { readonly position: number }>(selects.join(' union all '), [], ctx);

  for (const row of rows.toSorted((a, b) => a.id - b.id)) {
    const schemaName = schemas[row.position]?.name ?? '';
    const history = histories.get(schemaName) ?? [];
    history.push(row);
    histories.set(schemaName, history);
  }

  return histories;
}

function mayBeRead({ has_history: hasHistory, may_read: mayRead }: FoundSchema): boolean {
  return hasHistory && mayRead;
}

// by name, so that the cost does not grow with the number of schemas in the database. Without `offset 0`, PostgreSQL would read the entries of all
// history tables for each batch. What needs a look elsewhere in the catalog is only asked where it matters
function findSchemas(database: TenantDatabase, schemaNames: readonly string[], ctx: Transaction): Promise<FoundSchema[]> {
  return database.execute(
    `select n.nspname as name, n.oid::text as oid, c.oid is not null as has_history, current_user::text as role, ` +
      `has_schema_privilege(n.oid, 'usage') and coalesce(has_table_privilege(c.oid, 'select'), true) as may_read, c.is_plain, ` +
      `case when c.oid is null then exists (select from pg_class t where t.relnamespace = n.oid and t.relkind in ('r', 'p')) else false end as has_tables, ` +
      `case when c.oid is null then obj_description(n.oid, 'pg_namespace') is not distinct from ? else true end as is_owned from pg_namespace n ` +
      `left join lateral (select oid, relkind = 'r' as is_plain from pg_class where relnamespace = n.oid and relname = ? and relkind in ('r', 'p') offset 0) c on true ` +
      `where n.nspname in (?)`,
    [SCHEMA_COMMENT, historyTableName(database), [...schemaNames]],
    ctx,
  );
}
