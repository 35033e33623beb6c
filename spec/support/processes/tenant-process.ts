import { startAsked } from './asked-process.ts';

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
  const child = await startAsked('tenant-process.mjs', { DATABASE_URL: url, PGAPPNAME: 'spec child' });
  const call =
    (name: string) =>
    (...args: unknown[]): Promise<any> =>
      child.ask(name, args);

  return {
    visit: call('visit'),
    load: call('load'),
    create: call('create'),
    change: call('change'),
    delete: call('delete'),
    deleteSoftly: call('deleteSoftly'),
    restore: call('restore'),
    close: () => child.close(),
  };
}
