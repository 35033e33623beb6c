import type { Transaction } from '@mikro-orm/core';
import { WANTS_ROWS } from '../../connection/server-status.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { LOCK_KEY } from '../../database/tenant-lock.js';
import { connectionWasLost, isUnreachable } from '../../postgres/sql-state.js';
import { SERVER_SESSION } from './commits.js';
import { scriptFrom } from './script.js';
import type { TenantRun, TenantWork } from './tenant-run.js';
import { tenantScript, type TenantScript } from './tenant-script.js';

/** What became of the tenants of one message. */
export interface SharedOutcome {
  readonly done: readonly TenantWork[];
  /** Another session has the tenant's lock. */
  readonly busy: readonly TenantWork[];
  /** Not touched: to be migrated alone. */
  readonly alone: readonly TenantWork[];
  /** The tenant at which the message ended. It was rolled back. */
  readonly failed: { readonly work: TenantWork; readonly error: unknown } | undefined;
  /** Not touched: to be sent again. */
  readonly left: readonly TenantWork[];
}

/**
 * Migrates several tenants upwards in two messages: the first takes their locks and looks whether another run has applied these migrations, the
 * second has a transaction for each tenant. It ends at the first failure, and the histories then tell which tenants were committed. The locks are
 * of the session, so the connection must be one session, see `keepsSession`.
 *
 * @throws the error if the connection is lost. What was committed is then not known.
 */
export async function migrateInSharedMessage(
  database: TenantDatabase,
  works: readonly TenantWork[],
  run: TenantRun,
): Promise<SharedOutcome> {
  const { parts, alone, left } = await partsOf(database, works, run);

  // not worth a message
  if (parts.length < 2) {
    return { done: [], busy: [], alone: works.filter(work => !left.includes(work)), failed: undefined, left };
  }

  return database.onOneConnection(async ctx => {
    const found = await lockAll(database, parts, { run, ctx }).catch((error: unknown) => {
      if (isUnreachable(error)) {
        throw error;
      }

      // a schema or a history has gone since it was read. Which one shows when each is migrated alone
      return undefined;
    });
    const of = (state: Found): Part[] => parts.filter((_, place) => (found?.[place] ?? 'changed') === state);
    const [free, busy, changed] = [of('free'), of('busy'), of('changed')];
    const outcome = { busy: worksOf(busy), alone: [...alone, ...worksOf(changed)], left };

    if (free.length === 0) {
      await unlock(database, parts, ctx);

      return { ...outcome, done: [], failed: undefined };
    }

    try {
      await database.execute(messageOf(free, [...free, ...changed]), [], ctx);

      return { ...outcome, done: worksOf(free), failed: undefined };
    } catch (error) {
      // what was committed cannot be asked on this connection any more
      if (isUnreachable(error) || connectionWasLost(error)) {
        throw error;
      }

      await database.execute('rollback', [], ctx);
      const committed = await look(database, free, ctx);
      await unlock(database, parts, ctx);

      // a history that was there is gone or locked. Each finds out what is left to do when it is migrated alone
      if (committed === undefined) {
        return { ...outcome, alone: [...outcome.alone, ...worksOf(free)], done: [], failed: undefined };
      }

      const place = committed.indexOf(false);
      const failed = free[place];

      return {
        ...outcome,
        done: worksOf(failed === undefined ? free : free.slice(0, place)),
        failed: failed === undefined ? undefined : { work: failed.work, error },
        left: [...worksOf(failed === undefined ? [] : free.slice(place + 1)), ...left],
      };
    }
  });
}

interface Part {
  readonly work: TenantWork;
  readonly script: TenantScript;
  /** The key of the tenant's lock. */
  readonly lock: string;
}

type Found = 'free' | 'busy' | 'changed';

async function partsOf(
  database: TenantDatabase,
  works: readonly TenantWork[],
  run: TenantRun,
): Promise<{ parts: Part[]; alone: TenantWork[]; left: TenantWork[] }> {
  const parts: Part[] = [];
  const alone: TenantWork[] = [];
  let size = 0;

  for (const [place, work] of works.entries()) {
    if (size > LONGEST_MESSAGE) {
      return { parts, alone, left: works.slice(place) };
    }

    // it throws again when the tenant is migrated alone, and is reported then
    const script = await tenantScript(database, work, run).catch(() => undefined);

    if (script === undefined) {
      alone.push(work);
    } else {
      size += script.statements.reduce((sum, sql) => sum + sql.length, 0);
      parts.push({ work, script, lock: database.orm.em.getPlatform().formatQuery(LOCK_KEY, [work.schemaName]) });
    }
  }

  return { parts, alone, left: [] };
}

/** Tries to take all locks, then looks at the histories in a statement of its own, which sees the changes of another run. */
async function lockAll(
  database: TenantDatabase,
  parts: readonly Part[],
  { run, ctx }: { readonly run: TenantRun; readonly ctx: Transaction },
): Promise<Found[] | undefined> {
  const locks = parts.map(({ lock }) => `pg_try_advisory_lock(${lock})`).join(', ');

  try {
    const [row] = await database.execute<FoundRow>(
      reading(parts, [
        `select set_config('landlord.locked', concat_ws(',', ${locks}), true)`,
        `select current_setting('landlord.locked') as locked, ${changesOf(parts)} as changed, ${SERVER_SESSION} as session`,
      ]),
      [],
      ctx,
    );
    run.onSession(row?.session);
    const locked = row?.locked.split(',');
    const changed = row?.changed.split(',');

    return locked?.map((isLocked, place) => (isLocked !== 't' ? 'busy' : changed?.[place] === 't' ? 'changed' : 'free'));
  } catch (error) {
    if (!isUnreachable(error)) {
      await database.execute('rollback', [], ctx);
      await unlock(database, parts, ctx);
    }

    throw error;
  }
}

/** A message whose last `select` is wanted. It waits for locks no longer than a tenant does, and is known as the first of them. */
function reading([first]: readonly Part[], selects: readonly string[]): string {
  return `${WANTS_ROWS}${scriptFrom(['begin isolation level read committed', ...(first?.script.settings ?? []), ...selects, 'commit'])}`;
}

/** Which of them have their migrations. Undefined if that cannot be told. */
async function look(database: TenantDatabase, parts: readonly Part[], ctx: Transaction): Promise<boolean[] | undefined> {
  try {
    const [row] = await database.execute<Pick<FoundRow, 'changed'>>(reading(parts, [`select ${changesOf(parts)} as changed`]), [], ctx);

    return row?.changed.split(',').map(changed => changed === 't');
  } catch (error) {
    if (isUnreachable(error)) {
      throw error;
    }

    await database.execute('rollback', [], ctx);

    return undefined;
  }
}

// as text, because a client may have parsers of its own
function changesOf(parts: readonly Part[]): string {
  return `concat_ws(',', ${parts.map(({ script }) => script.changed).join(', ')})`;
}

/** All that are locked are unlocked at the end: a statement more for each tenant would cost more than the others wait for it. */
function messageOf(free: readonly Part[], locked: readonly Part[]): string {
  return scriptFrom([
    ...free.flatMap(({ script }) => ['begin isolation level read committed', ...script.settings, ...script.statements, 'commit']),
    `select ${locked.map(({ lock }) => `pg_advisory_unlock(${lock})`).join(', ')}`,
  ]);
}

/** Releases those of the locks that this session has. PostgreSQL would write a warning into its log for the others. */
async function unlock(database: TenantDatabase, parts: readonly Part[], ctx: Transaction): Promise<void> {
  await database.execute(
    `select pg_advisory_unlock(key) from (select (classid::bigint << 32) | objid::bigint as key from pg_locks ` +
      `where locktype = 'advisory' and objsubid = 1 and pid = pg_backend_pid() and granted offset 0) as held where key in (${parts.map(({ lock }) => lock).join(', ')})`,
    [],
    ctx,
  );
}

function worksOf(parts: readonly Part[]): TenantWork[] {
  return parts.map(({ work }) => work);
}

interface FoundRow {
  readonly locked: string;
  readonly changed: string;
  readonly session: string | null;
}

/** The length of a message to which no further tenant is added, in characters. */
const LONGEST_MESSAGE = 1_000_000;
