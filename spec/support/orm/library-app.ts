import { createApp } from '../../../fixtures/app/app.ts';
import { seed } from '../../../fixtures/app/seed.ts';
import type { SpecDatabase } from '../databases/database.ts';
import { send, serve, submit, type HttpRequest, type HttpResponse } from '../web/http.ts';
import { openLibrary } from './library-orm.ts';

/** The example application on a spec's database, with its two demo libraries. Whoever opens it closes it. */
export interface LibraryApp {
  readonly port: number;
  /** What the app reported as its own fault. */
  readonly faults: unknown[];
  get(host: string, path?: string, request?: Partial<HttpRequest>): Promise<HttpResponse>;
  post(host: string, path: string, fields: Readonly<Record<string, string>>, request?: Partial<HttpRequest>): Promise<HttpResponse>;
  close(): Promise<void>;
}

export async function openLibraryApp(database: SpecDatabase): Promise<LibraryApp> {
  const orm = await openLibrary(database);

  try {
    await seed(orm);
    const app = createApp(orm);
    const faults: unknown[] = [];
    app.on('error', (error: NodeJS.ErrnoException) => {
      // Koa reports here, too, that a visitor hung up or sent what is no HTTP
      if (!/^(HPE_|ECONNRESET|EPIPE)/.test(error.code ?? '')) {
        faults.push(error);
      }
    });
    const server = await serve(app.callback());
    const { port } = server;

    return {
      port,
      faults,
      get: (host, path = '/', request = {}) => send({ port, host, path, ...request }),
      post: (host, path, fields, request = {}) => submit({ port, host, path, ...request }, fields),
      close: async () => {
        await server.close();
        await orm.close();
      },
    };
  } catch (error) {
    await orm.close();
    throw error;
  }
}
