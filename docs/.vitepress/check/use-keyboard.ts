import type { Browser } from 'playwright-core';

/** What a reader without a pointer does: skip the navigation, search, and follow what was found. */
export async function useKeyboard(browser: Browser, url: string): Promise<string[]> {
  const page = await browser.newPage();
  const problems: string[] = [];
  await page.goto(`${url}/start/index.html`, { waitUntil: 'networkidle' });

  await page.keyboard.press('Tab');
  const first = await page.evaluate(() => document.activeElement?.textContent?.trim());

  if (first !== 'Skip to content') {
    problems.push(`the first thing that Tab reaches is "${first}", and not a link to the content`);
  }

  await page.keyboard.press('/');
  await page.locator('.VPLocalSearchBox input').waitFor();
  await page.keyboard.type('CROSS_TENANT');
  await page.locator('.VPLocalSearchBox .result.selected').filter({ hasText: 'CROSS_TENANT' }).waitFor();
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('.VPLocalSearchBox') === null);
  await page.waitForFunction(() => globalThis.location.hash === '#cross_tenant');

  if (!page.url().includes('/errors.html')) {
    problems.push(`the search for CROSS_TENANT leads to ${page.url()}`);
  }

  await page.close();

  return problems;
}
