import { globSync } from 'node:fs';
import { join } from 'node:path';
import { lookAtPages } from './look-at-pages.ts';
import { deadLinks } from './dead-links.ts';
import { serveSite } from './serve-site.ts';
import { useKeyboard } from './use-keyboard.ts';
import { openChromium } from './open-chromium.ts';

// Looks at the built site (`npm run docs`): links and anchors, then each page in a browser. Prints what is wrong, and fails then.
const SITE = join(import.meta.dirname, '../dist');
const pages = globSync('**/*.html', { cwd: SITE, exclude: ['404.html'] }).toSorted();

if (pages.length === 0) {
  throw new Error('There is no site in docs/.vitepress/dist. Run `npm run docs` first.');
}

const { url, close } = await serveSite(SITE);
const browser = await openChromium();

try {
  const problems = [...deadLinks(SITE, pages), ...(await lookAtPages(browser, url, pages)), ...(await useKeyboard(browser, url))];
  problems.forEach(problem => console.error(problem));
  console.log(`${pages.length} pages, ${problems.length} problems`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  await browser.close();
  close();
}
