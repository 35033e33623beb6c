import type { Transaction } from '@mikro-orm/core';
import { WANTS_COPIES, type Copies } from '../../connection/pool/copy.js';
import { WANTS_ROWS } from '../../connection/pool/server-status.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { LOCK_KEY } from '../../database/tenant-lock.js';
import { connectionWasLost, isUnreachable } from '../../postgres/sql-state.js';
import { CopiedHistories, copyingSql } from '../history/history-tables.js';
import { scriptFrom } from './script.js';
import type { TenantRun, TenantWork } from './tenant-run.js';
import { beginScript, FOUND, restoreSession, tenantScript, type FoundSession, type TenantScript } from './tenant-script.js';

/** What became of the tenants of one message. */
export interface SharedOutcome {
  readonly done: readonly TenantWork[];
  /** Another session has the tenant's lock. */
  readonly busy: readonly TenantWork[];
  /** To be migrated alone. */
  readonly alone: readonly TenantWork[];
  /** Those among them of which it is not known whether they were committed. The others were not touched. */
  readonly unanswered: readonly TenantWork[];
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
    return { done: [], busy: [], alone: works.filter(work => !left.includes(work)), unanswered: [], failed: undefined, left };
  }

  return database.onOneConnection(async ctx => {
    try {
      const outcome = await migrateParts(database, parts, { run, ctx });

      return { ...outcome, alone: [...alone, ...outcome.alone], left: [...outcome.left, ...left] };
    } catch (error) {
      // nobody may get the connection with the locks of tenants
      await database.closeAfterUse(ctx);
      throw error;
    }
  });
}

async function migrateParts(
  database: TenantDatabase,
  parts: readonly Part[],
  { run, ctx }: { readonly run: TenantRun; readonly ctx: Transaction },
): Promise<SharedOutcome> {
  const found = await lockAll(database, parts, { run, ctx }).catch((error: unknown) => {
    if (isUnreachable(error)) {
      throw error;
    }

    // a schema or a history has gone since it was read. Which one shows when each is migrated alone
    return undefined;
  });
  const of = (state: Found): Part[] => parts.filter((_, place) => (found?.states[place] ?? 'changed') === state);
  const [free, busy, changed] = [of('free'), of('busy'), of('changed')];
  const outcome = { done: [], busy: worksOf(busy), alone: worksOf(changed), unanswered: [], failed: undefined, left: [] };

  if (found === undefined || free.length === 0) {
    await unlock(database, parts, { ctx });

    return outcome;
  }

  const restore = restoreSession(database, found.session);

  try {
    await database.execute(messageOf(free, [...free, ...changed], restore), [], ctx);

    return { ...outcome, done: worksOf(free) };
  } catch (error) {
    // what was committed cannot be asked on this connection any more
    if (isUnreachable(error) || connectionWasLost(error)) {
      throw error;
    }

    await database.execute('rollback', [], ctx);
    const committed = await look(database, free, ctx);
    await unlock(database, parts, { ctx, restore });

    // a history that was there is gone or locked. Each finds out what is left to do when it is migrated alone
    if (committed === undefined) {
      return { ...outcome, alone: [...outcome.alone, ...worksOf(free)], unanswered: worksOf(free) };
    }

    const place = committed.indexOf(false);
    const failed = free[place];

    return failed === undefined
      ? { ...outcome, done: worksOf(free) }
      : {
          ...outcome,
          done: worksOf(free.slice(0, place)),
          failed: { work: failed.work, error },
          left: worksOf(free.slice(place + 1)),
        };
  }
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

    if (script?.keepsLocks !== true) {
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
): Promise<{ readonly states: readonly Found[]; readonly session: FoundSession } | undefined> {
  const locks = parts.map(({ lock }) => `pg_try_advisory_lock(${lock})`).join(', ');
  const schemas = parts.map(({ script }) => script.schemaNow).join(', ');

  try {
    // copied by statements after the lock, so that they see the changes of another run
    const histories = parts.map(({ work }) => copyingSql(database, work.schemaName));
    const begin = beginScript(`concat_ws(',', ${locks})`, settingsOf(parts));
    const message = `${WANTS_COPIES}${scriptFrom([...begin, ...histories, `select ${FOUND}, concat_ws(',', ${schemas}) as schemas`, 'commit'])}`;
    const [answer] = await database.execute<Partial<Copies>>(message, [], ctx);
    const session = answer?.row as (FoundSession & { readonly schemas: string }) | undefined;
    run.onSession(session?.session);

    if (session === undefined || answer?.copies?.length !== parts.length) {
      return undefined;
    }

    const locked = session.locked.split(',');
    const schemasNow = session.schemas.split(',');
    const found = new CopiedHistories();
    const isAsPlanned = answer.copies.map((copied, place) => {
      const { schemaOid = schemasNow[place], executed } = parts[place]?.work ?? {};

      return schemasNow[place] === schemaOid && found.executedIn(copied) === executed;
    });

    return {
      states: parts.map((_, place) => (locked[place] !== 't' ? 'busy' : isAsPlanned[place] === true ? 'free' : 'changed')),
      session,
    };
  } catch (error) {
    if (!isUnreachable(error)) {
      await database.execute('rollback', [], ctx);
      await unlock(database, parts, { ctx });
    }

    throw error;
  }
}

/** They wait for locks no longer than a tenant does, and are known as the first of them. */
function settingsOf([first]: readonly Part[]): readonly string[] {
  return first?.script.settings ?? [];
}

/** Which of them have their migrations. Undefined if that cannot be told. */
async function look(database: TenantDatabase, parts: readonly Part[], ctx: Transaction): Promise<boolean[] | undefined> {
  try {
    // as text, because a client may have parsers of its own
    const recorded = `concat_ws(',', ${parts.map(({ script }) => script.recorded).join(', ')})`;
    const begin = ['begin isolation level read committed', ...settingsOf(parts)];
    const message = `${WANTS_ROWS}${scriptFrom([...begin, `select ${recorded} as recorded`, 'commit'])}`;
    const [row] = await database.execute<{ readonly recorded: string }>(message, [], ctx);

    return row?.recorded.split(',').map(each => each === 't');
  } catch (error) {
    if (isUnreachable(error)) {
      throw error;
    }

    await database.execute('rollback', [], ctx);

    return undefined;
  }
}

/** All that are locked are unlocked at the end: a statement more for each tenant would cost more than the others wait for it. */
function messageOf(free: readonly Part[], locked: readonly Part[], restore: string): string {
  return scriptFrom([
    ...free.flatMap(({ script }) => ['begin isolation level read committed', ...script.settings, ...script.statements, 'commit']),
    `select ${locked.map(({ lock }) => `pg_advisory_unlock(${lock})`).join(', ')}, ${restore}`,
  ]);
}

/** Releases those of the locks that this session has. PostgreSQL would write a warning into its log for the others. */
async function unlock(
  database: TenantDatabase,
  parts: readonly Part[],
  { ctx, restore }: { readonly ctx: Transaction; readonly restore?: string },
): Promise<void> {
  await database.execute(
    `${restore === undefined ? '' : `select ${restore};\n`}select pg_advisory_unlock(key) from (select (classid::bigint << 32) | objid::bigint as key from pg_locks ` +
      `where locktype = 'advisory' and objsubid = 1 and pid = pg_backend_pid() and granted offset 0) as held where key in (${parts.map(({ lock }) => lock).join(', ')})`,
    [],
    ctx,
  );
}

function worksOf(parts: readonly Part[]): TenantWork[] {
  return parts.map(({ work }) => work);
}

/** The length of a message to which no further tenant is added, in characters. */
const LONGEST_MESSAGE = 1_000_000;
