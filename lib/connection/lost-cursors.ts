/**
 * Lets the cursors of a client end with it. `pg-cursor` 2 passes over what happens to a connection after the last row, and closes by waiting
 * for an answer that a lost connection never gives: whoever reads such a stream of Kysely's would wait for ever, with the connection's
 * place in the pool.
 */
export function endCursorsWithClient(client: CursorClient): void {
  const query = client.query.bind(client);
  let hasEnded = false;
  client.once('end', () => {
    hasEnded = true;
  });

  const beforeEnd = <Result>(work: () => Promise<Result>, atEnd: () => Result): Promise<Result> =>
    new Promise((resolve, reject) => {
      const settle = (): void => {
        try {
          resolve(atEnd());
        } catch (error) {
          reject(error);
        }
      };

      if (hasEnded) {
        settle();
        return;
      }

      client.once('end', settle);
      work()
        .then(resolve, reject)
        .finally(() => client.off('end', settle));
    });

  client.query = (submitted, ...rest) => {
    if (isCursor(submitted)) {
      const read = submitted.read.bind(submitted);
      const close = submitted.close.bind(submitted);
      submitted.read = count => beforeEnd(() => read(count), failAsLost);
      submitted.close = () => beforeEnd(close, () => undefined);
    }

    return query(submitted, ...rest);
  };
}

// as `pg` says it of every other statement
function failAsLost(): never {
  throw new Error('Connection terminated unexpectedly');
}

function isCursor(submitted: unknown): submitted is Cursor {
  const { submit, read, close } = (submitted ?? {}) as Partial<Readonly<Record<'submit' | keyof Cursor, unknown>>>;

  return typeof submit === 'function' && typeof read === 'function' && typeof close === 'function';
}

interface Cursor {
  read(count: number): Promise<unknown>;
  close(): Promise<void>;
}

/** What is used of a client of `pg`. */
export interface CursorClient {
  query(submitted: unknown, ...rest: unknown[]): unknown;
  once(event: 'end', listener: () => void): unknown;
  off(event: 'end', listener: () => void): unknown;
  end(): Promise<void>;
}
