/**
 * Ends the cursors of a client when the client ends. `pg-cursor` 2 ignores the loss of a connection after the last row, and its `close()` waits
 * for an answer that never comes. A reader of such a Kysely stream would wait forever, and its connection would never return to the pool.
 */
export function endCursorsWithClient(client: CursorClient): void {
  const query = client.query.bind(client);
  let hasEnded = false;
  client.once('end', () => {
    hasEnded = true;
  });

  const untilEnd = <Result>(work: () => Promise<Result>, resultAtEnd: () => Result): Promise<Result> =>
    new Promise((resolve, reject) => {
      const settleAtEnd = (): void => {
        try {
          resolve(resultAtEnd());
        } catch (error) {
          reject(error);
        }
      };

      if (hasEnded) {
        settleAtEnd();
        return;
      }

      client.once('end', settleAtEnd);
      work()
        .then(resolve, reject)
        .finally(() => client.off('end', settleAtEnd));
    });

  // named arguments, as every statement comes here
  client.query = (submitted, values, callback) => {
    if (typeof submitted !== 'string' && isCursor(submitted)) {
      const read = submitted.read.bind(submitted);
      const close = submitted.close.bind(submitted);
      submitted.read = count => untilEnd(() => read(count), failAsLost);
      submitted.close = () => untilEnd(close, () => undefined);
    }

    return query(submitted, values, callback);
  };
}

// the message of `pg` for every other statement
function failAsLost(): never {
  throw new Error('Connection terminated unexpectedly');
}

function isCursor(submitted: unknown): submitted is Cursor {
  if (typeof submitted !== 'object' || submitted === null) {
    return false;
  }

  const { submit, read, close } = submitted as Partial<Readonly<Record<'submit' | keyof Cursor, unknown>>>;

  return typeof submit === 'function' && typeof read === 'function' && typeof close === 'function';
}

interface Cursor {
  read(count: number): Promise<unknown>;
  close(): Promise<void>;
}

/** The parts of a `pg` client that are used here. */
export interface CursorClient {
  query(submitted: unknown, values?: unknown, callback?: unknown): unknown;
  once(event: 'end', listener: () => void): unknown;
  off(event: 'end', listener: () => void): unknown;
  end(): Promise<void>;
}
