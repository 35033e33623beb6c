import { existsSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

/** Links of the pages to a file or an anchor that the site does not have. VitePress itself looks at files of links in Markdown alone. */
export function deadLinks(site: string, pages: readonly string[]): string[] {
  const texts = new Map(pages.map(page => [page, readFileSync(join(site, page), 'utf8')]));
  const anchors = new Map([...texts].map(([page, text]) => [page, new Set([...text.matchAll(/ id="([^"]+)"/g)].map(([, id = '']) => id))]));
  const problems: string[] = [];

  for (const [page, text] of texts) {
    for (const [, href = ''] of text.matchAll(/<a [^>]*?href="([^"]*)"/g)) {
      if (/^(?:https?:|data:|mailto:)/.test(href)) {
        continue;
      }

      const [path = '', anchor = ''] = href.split('#');
      const target = path === '' ? page : posix.join(path.startsWith('/') ? '' : posix.dirname(page), path.replace(/^\//, ''));
      const file = target === '' || target === '.' || target.endsWith('/') ? posix.join(target, 'index.html') : target;

      if (!existsSync(join(site, file))) {
        problems.push(`${page}: links to ${href}, which is not there`);
      } else if (anchor !== '' && anchors.get(file)?.has(decodeURIComponent(anchor)) === false) {
        problems.push(`${page}: links to ${href}, and that page has no such heading`);
      }
    }
  }

  return [...new Set(problems)];
}
