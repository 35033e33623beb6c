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

  const calledAtEnd = (work: (callback: Callback) => unknown, callback: Callback, errorAtEnd: () => Error | undefined): void => {
    let isCalled = false;
    const callOnce: Callback = (...answer) => {
      if (!isCalled) {
        isCalled = true;
        client.off('end', endCall);
        callback(...answer);
      }
    };
    const endCall = (): void => callOnce(errorAtEnd());

    if (hasEnded) {
      // as `pg` does, never before the call returns
      setImmediate(endCall);
    } else {
      client.once('end', endCall);
      work(callOnce);
    }
  };

  // named arguments, as every statement comes here
  client.query = (submitted, values, callback) => {
    if (typeof submitted !== 'string' && isCursor(submitted)) {
      const read = submitted.read.bind(submitted);
      const close = submitted.close.bind(submitted);
      submitted.read = (count, called?: Callback) =>
        called === undefined ? untilEnd(() => read(count), failAsLost) : calledAtEnd(done => read(count, done), called, lostError);
      submitted.close = (called?: Callback) =>
        called === undefined ? untilEnd(() => close(), nothing) : calledAtEnd(done => close(done), called, nothing);
    }

    return query(submitted, values, callback);
  };
}

function failAsLost(): never {
  throw lostError();
}

// the message of `pg` for every other statement
function lostError(): Error {
  return new Error('Connection terminated unexpectedly');
}

function nothing(): undefined {}

function isCursor(submitted: unknown): submitted is Cursor {
  if (typeof submitted !== 'object' || submitted === null) {
    return false;
  }

  const { submit, read, close } = submitted as Partial<Readonly<Record<'submit' | keyof Cursor, unknown>>>;

  return typeof submit === 'function' && typeof read === 'function' && typeof close === 'function';
}

/** With a callback they return nothing. */
interface Cursor {
  read(count: number, callback?: Callback): any;
  close(callback?: Callback): any;
}

type Callback = (error?: Error | null, ...answer: unknown[]) => void;

/** The parts of a `pg` client that are used here. */
export interface CursorClient {
  query(submitted: unknown, values?: unknown, callback?: unknown): unknown;
  once(event: 'end', listener: () => void): unknown;
  off(event: 'end', listener: () => void): unknown;
  end(): Promise<void>;
}
