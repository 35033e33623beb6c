import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chromium, type BrowserContext } from 'playwright-core';

export interface SpecBrowser {
  readonly context: BrowserContext;
  /** Ends the browser and removes what it stored. */
  close(): Promise<void>;
}

/**
 * Starts a headless browser with a profile of its own and without JavaScript, which the pages do not need.
 * Where there is none and none may be installed, the specs that need it are pending, or fail with `CI` set.
 */
export async function openBrowser(mocha: Mocha.Context): Promise<SpecBrowser> {
  const executablePath = installed() ?? (await install());

  if (executablePath === undefined) {
    if ((process.env['CI'] ?? '') !== '') {
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

function installed(): string | undefined {
  const own = process.env['CHROMIUM_PATH'];

  return own === undefined || own === '' ? PATHS.find(path => existsSync(path)) : own;
}

/** Installs Debian's Chromium where that is allowed: on Debian, as root. */
async function install(): Promise<string | undefined> {
  const system = await readFile('/etc/os-release', 'utf8').catch(() => '');

  if (!/^ID="?debian"?$/m.test(system) || process.getuid?.() !== 0) {
    return undefined;
  }

  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };

  try {
    await promisify(execFile)('apt-get', ['update'], { env });
    await promisify(execFile)('apt-get', ['install', '--yes', '--no-install-recommends', 'chromium'], { env });
  } catch (error) {
    console.log(`    Chromium could not be installed: ${String(error)}`);
  }

  return installed();
}

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'] as const;

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
