/**
 * Lets the cursors of a client end with it. Kysely closes the cursor of a stream whatever became of it, and `pg-cursor` 2 then waits for an
 * answer that a lost connection never gives: whoever reads the stream would wait for ever, with the connection's place in the pool.
 */
export function endCursorsWithClient(client: CursorClient): void {
  const query = client.query.bind(client);
  let hasEnded = false;
  client.once('end', () => {
    hasEnded = true;
  });

  client.query = (submitted, ...rest) => {
    if (isCursor(submitted)) {
      const close = submitted.close.bind(submitted);
      submitted.close = () => (hasEnded ? Promise.resolve() : closedOrEnded(close, client));
    }

    return query(submitted, ...rest);
  };
}

function closedOrEnded(close: () => Promise<void>, client: CursorClient): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once('end', resolve);
    close()
      .then(resolve, reject)
      .finally(() => client.off('end', resolve));
  });
}

function isCursor(submitted: unknown): submitted is { close(): Promise<void> } {
  const { submit, read, close } = (submitted ?? {}) as { readonly submit?: unknown; readonly read?: unknown; readonly close?: unknown };

  return typeof submit === 'function' && typeof read === 'function' && typeof close === 'function';
}

/** What is used of a client of `pg`. */
export interface CursorClient {
  query(submitted: unknown, ...rest: unknown[]): unknown;
  once(event: 'end', listener: () => void): unknown;
  off(event: 'end', listener: () => void): unknown;
  end(): Promise<void>;
}
