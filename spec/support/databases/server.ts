import { installMissing } from './debian.ts';
import { startEmbeddedServer, type EmbeddedServer } from './embedded-server.ts';
import { stopPooler } from './pooler.ts';

let server: EmbeddedServer | undefined;

/** Starts a PostgreSQL for the run, unless `DATABASE_URL` names one. */
export async function mochaGlobalSetup(): Promise<void> {
  if (process.env['npm_lifecycle_event'] === 'test') {
    installMissing();
  }

  if (process.env['DATABASE_URL'] !== undefined) {
    return;
  }

  try {
    server = await startEmbeddedServer();
  } catch (cause) {
    throw new Error(
      'The specs need a PostgreSQL, and the one from npm did not start. ' +
        `Run \`npm ci\` again with install scripts allowed, or set DATABASE_URL to a server whose role may create databases.\n${String(cause)}`,
      { cause },
    );
  }

  process.env['DATABASE_URL'] = server.url;
}

export async function mochaGlobalTeardown(): Promise<void> {
  await server?.remove();
}

// each process of a parallel run has a pooler of its own
export const mochaHooks = { afterAll: stopPooler };
