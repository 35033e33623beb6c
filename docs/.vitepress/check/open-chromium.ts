import { chromium, type Browser } from 'playwright-core';
import { CHROMIUM, findProgram } from '../../../spec/support/databases/debian.ts';

/** @throws Error where there is no Chromium, and none may be installed. */
export async function openChromium(): Promise<Browser> {
  const executablePath = findProgram(CHROMIUM);

  if (executablePath === undefined) {
    throw new Error('There is no Chromium. Install it (`apt-get install chromium`), or set CHROMIUM_PATH to one.');
  }

  // root has no sandbox
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
}
