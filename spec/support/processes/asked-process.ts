import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ROOT } from '../orm/library-orm.ts';
import { STRIPS_TYPES } from './strips-types.ts';

/** A process that does what it is asked by messages. The caller must close it. It then must end by itself. */
export interface AskedProcess {
  ask(name: string, args: readonly unknown[]): Promise<any>;
  close(): Promise<void>;
}

/** Starts a module of `spec/support/processes`, which answers by `answer-parent.mjs`, with these variables in its environment. */
export async function startAsked(module: string, env: Readonly<Record<string, string>>): Promise<AskedProcess> {
  const child = fork(join(ROOT, 'spec/support/processes', module), { env: { ...process.env, ...env }, execArgv: [...STRIPS_TYPES] });
  const waiting = new Map<number, { resolve(result: any): void; reject(error: Error): void }>();
  let calls = 0;
  child.on('message', ({ id, result, error }: { id: number; result?: unknown; error?: string }) => {
    const call = waiting.get(id);
    waiting.delete(id);

    if (error === undefined) {
      call?.resolve(result);
    } else {
      call?.reject(new Error(error));
    }
  });
  await once(child, 'message');

  return {
    ask: (name, args) =>
      new Promise((resolve, reject) => {
        calls += 1;
        waiting.set(calls, { resolve, reject });
        child.send({ id: calls, name, args });
      }),
    close: async () => {
      child.send({ id: -1, name: 'close', args: [] });
      const [code] = await once(child, 'exit');

      if (code !== 0) {
        throw new Error(`exit code ${code}`);
      }
    },
  };
}
