import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type * as streams from 'pg-copy-streams';
import { clientOf } from './server-status.js';

/** Writes one piece of what is read. The next one comes when it resolves. */
export type ChunkSink = (chunk: Buffer) => Promise<void> | void;

/**
 * Has `run` send a `copy … to stdout` on one connection of the ORM. `sink` gets its bytes while it runs. Kysely has no such statement, so the SQL that `run` is
 * given is marked, and the connection hands it to its client of `pg`.
 */
export function copyOut<Result>(sql: string, sink: ChunkSink, run: (marked: string) => Promise<Result>): Promise<Result> {
  return withTransfer(sql, run, async client => {
    const { to: copyTo } = await copyStreams();
    const stream = client.query(copyTo(sql));
    let failure: { readonly error: unknown } | undefined;

    for await (const chunk of stream) {
      try {
        await (failure === undefined ? sink(chunk as Buffer) : undefined);
      } catch (error) {
        // the server goes on sending, and the connection is needed for the rollback
        failure = { error };
      }
    }

    if (failure !== undefined) {
      throw failure.error;
    }
  });
}

/** A `copy … from stdin` in the same way, whose bytes come from `source`. */
export function copyIn<Result>(sql: string, source: AsyncIterable<Buffer>, run: (marked: string) => Promise<Result>): Promise<Result> {
  return withTransfer(sql, run, async client => {
    const { from: copyFrom } = await copyStreams();
    await pipeline(Readable.from(source, { objectMode: false }), client.query(copyFrom(sql)));
  });
}

/** Begins a message with several `copy … to stdout`, whose few rows are wanted. To PostgreSQL it is a comment, and nobody else's SQL begins with it. */
export const WANTS_COPIES = `/* copies ${randomUUID()} */ `;

/** What a message with `copy … to stdout` has answered. */
export interface Copies {
  /** The rows of each `copy`, as its text format has them. */
  readonly copies: readonly string[];
  /** The row of its last `select`. */
  readonly row: unknown;
}

/**
 * Runs what is marked by `copyOut` or `copyIn`, and messages that begin with `WANTS_COPIES`: those answer with one row of `Copies`, or with none and unsent
 * where the client does not tell of what is copied. Undefined for all others.
 */
export function runCopy<Row>(connection: object, sql: string): Promise<{ rows: Row[] }> | undefined {
  if (sql.startsWith(WANTS_COPIES)) {
    return runCopies<Row>(clientOf(connection), sql);
  }

  const transfer = sql.startsWith(MARK) ? transfers.get(sql.slice(MARK.length, MARK.length + ID_LENGTH)) : undefined;

  if (transfer === undefined) {
    return undefined;
  }

  const client = clientOf(connection);

  return client === undefined ? undefined : transfer(client as CopyClient).then(() => ({ rows: [] }));
}

/**
 * PostgreSQL copies a table without planning a query and without opening its indexes, which takes a third of the time where a table is read whole and there
 * are many.
 *
 * Relies on the `connection` of a client, which emits what is copied. Nobody else listens to that.
 */
async function runCopies<Row>(client: CopyingClient | undefined, sql: string): Promise<{ rows: Row[] }> {
  const wire = client?.connection;

  if (client?.query === undefined || typeof wire?.on !== 'function') {
    return { rows: [] };
  }

  const lines: string[] = [];
  // the memory of a chunk is used again by the next one
  const listen = ({ chunk }: { readonly chunk: Buffer }): void => void lines.push(chunk.toString());
  wire.on('copyData', listen);

  try {
    return { rows: [copiesIn([await client.query(sql)].flat(), lines) as Row] };
  } finally {
    wire.off('copyData', listen);
  }
}

function copiesIn(results: readonly StatementResult[], lines: readonly string[]): Copies {
  const copies: string[] = [];
  let from = 0;

  for (const { command, rowCount } of results) {
    if (command === 'COPY') {
      const to = from + (rowCount ?? 0);
      copies.push(lines.slice(from, to).join(''));
      from = to;
    }
  }

  return { copies, row: results.findLast(({ command }) => command === 'SELECT')?.rows[0] };
}

/** The transfer is known as long as the statement runs, also where it never comes to a connection. */
async function withTransfer<Result>(
  sql: string,
  run: (marked: string) => Promise<Result>,
  transfer: (client: CopyClient) => Promise<void>,
): Promise<Result> {
  const id = randomUUID();
  transfers.set(id, transfer);

  try {
    return await run(`${MARK}${id} */ ${sql}`);
  } finally {
    transfers.delete(id);
  }
}

// few processes copy anything
async function copyStreams(): Promise<Pick<typeof streams, 'from' | 'to'>> {
  return import('pg-copy-streams');
}

const MARK = '/* copy ';

const ID_LENGTH = randomUUID().length;

/** Those whose statements run. */
const transfers = new Map<string, (client: CopyClient) => Promise<void>>();

/** What is used of a client of `pg`. */
interface CopyClient {
  query<Stream>(stream: Stream): Stream;
}

interface CopyingClient {
  readonly connection?: {
    on?(event: 'copyData', listener: (message: { readonly chunk: Buffer }) => void): unknown;
    off(event: 'copyData', listener: (message: { readonly chunk: Buffer }) => void): unknown;
  };
  query?(sql: string): Promise<StatementResult | readonly StatementResult[]>;
}

interface StatementResult {
  readonly command: string;
  readonly rowCount?: number | null;
  readonly rows: readonly unknown[];
}
