import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext } from 'playwright-core';
import { CHROMIUM, findProgram, requiresAllPrograms } from '../databases/debian.ts';

export interface SpecBrowser {
  readonly context: BrowserContext;
  /** Ends the browser and removes what it stored. */
  close(): Promise<void>;
}

/**
 * Starts a headless browser with a profile of its own and without JavaScript, which the pages do not need.
 * If there is no browser and none may be installed, the specs that need it are pending, or fail if `CI` is set.
 */
export async function openBrowser(mocha: Mocha.Context): Promise<SpecBrowser> {
  const executablePath = findProgram(CHROMIUM);

  if (executablePath === undefined) {
    if (requiresAllPrograms()) {
      throw new Error(REMEDY);
    }

    console.log(`    pending: ${REMEDY}`);
    return mocha.skip();
  }

  const folder = await mkdtemp(join(tmpdir(), 'landlord-browser-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true, maxRetries: 5 });

  try {
    const context = await chromium.launchPersistentContext(folder, { executablePath, args: ARGS, javaScriptEnabled: false });

    return {
      context,
      close: async () => {
        await context.close();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

const REMEDY =
  'These specs need Chromium, and there is none. Install it (`apt-get install chromium`), or set CHROMIUM_PATH to one; ' +
  'on Debian, root needs to do neither: the specs install it.';

const ARGS = [
  // root has no sandbox
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
