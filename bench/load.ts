import { fork } from 'node:child_process';
import { Agent, get } from 'node:http';
import { fileURLToPath } from 'node:url';

/** Requests to one port: their number, the hosts to rotate through, and the concurrency, on keep-alive connections. */
export interface Load {
  readonly port: number;
  readonly hosts: readonly string[];
  readonly requests: number;
  readonly concurrency: number;
  readonly path?: string;
  /** Statuses besides 200 that are no error. They are counted, and their times are not. */
  readonly allows?: readonly number[];
}

export interface LoadResult {
  /** The total duration in milliseconds. */
  readonly ms: number;
  readonly p50: number;
  readonly p99: number;
  /** How many answers had a status of `allows`. */
  readonly refused: number;
}

/** A process that sends requests, so that sending is not measured together with answering. */
export function startLoader(): AsyncDisposable & { send(load: Load): Promise<LoadResult> } {
  const child = fork(fileURLToPath(import.meta.url), ['load']);

  return {
    send: load =>
      new Promise((resolve, reject) => {
        child.once('message', (result: LoadResult & { error?: string }) =>
          result.error === undefined ? resolve(result) : reject(new Error(result.error)),
        );
        child.send(load);
      }),
    [Symbol.asyncDispose]: async () => {
      child.kill();
    },
  };
}

async function run({ port, hosts, requests, concurrency, path = '/', allows = [] }: Load): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const times: number[] = [];
  let sent = 0;
  const begin = performance.now();
  const worker = async (): Promise<void> => {
    while (sent < requests) {
      const host = hosts[sent % hosts.length] as string;
      sent += 1;
      const at = performance.now();
      const status = await request(agent, port, { host, path, allows });

      if (status === 200) {
        times.push(performance.now() - at);
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const ms = performance.now() - begin;
  agent.destroy();
  times.sort((a, b) => a - b);

  return { ms, p50: quantile(times, 0.5), p99: quantile(times, 0.99), refused: sent - times.length };
}

function request(agent: Agent, port: number, { host, path, allows }: Target): Promise<number> {
  return new Promise((resolve, reject) => {
    get({ agent, host: '127.0.0.1', port, path, headers: { host } }, answer => {
      const { statusCode = 0 } = answer;
      answer
        .resume()
        .on('end', () => ([200, ...allows].includes(statusCode) ? resolve(statusCode) : reject(new Error(`${host}: ${statusCode}`))));
    }).on('error', reject);
  });
}

type Target = Required<Pick<Load, 'path' | 'allows'>> & { readonly host: string };

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.floor((sorted.length - 1) * q)] ?? 0;
}

if (process.argv[2] === 'load' && process.send !== undefined) {
  process.on('message', (load: Load) => {
    run(load).then(
      result => process.send?.(result),
      (error: unknown) => process.send?.({ error: String(error) }),
    );
  });
}
