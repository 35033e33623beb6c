import { createApp } from '../../../fixtures/app/app.ts';
import { seed } from '../../../fixtures/app/seed.ts';
import type { SpecDatabase } from '../databases/database.ts';
import { send, submit, type HttpRequest, type HttpResponse } from '../web/http.ts';
import { serve } from '../web/web-server.ts';
import { openLibrary } from './library-orm.ts';

/** The example application on a spec's database, with its two demo libraries. */
export interface LibraryApp {
  readonly port: number;
  /** The errors that the app reported as its own. */
  readonly faults: unknown[];
  get(host: string, path?: string, request?: Partial<HttpRequest>): Promise<HttpResponse>;
  post(host: string, path: string, fields: Readonly<Record<string, string>>, request?: Partial<HttpRequest>): Promise<HttpResponse>;
}

export async function openLibraryApp(database: SpecDatabase): Promise<LibraryApp> {
  const orm = await openLibrary(database);
  await seed(orm);
  const app = createApp(orm);
  const faults: unknown[] = [];
  app.on('error', (error: NodeJS.ErrnoException) => {
    // Koa also reports visitors that hang up or send invalid HTTP
    if (!/^(HPE_|ECONNRESET|EPIPE)/.test(error.code ?? '')) {
      faults.push(error);
    }
  });
  const { port } = await serve(app, database);

  return {
    port,
    faults,
    get: (host, path = '/', request = {}) => send({ port, host, path, ...request }),
    post: (host, path, fields, request = {}) => submit({ port, host, path, ...request }, fields),
  };
}
