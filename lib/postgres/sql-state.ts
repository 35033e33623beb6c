import { isOfNode } from './citus-errors.js';

/** Whether the error, or an error that caused it, has one of these SQLSTATEs. */
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

/** Whether the statement itself was wrong: data exceptions (class 22), and syntax errors or access violations (class 42). */
export function isOfDataOrSyntax(error: unknown): boolean {
  return /^(22|42)/.test(sqlStateOf(error) ?? '');
}

/** Whether the server cannot do it: a feature that is not supported (class 0A), or an error for which an extension has no state (class XX). */
export function isNotSupported(error: unknown): boolean {
  return /^(0A|XX)/.test(sqlStateOf(error) ?? '');
}

/** Whether a retry may succeed at once: a deadlock or a serialization failure. */
export function isConflict(error: unknown): boolean {
  return hasSqlState(error, CONFLICT);
}

/** Whether PostgreSQL has ended a transaction because it and another one waited for each other. */
export function isDeadlock(error: unknown): boolean {
  return hasSqlState(error, [DEADLOCK]);
}

/** Whether a lock was not had in time. */
export function isLockTimeout(error: unknown): boolean {
  return hasSqlState(error, [LOCK_NOT_AVAILABLE]);
}

/** Whether the server has no connection left. */
export function hasNoConnectionLeft(error: unknown): boolean {
  return hasSqlState(error, [TOO_MANY_CONNECTIONS]);
}

/** Whether the connection is lost, so that it cannot be used any more. That of a node of Citus is not the client's. */
export function connectionWasLost(error: unknown): boolean {
  if (isOfNode(error)) {
    return false;
  }

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
export function isUnreachable(error: unknown): boolean {
  return (
    !isOfNode(error) &&
    !hasSqlState(error, TRANSACTION_TIMED_OUT) &&
    (connectionWasLost(error) || hasSqlState(error, [TOO_MANY_CONNECTIONS]) || hasNodeCode(error, UNREACHABLE) || failedToConnect(error))
  );
}

/** Whether the server let nobody in: a wrong password, or a database that is not there. */
export function wasNotLetIn(error: unknown): boolean {
  return /^(28|3D)/.test(sqlStateOf(error) ?? '');
}

/** Whether a table or its schema does not exist. */
export function lacksTable(error: unknown): boolean {
  return hasSqlState(error, ['42P01', '3F000']);
}

// with any error code, such as ENOENT for the socket file of a server
function failedToConnect(error: unknown): boolean {
  return error instanceof Error && ((error as { readonly syscall?: unknown }).syscall === 'connect' || failedToConnect(error.cause));
}

/** Whether the database could not be reached, or did not answer in time: a statement was cancelled, or did not get a lock. */
export function hasNotAnswered(error: unknown): boolean {
  return isUnreachable(error) || hasSqlState(error, TIMED_OUT) || hasSqlState(error, TRANSACTION_TIMED_OUT);
}

/** Stores the error of a failed rollback on the error that caused the rollback, as its `rollbackError`. */
export function attachRollbackError(error: unknown, rollbackError: unknown): void {
  if (error instanceof Error && Object.isExtensible(error)) {
    Object.defineProperty(error, 'rollbackError', { value: rollbackError, configurable: true });
  }
}

function hasNodeCode(error: unknown, { codes, messages }: typeof LOST): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { readonly code?: unknown };

    // `pg` throws errors without a code if a socket closed or timed out
    if (codes.includes(String(code)) || messages.includes(cause.message)) {
      return true;
    }
  }

  return false;
}

const LOCK_NOT_AVAILABLE = '55P03';

/** Query canceled, as by `statement_timeout`; lock not available. */
const TIMED_OUT = ['57014', LOCK_NOT_AVAILABLE] as const;

/** Idle in transaction, and a transaction, for longer than the server's setting allows. The server ends the session for what was done in it. */
const TRANSACTION_TIMED_OUT = ['25P03', '25P04'] as const;

const PROTOCOL_VIOLATION = '08P01';

const TOO_MANY_CONNECTIONS = '53300';

const DEADLOCK = '40P01';

/** Deadlock detected, serialization failure. */
const CONFLICT = [DEADLOCK, '40001'] as const;

/** Class 08 (PgBouncer uses 08P01 for all its own errors), and those of classes 57 and 25 that end a session: shutdowns and time-outs. */
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
