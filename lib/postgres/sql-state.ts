/** Whether the error, or one it was caused by, is of PostgreSQL with one of these SQLSTATEs. */
export function hasSqlState(error: unknown, states: readonly string[]): boolean {
  const state = sqlStateOf(error);

  return state !== undefined && states.includes(state);
}

/** The SQLSTATE of the error or of the nearest error that caused it: five characters, for example `42P06`. */
export function sqlStateOf(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { readonly code?: unknown };

    if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) {
      return code;
    }
  }

  return undefined;
}

/** Whether the statement itself was wrong, by a value in it or by its words: classes 22 and 42. */
export function isOfDataOrSyntax(error: unknown): boolean {
  return /^(22|42)/.test(sqlStateOf(error) ?? '');
}

/** Whether the same work may succeed when it is tried again: it met somebody else, or the server went away for a moment. */
export function isWorthRetrying(error: unknown): boolean {
  return hasSqlState(error, PASSING) || connectionWasLost(error);
}

/** Whether the connection is gone, so that nothing more can be said on it. */
export function connectionWasLost(error: unknown): boolean {
  if (hasSqlState(error, CONNECTION_LOST) || hasNodeCode(error, LOST)) {
    return true;
  }

  const { rollbackError } = (error ?? {}) as { readonly rollbackError?: unknown };

  return rollbackError !== undefined && connectionWasLost(rollbackError);
}

/** Whether a pooler that gives each statement another connection has refused a transaction. PgBouncer says it in words alone. */
export function refusesTransactions(error: unknown): boolean {
  return hasSqlState(error, [PROTOCOL_VIOLATION]) && /statement pooling/i.test((error as Error).message);
}

/** Whether the database could not be asked at all, so that the error says nothing of what was asked. */
function isUnreachable(error: unknown): boolean {
  return (
    connectionWasLost(error) || hasSqlState(error, [TOO_MANY_CONNECTIONS]) || hasNodeCode(error, UNREACHABLE) || failedToConnect(error)
  );
}

// for any reason, such as a server's own socket that is not there
function failedToConnect(error: unknown): boolean {
  return error instanceof Error && ((error as { readonly syscall?: unknown }).syscall === 'connect' || failedToConnect(error.cause));
}

/** Whether the database could not be asked, or has not found the time to answer: a statement was cancelled, or waited for a lock in vain. */
export function hasNotAnswered(error: unknown): boolean {
  return isUnreachable(error) || hasSqlState(error, NOT_IN_TIME);
}

/** Keeps what went wrong in rolling back with the error that it was rolled back for, as its `rollbackError`. */
export function attachRollbackError(error: unknown, rollbackError: unknown): void {
  if (error instanceof Error && Object.isExtensible(error)) {
    Object.defineProperty(error, 'rollbackError', { value: rollbackError, configurable: true });
  }
}

function hasNodeCode(error: unknown, { codes, messages }: typeof LOST): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { readonly code?: unknown };

    // what `pg` throws for a socket that closed, or that it waited for in vain, has no code at all
    if (codes.includes(String(code)) || messages.includes(cause.message)) {
      return true;
    }
  }

  return false;
}

/** Query canceled, as by `statement_timeout`; lock not available. */
const NOT_IN_TIME = ['57014', '55P03'] as const;

const PROTOCOL_VIOLATION = '08P01';

const TOO_MANY_CONNECTIONS = '53300';

/** Lock not available, deadlock detected, serialization failure, too many connections. */
const PASSING = ['55P03', '40P01', '40001', TOO_MANY_CONNECTIONS] as const;

/** Class 08 (PgBouncer says 08P01 of all its own), the shutdowns and time-outs that end a session of class 57 and of class 25. */
const CONNECTION_LOST = '08000 08001 08003 08004 08006 08P01 57P01 57P02 57P03 57P04 57P05 25P03 25P04'.split(' ');

const LOST: { readonly codes: readonly string[]; readonly messages: readonly string[] } = {
  codes: ['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT'],
  messages: [
    'Connection terminated',
    'Connection terminated unexpectedly',
    'Client has encountered a connection error and is not queryable',
    'Client was closed and is not queryable',
  ],
};

const UNREACHABLE: typeof LOST = {
  codes: ['EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN', 'ENOTFOUND', 'EAI_AGAIN', 'ECONNABORTED'],
  messages: [
    'timeout exceeded when trying to connect',
    'timeout expired',
    'Connection terminated due to connection timeout',
    'Query read timeout',
  ],
};
