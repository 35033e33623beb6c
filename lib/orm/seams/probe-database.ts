import { EventEmitter } from 'node:events';

/**
 * A database that is not there. It is given to the installed MikroORM in the place of a client of `pg` or of a PGlite, remembers what it is
 * sent, and answers with no rows. The pool, Kysely and MikroORM's connection above it are the real ones.
 */
export class ProbeDatabase {
  readonly #sent: string[] = [];
  readonly #answers: { readonly pattern: RegExp; readonly answer: Answer }[] = [];

  /** What `driverOptions` has to be for either driver; each takes its own part. */
  readonly driverOptions: object;

  constructor() {
    const run = (sql: string): Promise<Result> => this.#run(sql);

    this.driverOptions = {
      Client: class extends ProbeClient {
        protected override run(sql: string): Promise<Result> {
          return run(sql);
        }
      },
      idleTimeoutMillis: 0,
      pglite: () => probePglite(run),
    };
  }

  /** Answers the next statement that matches, and no other. */
  answer(pattern: RegExp, answer: Answer): void {
    this.#answers.push({ pattern, answer });
  }

  /** What was sent since the last call, with its parameters. */
  take(): string[] {
    return this.#sent.splice(0);
  }

  async #run(sql: string): Promise<Result> {
    this.#sent.push(sql);
    const index = this.#answers.findIndex(({ pattern }) => pattern.test(sql));
    const [found] = this.#answers.splice(index, index === -1 ? 0 : 1);

    if (found?.answer instanceof Error) {
      throw found.answer;
    }

    const rows = found?.answer ?? [];

    return { rows, rowCount: rows.length, affectedRows: rows.length, command: sql.split(' ', 1)[0]?.toUpperCase() ?? '' };
  }
}

export type Answer = readonly Readonly<Record<string, unknown>>[] | Error;

interface Result {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly rowCount: number;
  readonly affectedRows: number;
  readonly command: string;
}

/** What the pool and Kysely use of a client of `pg`. */
export abstract class ProbeClient extends EventEmitter {
  /** The last that was submitted. */
  static cursor: object | undefined;

  static status: string | null = null;

  readonly _queryable = true;
  _ending = false;

  protected abstract run(sql: string): Promise<Result>;

  connect(done: (error: null, client: ProbeClient) => void): void {
    queueMicrotask(() => done(null, this));
  }

  query(submitted: string | object, values: readonly unknown[] = []): unknown {
    if (typeof submitted !== 'string') {
      // a cursor: the connection is lost under it
      ProbeClient.cursor = submitted;
      queueMicrotask(() => this.emit('end'));
      void this.run(String((submitted as { readonly text?: string }).text));

      return submitted;
    }

    return this.run(fillIn(submitted, values));
  }

  end(done?: () => void): Promise<void> {
    this._ending = true;
    done?.();

    return Promise.resolve();
  }

  /** What the server says of a transaction. */
  getTransactionStatus(): string | null {
    return ProbeClient.status;
  }

  ref(): void {}

  unref(): void {}
}

/** What the connection of the PGlite driver uses of a PGlite. */
function probePglite(run: (sql: string) => Promise<Result>): object {
  const query = (sql: string, values: readonly unknown[] = []): Promise<Result> => run(fillIn(sql, values));
  const exec = async (sql: string): Promise<Result[]> => [await run(sql)];

  return {
    ready: true,
    closed: false,
    waitReady: Promise.resolve(),
    query,
    exec,
    close: async () => undefined,
    transaction: async (fn: (transaction: object) => Promise<unknown>) => {
      await run('begin');

      try {
        const result = await fn({ query, exec });
        await run('commit');

        return result;
      } catch (error) {
        await run('rollback');
        throw error;
      }
    },
  };
}

function fillIn(sql: string, values: readonly unknown[]): string {
  return values.reduce<string>((text, value, index) => text.replace(`$${index + 1}`, `'${String(value)}'`), sql);
}
