import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const WIDTHS = [360, 1280];

/** Each page, narrow and wide, light and dark: that it fits, asks nobody else, and passes axe. */
export async function lookAtPages(browser: Browser, url: string, pages: readonly string[]): Promise<string[]> {
  const ways = WIDTHS.flatMap(width => (['light', 'dark'] as const).map(colorScheme => ({ width, colorScheme })));

  return (await Promise.all(ways.map(way => lookAs(browser, { url, pages, ...way })))).flat();
}

async function lookAs(browser: Browser, { url, pages, width, colorScheme }: Way): Promise<string[]> {
  const problems: string[] = [];
  // the transitions of the theme would be seen half way
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme, reducedMotion: 'reduce' });
  const page = await context.newPage();
  let current = '';
  const report = (problem: string): void => void problems.push(`${current}, ${width} px, ${colorScheme}: ${problem}`);
  page.on('request', request => {
    if (!request.url().startsWith(url) && !request.url().startsWith('data:')) {
      report(`asks ${request.url()}`);
    }
  });
  page.on('pageerror', error => report(`throws ${error.message}`));

  for (current of pages) {
    await page.goto(`${url}/${current}`);
    // the application has taken the page over
    await page.waitForFunction(() => '__vue_app__' in (document.querySelector('#app') ?? {}));
    const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

    if (excess > 0) {
      report(`is ${excess} px too wide`);
    }

    (await violations(page)).forEach(report);
  }

  await context.close();

  return problems;
}

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);

  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(options: object): Promise<{ violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[] }> };
    };
    // the first column of a table may need no name
    const result = await axe.run({ rules: { 'empty-table-header': { enabled: false } } });

    return result.violations.map(
      ({ id, nodes }) => `${id} (${nodes.length}): ${nodes[0]?.html.slice(0, 200)} ${nodes[0]?.failureSummary?.replaceAll(/\s+/g, ' ')}`,
    );
  });
}

interface Way {
  readonly url: string;
  readonly pages: readonly string[];
  readonly width: number;
  readonly colorScheme: 'light' | 'dark';
}
