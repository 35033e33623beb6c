import { fork } from 'node:child_process';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** What visitors met since they were last asked. */
export interface Visits {
  readonly answered: number;
  /** In each second. */
  readonly p99s: readonly number[];
  /** Requests that were answered with 503 and `Retry-After` once, as their tenant was renamed meanwhile or the database restarted. */
  readonly retried: number;
  /** Requests that failed while trouble was expected. */
  readonly unavailable: number;
  readonly failed: number;
  /** Answers with a text of another host. */
  readonly crossed: number;
  /** The first failures. */
  readonly texts: readonly string[];
}

/** A process whose visitors send requests to the tenants `t0` and so on, at about the same rate all the time. */
export function startVisitors(
  port: number,
  tenants: number,
): AsyncDisposable & {
  take(): Promise<Visits>;
  /** Has them visit one tenant more. */
  add(name: string): Promise<void>;
  /** Says that failures are those of a restart, until it is told otherwise. */
  expectTrouble(isExpected: boolean): Promise<void>;
} {
  const child = fork(fileURLToPath(import.meta.url), ['visit', String(port), String(tenants)]);
  const ask = <Answer>(question: object): Promise<Answer> =>
    new Promise(resolve => {
      const id = Math.random();
      const listen = (answer: { readonly id: number; readonly result: Answer }): void => {
        if (answer.id === id) {
          child.off('message', listen);
          resolve(answer.result);
        }
      };
      child.on('message', listen);
      child.send({ ...question, id });
    });

  return {
    take: () => ask({ kind: 'take' }),
    add: name => ask({ kind: 'add', name }),
    expectTrouble: isExpected => ask({ kind: 'trouble', isExpected }),
    [Symbol.asyncDispose]: async () => {
      child.kill();
    },
  };
}

function visit(port: number, tenants: number): void {
  const agent = new Agent({ keepAlive: true, maxSockets: VISITORS });
  const names = Array.from({ length: tenants }, (_, n) => `t${n}`);
  let state = { answered: 0, p99s: [] as number[], retried: 0, unavailable: 0, failed: 0, crossed: 0, texts: [] as string[] };
  let times: number[] = [];
  let isTroubleExpected = false;

  const visitor = async (): Promise<void> => {
    for (let n = 0; ; n += 1) {
      const host = `${names[Math.floor(Math.random() * names.length)]}.example.com`;
      const start = performance.now();

      try {
        const path = n % 10 === 0 ? '/write' : '/';
        const first = await get(agent, { port, host, path });
        state.retried += first === 'again' ? 1 : 0;
        const second = first === 'again' ? await sleep(1_000).then(() => get(agent, { port, host, path })) : first;

        if (second === 'again') {
          throw new Error('503 twice');
        }

        const { texts } = second;
        state.answered += 1;
        times.push(performance.now() - start);
        state.crossed += texts.filter(text => text !== host).length;
      } catch (error) {
        if (isTroubleExpected) {
          state.unavailable += 1;
        } else {
          state.failed += 1;
          state.texts.push(...(state.texts.length < 5 ? [`${host}: ${String(error)}`] : []));
        }
      }

      await sleep(PAUSE_MS);
    }
  };

  for (let n = 0; n < VISITORS; n += 1) {
    void visitor();
  }

  setInterval(() => {
    times.sort((a, b) => a - b);
    state.p99s.push(times[Math.floor((times.length - 1) * 0.99)] ?? 0);
    times = [];
  }, 1_000);

  process.on(
    'message',
    (question: { readonly id: number; readonly kind: string; readonly name?: string; readonly isExpected?: boolean }) => {
      let result: unknown;

      if (question.kind === 'take') {
        result = state;
        state.texts.forEach(text => console.error(text));
        state = { answered: 0, p99s: [], retried: 0, unavailable: 0, failed: 0, crossed: 0, texts: [] };
      } else if (question.kind === 'add') {
        names.push(question.name ?? '');
      } else {
        isTroubleExpected = question.isExpected === true;
      }

      process.send?.({ id: question.id, result });
    },
  );
}

function get(agent: Agent, { port, host, path }: { port: number; host: string; path: string }): Promise<{ texts: string[] } | 'again'> {
  return new Promise((resolve, reject) => {
    request({ agent, host: '127.0.0.1', port, path, headers: { host } }, answer => {
      const chunks: string[] = [];
      answer
        .setEncoding('utf8')
        .on('data', (chunk: string) => chunks.push(chunk))
        .on('end', () =>
          answer.statusCode === 200
            ? resolve(JSON.parse(chunks.join('')) as { texts: string[] })
            : answer.statusCode === 503 && answer.headers['retry-after'] !== undefined
              ? resolve('again')
              : reject(new Error(`${answer.statusCode} ${chunks.join('')}`)),
        );
    })
      .on('error', reject)
      .end();
  });
}

const VISITORS = 8;
const PAUSE_MS = 5;

if (process.argv[2] === 'visit') {
  visit(Number(process.argv[3]), Number(process.argv[4]));
}
