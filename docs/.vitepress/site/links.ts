import type { MarkdownRenderer } from 'vitepress';

/** The documents at the root of the repository, and the pages that show them. */
const OF_THE_ROOT: Readonly<Record<string, string>> = {
  'README.md': '/',
  'SECURITY.md': '/security',
  'CONTRIBUTING.md': '/contributing',
  'CHANGELOG.md': '/changelog',
};

/** The documents at the root link to the pages as files of the repository, and the pages link to those documents. Here both lead inside the site. */
export function leadInsideTheSite(md: MarkdownRenderer): void {
  md.core.ruler.push('lead-inside-the-site', state => {
    for (const token of state.tokens.flatMap(({ children }) => children ?? [])) {
      const href = token.type === 'link_open' ? token.attrGet('href') : null;

      if (href !== null) {
        token.attrSet('href', insideTheSite(href));
      }
    }
  });
}

function insideTheSite(href: string): string {
  const [, document = '', rest = ''] = /^(?:\.\.?\/)*([A-Z]+\.md)(#.*)?$/.exec(href) ?? [];
  const page = OF_THE_ROOT[document];

  return page === undefined ? href.replace(/^docs\//, '/') : `${page}${rest}`;
}
