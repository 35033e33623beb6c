import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type * as streams from 'pg-copy-streams';
import { clientOf } from './server-status.js';

/** Writes one piece of what is read. The next one comes when it resolves. */
export type ChunkSink = (chunk: Buffer) => Promise<void> | void;

/**
 * A `copy … to stdout` as SQL for one connection of the ORM, whose bytes `sink` gets while the statement runs. Kysely has no such statement, so the SQL is
 * marked, and the connection hands it to its client of `pg`.
 */
export function copyOutSql(sql: string, sink: ChunkSink): string {
  return marked(sql, async client => {
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
export function copyInSql(sql: string, source: AsyncIterable<Buffer>): string {
  return marked(sql, async client => {
    const { from: copyFrom } = await copyStreams();
    await pipeline(Readable.from(source, { objectMode: false }), client.query(copyFrom(sql)));
  });
}

/** Runs the marked statement. Undefined for all others, and without a client of `pg`. */
export function runCopy<Row>(connection: object, sql: string): Promise<{ rows: Row[] }> | undefined {
  const id = sql.startsWith(MARK) ? sql.slice(MARK.length, MARK.length + ID_LENGTH) : '';
  const transfer = transfers.get(id);
  const client = transfer === undefined ? undefined : clientOf(connection);

  if (transfer === undefined || client === undefined) {
    return undefined;
  }

  transfers.delete(id);

  return transfer(client as CopyClient).then(() => ({ rows: [] }));
}

function marked(sql: string, transfer: (client: CopyClient) => Promise<void>): string {
  const id = randomUUID();
  transfers.set(id, transfer);

  return `${MARK}${id} */ ${sql}`;
}

// few processes copy anything
async function copyStreams(): Promise<Pick<typeof streams, 'from' | 'to'>> {
  return import('pg-copy-streams');
}

const MARK = '/* copy ';

const ID_LENGTH = randomUUID().length;

const transfers = new Map<string, (client: CopyClient) => Promise<void>>();

/** What is used of a client of `pg`. */
interface CopyClient {
  query<Stream>(stream: Stream): Stream;
}
