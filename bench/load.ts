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
}

export interface LoadResult {
  /** The total duration in milliseconds. */
  readonly ms: number;
  readonly p50: number;
  readonly p99: number;
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

async function run({ port, hosts, requests, concurrency, path = '/' }: Load): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const times: number[] = [];
  let sent = 0;
  const begin = performance.now();
  const worker = async (): Promise<void> => {
    while (sent < requests) {
      const host = hosts[sent % hosts.length] as string;
      sent += 1;
      const at = performance.now();
      await request(agent, port, { host, path });
      times.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const ms = performance.now() - begin;
  agent.destroy();
  times.sort((a, b) => a - b);

  return { ms, p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}

function request(agent: Agent, port: number, { host, path }: { readonly host: string; readonly path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    get({ agent, host: '127.0.0.1', port, path, headers: { host } }, answer => {
      answer.resume().on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`${host}: ${answer.statusCode}`))));
    }).on('error', reject);
  });
}

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
