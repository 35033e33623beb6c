import type { Transaction } from '@mikro-orm/core';
import { WANTS_COPIES, type Copies } from '../../connection/pool/copy.js';
import { WANTS_ROWS } from '../../connection/pool/server-status.js';
import { SCHEMA_COMMENT } from '../../database/owned-schemas.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { decodeRows } from '../../postgres/copy-text.js';
import { quoteIdentifier, quoteTable } from '../../postgres/schema-name.js';
import { historyTableName } from '../set/migration-set.js';

/** What the catalog says of a schema, and its history. */
export interface FoundHistory {
  readonly schema: FoundSchema;
  /** See `SchemaHistory`. Empty without a history, and where it may not be read. */
  readonly executed: string;
  /** See `SchemaHistory`. */
  readonly executedAt: readonly Date[];
}

export interface FoundSchema {
  readonly name: string;
  readonly oid: string;
  readonly state: SchemaState;
}

interface SchemaState {
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

interface HistoryRow {
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
  const schemas = schemasIn(await database.execute<SchemaRow>(SCHEMAS, schemaParams(database, schemaNames), ctx));
  const histories = await selectAll(database, schemas.filter(mayBeRead), { withDates, ctx });

  return schemas.map(schema => ({ schema, ...(histories.get(schema.name) ?? NO_HISTORY) }));
}

/** The same without dates, and as messages of several statements. They copy the tables, so there has to be a pool of `pg`, and the database has to take scripts. */
export async function copyHistoryTables(database: TenantDatabase, { schemaNames, lockTimeoutMs }: Reading): Promise<FoundHistory[]> {
  return database.onOneConnection(async ctx => {
    try {
      const { roles } = database.options;
      const params = schemaParams(database, schemaNames);
      // the guard sets no role on a connection of its own
      const role = roles?.ddl === undefined ? [] : [`set local role ${quoteIdentifier(roles.ddl).replaceAll('?', ESCAPED_MARK)}`];
      const begin = ['begin', `set local lock_timeout to ${lockTimeoutMs}`, ...role, SCHEMAS].join(';\n');
      // in one message, or in two where the client gives no rows of several statements
      const found = await database.execute<SchemaRow>(`${WANTS_ROWS}${begin}`, params, ctx);
      const schemas = schemasIn(found.length > 0 ? found : await database.execute<SchemaRow>(SCHEMAS, params, ctx));
      const readable = schemas.filter(mayBeRead);
      const [answer] = await database.execute<Copies>(copyingAll(database, readable), [], ctx);
      const histories = answer === undefined ? await selectAll(database, readable, { withDates: false, ctx }) : copiedOf(readable, answer);
      await (answer === undefined ? database.execute('commit', [], ctx) : undefined);

      return schemas.map(schema => ({ schema, ...(histories.get(schema.name) ?? NO_HISTORY) }));
    } catch (error) {
      // on a lost connection the transaction is gone too
      await database.execute('rollback', [], ctx).catch(() => undefined);
      throw error;
    }
  });
}

/** A statement that copies the history of a schema. */
export function copyingSql(database: TenantDatabase, schemaName: string): string {
  return `copy ${quoteTable(schemaName, historyTableName(database))} (id, name) to stdout`;
}

/** Histories of what `copyingSql` has copied. Most tenants have the same, which is read and stored only once. */
export class CopiedHistories {
  readonly #known = new Map<string, string>();

  executedIn(copied: string): string {
    let executed = this.#known.get(copied);

    if (executed === undefined) {
      executed = executedIn(decodeRows(copied).map(([id, name]) => ({ id: Number(id), name: name ?? '' })));
      this.#known.set(copied, executed);
    }

    return executed;
  }
}

function executedIn(rows: readonly HistoryRow[]): string {
  return inOrder(rows)
    .map(({ name }) => name)
    .join('\n');
}

function inOrder(rows: readonly HistoryRow[]): HistoryRow[] {
  return rows.toSorted((a, b) => a.id - b.id);
}

function copiedOf(schemas: readonly FoundSchema[], { copies }: Copies): Map<string, ReadHistory> {
  const histories = new CopiedHistories();

  return new Map(schemas.map(({ name }, place) => [name, { executed: histories.executedIn(copies[place] ?? ''), executedAt: [] }]));
}

function copyingAll(database: TenantDatabase, schemas: readonly FoundSchema[]): string {
  const copies = schemas.map(({ name, state }) =>
    state.is_plain ? copyingSql(database, name) : `copy (select id, name from ${quoteTable(name, historyTableName(database))}) to stdout`,
  );

  return `${WANTS_COPIES}${[...copies, 'commit'].join(';\n')}`;
}

/** Reads the histories of these schemas in one statement. */
async function selectAll(
  database: TenantDatabase,
  schemas: readonly FoundSchema[],
  { withDates, ctx }: { readonly withDates: boolean; readonly ctx: Transaction },
): Promise<Map<string, ReadHistory>> {
  if (schemas.length === 0) {
    return new Map();
  }

  // plain rows: with aggregation and sorting on the server, planning so many sub-queries takes three times as long. A position identifies
  // the schema, because a name would have to be quoted as a value
  const columns = withDates ? 'id, name, executed_at' : 'id, name';
  const tableName = historyTableName(database);
  const selects = schemas.map(({ name }, position) => `select ${position} as position, ${columns} from ${quoteTable(name, tableName)}`);
  const all = await database.execute<HistoryRow & { readonly position: number }>(selects.join(' union all '), [], ctx);
  const rows = schemas.map((): HistoryRow[] => []);
  all.forEach(row => rows[row.position]?.push(row));

  return new Map(
    schemas.map(({ name }, position) => {
      const own = inOrder(rows[position] ?? []);

      return [name, { executed: executedIn(own), executedAt: withDates ? own.map(row => new Date(row.executed_at ?? 0)) : [] }];
    }),
  );
}

function mayBeRead({ state }: FoundSchema): boolean {
  return state.has_history && state.may_read;
}

// by name, so that the cost does not grow with the number of schemas in the database. Without `offset 0`, PostgreSQL would read the entries of all
// history tables for each batch. What needs a look elsewhere in the catalog is only asked where it matters, and what is as usual is not told of: a
// run over many tenants that has nothing to do costs little more than this
const SCHEMAS =
  `select n.nspname as name, n.oid::text as oid, ` +
  `case when c.is_plain and has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select') then null else json_build_object(` +
  `'has_history', c.oid is not null, 'role', current_user::text, ` +
  `'may_read', has_schema_privilege(n.oid, 'usage') and coalesce(has_table_privilege(c.oid, 'select'), true), 'is_plain', coalesce(c.is_plain, false), ` +
  `'has_tables', case when c.oid is null then exists (select from pg_class t where t.relnamespace = n.oid and t.relkind in ('r', 'p')) else false end, ` +
  `'is_owned', case when c.oid is null then obj_description(n.oid, 'pg_namespace') is not distinct from ? else true end)::text end as state from pg_namespace n ` +
  `left join lateral (select oid, relkind = 'r' as is_plain from pg_class where relnamespace = n.oid and relname = ? and relkind in ('r', 'p') offset 0) c on true ` +
  `where n.nspname in (?)`;

function schemaParams(database: TenantDatabase, schemaNames: readonly string[]): readonly unknown[] {
  return [SCHEMA_COMMENT, historyTableName(database), [...schemaNames]];
}

function schemasIn(rows: readonly SchemaRow[]): FoundSchema[] {
  return rows.map(({ name, oid, state }) => ({ name, oid, state: state === null ? USUAL : (JSON.parse(state) as SchemaState) }));
}

interface SchemaRow extends Pick<FoundSchema, 'name' | 'oid'> {
  /** What is known of it as JSON. Null where it has a history that can be read. */
  readonly state: string | null;
}

/** A question mark, where MikroORM would put a value. */
const ESCAPED_MARK = '\\?';

type ReadHistory = Omit<FoundHistory, 'schema'>;

const NO_HISTORY: ReadHistory = { executed: '', executedAt: [] };

const USUAL: SchemaState = { has_history: true, has_tables: false, is_owned: true, is_plain: true, may_read: true, role: '' };
