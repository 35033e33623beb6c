import { startTestServer, type TestServer } from '../database/server.js';

/** Starts a PostgreSQL for the run, unless `DATABASE_URL` names one. Each runner finds it by the name that it looks for. */
export default async function setup(): Promise<() => Promise<void>> {
  running.server = await startTestServer();

  return teardown;
}

/** Stops it. */
export async function teardown(): Promise<void> {
  await running.server?.close();
  running.server = undefined;
}

export { setup as globalSetup, setup as mochaGlobalSetup, setup, teardown as globalTeardown, teardown as mochaGlobalTeardown };

// Jest loads the file that starts it and the one that stops it apart
const running = ((globalThis as { landlordTestServer?: { server?: TestServer | undefined } }).landlordTestServer ??= {});
