/**
 * Whether a node of Citus has ended its connection, or cannot be reached by the coordinator. The connection of the client is as it was. Told by the
 * SQLSTATE and by where in the server the error was raised, because the coordinator passes on the states of its nodes.
 */
export function isOfNode(error: unknown): boolean {
  return serverErrorIn(error, each => (AWAY.test(each.code ?? '') && isRemote(each)) || each.routine === LOST_IN_TRANSACTION) !== undefined;
}

/** Host and port of the node that an error is of. Undefined where the error does not name it. */
export function nodeOfError(error: unknown): string | undefined {
  const found = serverErrorIn(error, each => isRemote(each) || each.routine === LOST_IN_TRANSACTION);
  const [, node] = EXECUTING.exec(found?.where ?? '') ?? REMOTE_NODE.exec(found?.message ?? '') ?? [];

  return node;
}

/**
 * The names of shards in the message of an error that a node has raised. Such an error has neither the name of the schema, nor of the table, nor
 * of the constraint in fields of their own. In each language they stand in the same order, and with the number of the shard.
 */
export function shardNamesIn(error: unknown): readonly ShardName[] {
  const found = serverErrorIn(error, each => isRemote(each) && each.table === undefined && each.constraint === undefined);

  return found === undefined ? [] : [...found.message.matchAll(SHARD_NAME)].map(([, name = '', number = '']) => ({ name, shard: number }));
}

/** Whether a name in an error is this one. Citus shortens a name that would be too long with the number of the shard, and adds a hash. */
export function isNamed({ name }: ShardName, wanted: string): boolean {
  const [, shortened] = HASHED.exec(name) ?? [];

  return name === wanted || (shortened !== undefined && wanted.startsWith(shortened));
}

/** A name of a table or a constraint of a shard, and the number of the shard. */
export interface ShardName {
  readonly name: string;
  readonly shard: string;
}

function isRemote({ where = '', file = '' }: ServerError): boolean {
  return EXECUTING.test(where) || FILES.has(file);
}

function serverErrorIn(error: unknown, matches: (found: ServerError) => boolean): ServerError | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (isState(cause) && matches(cause)) {
      return cause;
    }
  }

  return undefined;
}

function isState(error: ServerError): boolean {
  return typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code);
}

/** What `pg` gives of an error of the server. */
interface ServerError extends Error {
  readonly code?: string;
  readonly where?: string;
  readonly file?: string;
  readonly routine?: string;
  readonly table?: string;
  readonly constraint?: string;
}

/** Classes 08 and 57P: a connection that failed, and a session that was ended. */
const AWAY = /^(08|57P)/;

// the context is not translated: Citus has its messages in English alone
const EXECUTING = /while executing command on (\S+:\d+)/;

const REMOTE_NODE = /[@ ]([\w.-]+:\d+)(?: failed|$)/;

/** Raised with an internal state where the connection to a node ends in a transaction that has written. */
const LOST_IN_TRANSACTION = 'MarkRemoteTransactionFailed';

/** The sources of Citus that talk to nodes. */
const FILES: ReadonlySet<string> = new Set(['remote_commands.c', 'connection_management.c', 'adaptive_executor.c']);

const SHARD_NAME = /["«„]([^"«»„“]+?)_(\d{6,})["»“]/g;

const HASHED = /^(.+)_[0-9a-f]{8}$/;
