import { connect, createServer, type Socket } from 'node:net';
import { splitStatements } from '../../../dist/postgres/transaction-statements.js';
import { listenInFrontOf } from './listen.ts';

/** What a client sends before it waits for an answer. */
export interface ClientRequest {
  /** The statements of a simple message, or the one of an extended batch. An `execute` of what was parsed before has none of its own. */
  readonly statements: readonly string[];
  /** At which of its statements the server can refuse it. The number of statements stands for the end, where what was done without a transaction is committed. */
  readonly places: number;
}

/** An error of the server in the place of one statement, after those before it in the message were done. */
export interface Refusal {
  readonly place: number;
  readonly sqlState: string;
}

/** The connection is lost: before the request reaches the server, or before its answer reaches the client. */
export type Loss = 'lost before' | 'lost after';

/** A proxy between a client and a server, controlled by a spec, that has the server itself refuse what was sent. The caller must close it. */
export interface RefusingProxy {
  /** The URL, through the proxy. */
  readonly url: string;
  /** Called for each request, in order. A promise holds the request back. */
  decide: ((request: ClientRequest) => Fate | Promise<Fate>) | undefined;
  close(): Promise<void>;
}

type Fate = Refusal | Loss | undefined;

export async function openRefusingProxy(serverUrl: string): Promise<RefusingProxy> {
  const target = new URL(serverUrl);
  const sockets = new Set<Socket>();

  const server = createServer(client => {
    const upstream = connect(Number(target.port), target.hostname);
    const cut = (): void => [client, upstream].forEach(socket => void socket.destroy());
    const requests = new RequestReader();
    const status = new StatusReader();
    let isLost = false;
    // one after the other, in order
    let sent: Promise<unknown> = Promise.resolve();

    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', cut);
      socket.on('close', () => {
        sockets.delete(socket);
        cut();
      });
    }

    client.on('data', (chunk: Buffer) => {
      for (const messages of requests.read(chunk)) {
        sent = sent.then(async () => {
          const request = requestOf(messages, status.isInTransaction);
          const fate = request === undefined ? undefined : await proxy.decide?.(request);

          if (fate === 'lost before') {
            cut();
            return;
          }

          isLost ||= fate === 'lost after';
          upstream.write(Buffer.concat(typeof fate === 'object' && request !== undefined ? refused(messages, request, fate) : messages));
        });
      }
    });
    upstream.on('data', (chunk: Buffer) => {
      status.read(chunk);

      if (isLost) {
        cut();
      } else {
        client.write(chunk);
      }
    });
    // the last data of the server must arrive before its socket ends
    upstream.on('end', () => client.end());
    client.on('end', () => void sent.then(() => upstream.end()));
  });
  const url = await listenInFrontOf(serverUrl, server);

  const proxy: RefusingProxy = {
    url,
    decide: undefined,
    close: async () => {
      sockets.forEach(socket => socket.destroy());
      await new Promise(resolve => server.close(resolve));
    },
  };

  return proxy;
}

/** Undefined for what is no work: a password, the end of a portal, what is copied. */
function requestOf(messages: readonly Buffer[], isInTransaction: boolean): ClientRequest | undefined {
  const first = messages[0];

  if (first === undefined) {
    return undefined;
  }

  if (typeOf(first) === 'Q') {
    const statements = splitStatements(first.toString('utf8', HEAD, first.length - 1));
    const isAlone = !isInTransaction && !statements.some(sql => OF_TRANSACTION.test(sql));

    return { statements, places: statements.length + (isAlone ? 1 : 0) };
  }

  if (!messages.some(message => ['P', 'E'].includes(typeOf(message)))) {
    return undefined;
  }

  const parse = messages.find(message => typeOf(message) === 'P');
  const statements = parse === undefined ? [] : [textsIn(parse)[1] ?? ''];

  // where it is read bit by bit, the server goes on when it is asked for more
  const isWhole = typeOf(messages.at(-1) ?? first) === 'S';

  return { statements, places: isWhole && !isInTransaction ? 2 : 1 };
}

function refused(messages: readonly Buffer[], { statements }: ClientRequest, { place, sqlState }: Refusal): Buffer[] {
  const raise = `do $refused$ begin raise exception 'refused by the spec' using errcode = '${sqlState}'; end $refused$`;

  if (typeOf(messages[0] as Buffer) === 'Q') {
    const statement = statements[place];
    // a commit that fails is a rollback
    const end = statement !== undefined && COMMIT.test(statement) ? ['rollback'] : [];
    const text = [...statements.slice(0, place), ...end, raise].join('\n; ');

    return [message('Q', Buffer.from(`${text}\0`))];
  }

  const failing = [
    message('P', Buffer.from(`\0${raise}\0\0\0`)),
    message('B', Buffer.from(`\0\0\0\0\0\0\0\0`)),
    message('E', Buffer.from(`\0\0\0\0\0`)),
  ];

  return [...(place === 0 ? [] : messages.slice(0, -1)), ...failing, messages.at(-1) as Buffer];
}

const OF_TRANSACTION = /^(?:begin|start|commit|end|rollback|abort|savepoint|release|prepare)\b/i;

const COMMIT = /^(?:commit|end)\b/i;

/** A type, and the length of the rest. */
const HEAD = 5;

function typeOf(each: Buffer): string {
  return each.toString('latin1', 0, 1);
}

/** The texts that a message begins with: of a `parse`, the name and the statement. */
function textsIn(each: Buffer): string[] {
  return each.toString('utf8', HEAD).split('\0');
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(HEAD);
  head.write(type, 'latin1');
  head.writeInt32BE(body.length + 4, 1);

  return Buffer.concat([head, body]);
}

/** Puts together what a client sends, up to where it waits. */
class RequestReader {
  #rest: Buffer = Buffer.alloc(0);
  #hasStarted = false;
  #batch: Buffer[] = [];

  *read(chunk: Buffer): Generator<Buffer[]> {
    this.#rest = Buffer.concat([this.#rest, chunk]);

    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const type = this.#hasStarted ? typeOf(next) : '';

      if (!this.#hasStarted) {
        // a request for encryption comes before the start
        this.#hasStarted = next.readInt32BE(4) < ENCRYPTION;
        yield [next];
      } else if (['P', 'B', 'D', 'E', 'C'].includes(type)) {
        this.#batch.push(next);
      } else {
        yield [...this.#batch.splice(0), next];
      }
    }
  }

  #next(): Buffer | undefined {
    const before = this.#hasStarted ? 1 : 0;
    const length = this.#rest.length < before + 4 ? Infinity : before + this.#rest.readInt32BE(before);

    if (this.#rest.length < length) {
      return undefined;
    }

    const next = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);

    return next;
  }
}

/** The first of the codes that no version of the protocol has. */
const ENCRYPTION = 80_877_102;

/** Notes what the server last said of the transaction. */
class StatusReader {
  isInTransaction = false;
  #rest: Buffer = Buffer.alloc(0);

  read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);

    while (this.#rest.length >= HEAD) {
      const length = 1 + this.#rest.readInt32BE(1);

      if (this.#rest.length < length) {
        return;
      }

      if (typeOf(this.#rest) === 'Z') {
        this.isInTransaction = this.#rest.toString('latin1', HEAD, HEAD + 1) !== 'I';
      }

      this.#rest = this.#rest.subarray(length);
    }
  }
}
