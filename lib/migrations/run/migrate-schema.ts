import type { Transaction } from '@mikro-orm/core';
import type { Migration } from '@mikro-orm/migrations';
import { MigrationError, TenantNodeUnavailableError } from '../../errors/index.js';
import { forLibrary } from '../../connection/statements/sql-target.js';
import { searchPathOf } from '../../postgres/schema-name.js';
import { tenantScope } from '../../scope/make-scope.js';
import { withScope, type Scope } from '../../scope/scope.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { refuseLocalTables } from '../../database/citus/local-tables.js';
import { History } from '../history/history.js';
import type { TenantMigration } from '../set/migration-set.js';
import { NewEnums } from './new-enums.js';
import { newMigration, refuseSessionStatement, textOf } from './new-migration.js';
import { Script, type Opening, type Way } from './script.js';
import { replacedIn } from './succession.js';

export interface SchemaRun {
  readonly schemaName: string;
  /** The tenant's row, or the data that is known. */
  readonly tenant?: unknown;
  readonly direction: 'up' | 'down';
  /** The migrations to run, in this order. */
  readonly planned: readonly TenantMigration[];
  /** The names in the history. Upwards, a migration that stands for some of them is not run. @default none */
  readonly executed?: readonly string[];
  /** The transaction for everything. The caller commits it. */
  readonly ctx: Transaction;
  /** Statements to send before the first migration, in the same message. */
  readonly before?: readonly string[];
  /** Expressions that are evaluated after the last statement, in the same message. Only for a schema that is new. */
  readonly after?: readonly string[];
  /** What is done before the first statement. */
  readonly opening?: Opening;
  /** Whether the history table is known to exist. */
  readonly hasHistory?: boolean;
  /** Whether the schema is new, so that its tables are empty and unused. */
  readonly isNew?: boolean;
  /** How statements are sent. @default 'message' */
  readonly way?: Way;
}

/**
 * Runs migrations in one schema, in the given transaction. The queued statements are sent in as few messages as possible. Before a migration
 * reads the database or uses the ORM, everything that was queued before it is sent.
 *
 * @throws MigrationError `MIGRATION_FAILED` with migration, statement and cause. The transaction then has to be rolled back.
 */
export function migrateSchema(database: TenantDatabase, run: SchemaRun): Promise<void> {
  return forLibrary(database.orm.config, () => migrate(database, run));
}

async function migrate(database: TenantDatabase, run: SchemaRun): Promise<void> {
  const { schemaName, direction, planned, ctx } = run;
  const scope = tenantScope(database.rules, schemaName, run.tenant);
  const history = new History(database, schemaName);
  const opening = run.opening && { ...run.opening, first: `${run.opening.first}, ${KEPT_PATH}` };
  const script = new Script(database, schemaName, { ctx, way: run.way ?? 'message', opening });

  if (opening === undefined) {
    script.add(`select ${KEPT_PATH}`);
  }

  run.before?.forEach(sql => script.add(sql));

  if (direction === 'up' && run.hasHistory !== true) {
    script.add(history.createTableSql());
  }

  const attempts = run.isNew === true ? await attemptAll(database, { scope, run }) : new Map<TenantMigration, Attempt>();
  const all = [...attempts].flatMap(([{ name }, attempt]) => textsOf(attempt).map(sql => ({ migration: name, sql })));
  const enums = new NewEnums(all);
  // nothing sees that they are not recorded before
  const recordsTogether =
    run.isNew === true && [...attempts.values()].every(isComplete) && !all.some(({ sql }) => MAY_LOOK.test(sql) || history.isNamedIn(sql));

  for (const migration of planned) {
    const replaced = direction === 'up' ? replacedIn(migration, run.executed ?? []) : [];

    if (replaced.length > 0) {
      history.replaceSql(replaced, migration.name).forEach(sql => script.add(sql));
      continue;
    }

    // set again for each migration, because the previous one may have changed it
    script.add(`set local search_path to ${searchPathOf(schemaName, ...database.options.searchPath)}`);

    const attempt = attempts.get(migration);

    try {
      if (attempt !== undefined && isComplete(attempt)) {
        textsOf(attempt).forEach(sql => addText(sql, { migration, script, run, enums }));
      } else {
        await withScope(scope, () => queueMigration(database, { migration, script, scope, run, enums, attempt }));
      }
    } catch (error) {
      throw error instanceof MigrationError || error instanceof TenantNodeUnavailableError || script.isOwnFailure(error)
        ? error
        : MigrationError.failed(migration.name, schemaName, error);
    }

    if (!recordsTogether) {
      script.add(direction === 'up' ? history.addSql(migration.name) : history.removeSql(migration.name));
    }
  }

  if (recordsTogether && planned.length > 0) {
    script.add(history.addSql(...planned.map(({ name }) => name)));
  }

  // a new tenant is created in the caller's transaction, which continues with its former path. Otherwise the transaction ends here, and the
  // path of the session is restored
  if (run.isNew !== true) {
    script.add(RESTORE_SESSION_PATH);
  } else {
    // outlives the transaction. Asked only where it may have happened, as it takes the server longer than others
    if ([...attempts.values()].some(maySetPath)) {
      script.add(RESTORE_DEFAULT_PATH);
    }

    script.add([RESTORE_PATH, ...(run.after ?? [])].join(', '));
  }

  await script.send();
  await refuseLocalTables(database, schemaName, { ctx });
}

/** The SQL that a migration queues in a tenant's scope, without using the database. It is incomplete if the migration reads the database. */
export async function queuedSql(
  database: TenantDatabase,
  migration: TenantMigration,
  direction: 'up' | 'down',
  schemaName: string,
): Promise<{ readonly sql: readonly string[]; readonly isComplete: boolean }> {
  const { instance, wasStopped } = newMigration(database, migration, {
    ctx: undefined,
    scope: undefined,
    mayUseDatabase: () => false,
    mayEndTransaction: !migration.transactional,
  });

  try {
    await withScope(tenantScope(database.rules, schemaName), async () => instance[direction]());
  } catch (error) {
    if (!wasStopped()) {
      throw error instanceof MigrationError ? error : MigrationError.failed(migration.name, schemaName, error);
    }
  }

  const sql = instance.getQueries().map(query => textOf(database, query));

  if (migration.transactional) {
    sql.forEach(each => refuseSessionStatement(each, migration.name));
  }

  return { sql, isComplete: !wasStopped() };
}

/**
 * Runs one migration in the tenant's scope, on a connection without a transaction. Does not set the path, and does not record the migration.
 * Calls `onStatement` before each statement is sent.
 */
export async function runOnConnection(
  database: TenantDatabase,
  migration: TenantMigration,
  {
    schemaName,
    direction,
    ctx,
    onStatement,
  }: Pick<SchemaRun, 'schemaName' | 'direction' | 'ctx'> & { readonly onStatement: (sql: string) => Promise<void> },
): Promise<void> {
  const scope = tenantScope(database.rules, schemaName);
  const { instance } = newMigration(database, migration, { ctx, scope, mayUseDatabase: () => true, mayEndTransaction: true, onStatement });
  await withScope(scope, async () => instance[direction]());

  for (const query of instance.getQueries()) {
    await onStatement(textOf(database, query));
    await database.orm.em.getDriver().execute(query, undefined, 'run', ctx);
  }
}

interface QueuedMigration {
  readonly migration: TenantMigration;
  readonly script: Script;
  readonly scope: Scope;
  readonly run: SchemaRun;
  readonly enums: NewEnums;
  /** Where it was run before, without the database. */
  readonly attempt: Attempt | undefined;
}

/** A migration that was run as far as it goes: to where it would use the database, or to an error of its own. */
interface Attempt {
  readonly instance: Migration;
  readonly wasStopped: boolean;
  /** An object, as a migration can fail with `undefined`. */
  readonly failure?: { readonly error: unknown };
}

async function queueMigration(database: TenantDatabase, queued: QueuedMigration): Promise<void> {
  const { script, run, migration } = queued;
  const attempt = queued.attempt ?? (await attemptOne(database, queued, () => script.isEmpty));
  let { instance } = attempt;

  if (attempt.failure !== undefined) {
    throw attempt.failure.error;
  }

  if (attempt.wasStopped) {
    // the migration uses the database, so everything queued before it is sent first. It runs again from the start: until now it only queued
    await script.send();
    instance = newMigration(database, migration, { ctx: run.ctx, scope: queued.scope, mayUseDatabase: () => true }).instance;
    await instance[run.direction]();
  }

  for (const query of instance.getQueries()) {
    if (typeof query === 'string') {
      addText(query, queued);
    } else {
      await script.send();
      await database.orm.em.getDriver().execute(query, undefined, 'run', run.ctx);
    }
  }
}

function addText(text: string, { migration, script, run, enums }: Omit<QueuedMigration, 'scope' | 'attempt'>): void {
  refuseSessionStatement(text, migration.name);
  const sql = enums.replace(migration.name, text);
  script.add(run.isNew === true ? withoutConcurrently(sql) : sql, migration.name);
}

/** All that the migrations of a new schema queue, before the first of them is sent. */
async function attemptAll(
  database: TenantDatabase,
  { scope, run }: Pick<QueuedMigration, 'scope' | 'run'>,
): Promise<Map<TenantMigration, Attempt>> {
  const attempts = new Map<TenantMigration, Attempt>();

  await withScope(scope, async () => {
    for (const migration of run.planned) {
      attempts.set(migration, await attemptOne(database, { migration, scope, run }, () => false));
    }
  });

  return attempts;
}

async function attemptOne(
  database: TenantDatabase,
  { migration, scope, run }: Pick<QueuedMigration, 'migration' | 'scope' | 'run'>,
  mayUseDatabase: () => boolean,
): Promise<Attempt> {
  const { instance, wasStopped } = newMigration(database, migration, { ctx: run.ctx, scope, mayUseDatabase });

  try {
    await instance[run.direction]();
  } catch (error) {
    return wasStopped() ? { instance, wasStopped: true } : { instance, wasStopped: false, failure: { error } };
  }

  return { instance, wasStopped: wasStopped() };
}

function textsOf({ instance }: Attempt): string[] {
  return instance.getQueries().filter(query => typeof query === 'string');
}

/** Whether all that it does is in its texts. */
function isComplete({ instance, wasStopped, failure }: Attempt): boolean {
  return !wasStopped && failure === undefined && instance.getQueries().every(query => typeof query === 'string');
}

function maySetPath(attempt: Attempt): boolean {
  return attempt.wasStopped || textsOf(attempt).some(sql => /set_config|search_path/i.test(sql));
}

// nobody else uses a new tenant, and its creation is one transaction, in which `concurrently` is not allowed
function withoutConcurrently(sql: string): string {
  return sql.replace(/^(\s*(?:create\s+(?:unique\s+)?index|drop\s+index))\s+concurrently\b/i, '$1');
}

/** SQL in which a function may run that reads the history, or in which its name may be written with escapes. Other changes of tables without rows run none. */
const MAY_LOOK = /\b(?:select|insert|merge|copy|values|do|call|execute|u&)|(?<!\bon\s+)\b(?:update|delete)\b/i;

/** Saves the path in a setting that is local to the transaction. PostgreSQL accepts any setting with a dot in its name. */
const KEPT_PATH = `set_config('landlord.search_path', current_setting('search_path'), true)`;

const RESTORE_PATH = `select set_config('search_path', current_setting('landlord.search_path'), true)`;

/** Resets a path that a migration has set for the session, where the caller had the one of the connection. */
const RESTORE_DEFAULT_PATH =
  `select set_config('search_path', reset_val, false) from pg_settings ` +
  `where name = 'search_path' and reset_val = current_setting('landlord.search_path')`;

/** Also resets a path that a migration has set for the session by `set_config`, as the first line of a dump does. */
export const RESTORE_SESSION_PATH = `select set_config('search_path', current_setting('landlord.search_path'), false)`;
