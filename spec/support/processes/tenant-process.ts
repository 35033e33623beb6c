import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ROOT } from '../orm/library-orm.ts';
import { STRIPS_TYPES } from './strips-types.ts';

/** The answer to a request, with times from the clock that all processes share. */
export interface Sighting {
  readonly host: string;
  readonly served: string;
  readonly begunAt: number;
  readonly servedAt: number;
  /** The start of the last request with the same answer. */
  readonly lastBegunAt: number;
}

/** A process that serves tenants' hosts. The caller must close it. It then must end by itself. */
export interface TenantProcess {
  visit(host: string): Promise<Sighting>;
  load(hosts: readonly string[], ms: number): Promise<{ readonly seen: Sighting[]; readonly visits: number }>;
  create(schemaName: string, domainUrl: string): Promise<void>;
  change(schemaName: string, data: object): Promise<void>;
  delete(schemaName: string): Promise<void>;
  deleteSoftly(schemaName: string): Promise<void>;
  restore(schemaName: string): Promise<void>;
  close(): Promise<void>;
}

export async function startTenantProcess(url: string): Promise<TenantProcess> {
  const child = fork(join(ROOT, 'spec/support/processes/tenant-process.mjs'), {
    env: { ...process.env, DATABASE_URL: url, PGAPPNAME: 'spec child' },
    execArgv: [...STRIPS_TYPES],
  });
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
  const call =
    (name: string) =>
    (...args: unknown[]): Promise<any> =>
      new Promise((resolve, reject) => {
        calls += 1;
        waiting.set(calls, { resolve, reject });
        child.send({ id: calls, name, args });
      });
  await once(child, 'message');

  return {
    visit: call('visit'),
    load: call('load'),
    create: call('create'),
    change: call('change'),
    delete: call('delete'),
    deleteSoftly: call('deleteSoftly'),
    restore: call('restore'),
    close: async () => {
      child.send({ id: -1, name: 'close', args: [] });
      const [code] = await once(child, 'exit');

      if (code !== 0) {
        throw new Error(`exit code ${code}`);
      }
    },
  };
}
