import { randomUUID } from 'node:crypto';
import { clientOf } from './server-status.js';

/** Begins a message for `copiesOfScript`. To PostgreSQL it is a comment, and nobody else's SQL begins with it. */
export const WANTS_COPIES = `/* copies ${randomUUID()} */ `;

/** What a message with `copy … to stdout` has answered. */
export interface Copies {
  /** The rows of each `copy`, with their columns as text. */
  readonly copies: readonly (readonly (readonly (string | null)[])[])[];
  /** The row of its last `select`. */
  readonly row: unknown;
}

/**
 * Sends a message of several statements that is marked with `WANTS_COPIES`, and answers with one row of `Copies`. PostgreSQL copies a table without
 * planning a query and without opening its indexes, which takes a third of the time where a table is read whole and there are many. Undefined if the
 * message is not marked. Without a row, and not sent, if the client does not tell of what is copied.
 *
 * Relies on the `connection` of a client, which emits what is copied. Nobody else listens to that.
 */
export function copiesOfScript<Row>(connection: object, sql: string): Promise<{ rows: Row[] }> | undefined {
  if (!sql.startsWith(WANTS_COPIES)) {
    return undefined;
  }

  const client: CopyingClient | undefined = clientOf(connection);
  const wire = client?.connection;

  if (client?.query === undefined || typeof wire?.on !== 'function') {
    return Promise.resolve({ rows: [] });
  }

  const lines: string[] = [];
  // the memory of a chunk is used again by the next one
  const listen = ({ chunk }: { readonly chunk: Buffer }): void => void lines.push(chunk.toString());
  wire.on('copyData', listen);

  return client
    .query(sql)
    .then(result => ({ rows: [copiesIn([result].flat(), lines) as Row] }))
    .finally(() => wire.off('copyData', listen));
}

function copiesIn(results: readonly StatementResult[], lines: readonly string[]): Copies {
  const copies: (string | null)[][][] = [];
  let from = 0;

  for (const { command, rowCount } of results) {
    if (command === 'COPY') {
      const to = from + (rowCount ?? 0);
      copies.push(lines.slice(from, to).map(columnsOf));
      from = to;
    }
  }

  return { copies, row: results.findLast(({ command }) => command === 'SELECT')?.rows[0] };
}

/** https://www.postgresql.org/docs/current/sql-copy.html, "Text Format" */
function columnsOf(line: string): (string | null)[] {
  return line
    .slice(0, -1)
    .split('\t')
    .map(column => (column === String.raw`\N` ? null : column.includes('\\') ? column.replace(ESCAPED, unescape) : column));
}

function unescape(_escaped: string, character: string): string {
  return CONTROLS[character] ?? character;
}

const ESCAPED = /\\(.)/gs;

const CONTROLS: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

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
