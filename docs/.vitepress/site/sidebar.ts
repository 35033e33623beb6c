import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Group {
  readonly text: string;
  readonly pages: readonly string[];
  /** All other pages of it come at the end. */
  readonly folder?: string;
}

interface Item {
  readonly text: string;
  readonly link: string;
}

/** The pages of the site. Those that a list names come first, in its order; all others of its folder follow by their titles. */
const GROUPS: readonly Group[] = [
  { text: 'Start', pages: ['start/index', 'start/install'], folder: 'start' },
  {
    text: 'Concepts',
    pages: ['concepts/tenants', 'concepts/scopes', 'concepts/migration-sets', 'concepts/who-is-meant', 'concepts/transactions'],
    folder: 'concepts',
  },
  {
    text: 'Guides',
    pages: [
      'guides/existing-application',
      'guides/customers-to-tenants',
      'guides/creating-tenants',
      'guides/scopes',
      'guides/raw-sql',
      'guides/migrations',
      'guides/development-loop',
      'guides/seeding',
      'guides/jobs',
      'guides/hooks',
      'guides/testing',
    ],
    folder: 'guides',
  },
  {
    text: 'On the web',
    pages: [
      'guides/koa',
      'guides/frameworks',
      'guides/nestjs',
      'guides/who-is-meant',
      'guides/sessions-and-tokens',
      'guides/one-user-many-tenants',
      'guides/tenant-settings',
      'guides/several-hosts',
      'guides/tenant-states',
      'guides/live-connections',
    ],
  },
  {
    text: 'Operating',
    pages: [
      'guides/deployments',
      'guides/rolling-releases',
      'guides/many-tenants',
      'guides/tenant-commands',
      'guides/soft-deletion',
      'guides/cloning',
      'guides/export-and-import',
      'guides/extract-and-adopt',
      'guides/doctor',
      'guides/reports-across-tenants',
      'guides/telemetry',
      'operating',
      'guides/connections',
      'guides/replicas-and-poolers',
      'guides/roles',
      'guides/citus',
      'guides/backup-and-restore-one-tenant',
      'guides/upgrading-mikro-orm',
    ],
  },
  {
    text: 'Reference',
    pages: [
      'reference/index',
      'reference/options',
      'reference/functions',
      'reference/cli',
      'reference/errors',
      'reference/limits',
      'guarantees',
      'security',
    ],
    folder: 'reference',
  },
  {
    text: 'Design notes',
    pages: ['design/why-qualified-names', 'design/internals', 'design/isolation-tested', 'design/specs', 'design/costs'],
    folder: 'design',
  },
  { text: 'More', pages: ['compared', 'seams', 'contributing', 'changelog'] },
];

/** The sidebar, from the files that are there. */
export function sidebar(docs: string): { text: string; items: Item[] }[] {
  return GROUPS.map(({ text, pages, folder }) => ({ text, items: pagesOf(docs, pages, folder) })).filter(({ items }) => items.length > 0);
}

function pagesOf(docs: string, first: readonly string[], folder: string | undefined): Item[] {
  const named = new Set(GROUPS.flatMap(({ pages }) => pages));
  const found = globSync([...first.map(page => `${page}.md`), ...(folder === undefined ? [] : [`${folder}/**/*.md`])], { cwd: docs });
  const items = [...new Set(found)]
    .map(file => ({ page: file.replace(/\.md$/, ''), text: titleOf(join(docs, file)) }))
    .filter(({ page }) => first.includes(page) || !named.has(page));
  const place = (page: string): number => (first.includes(page) ? first.indexOf(page) : first.length);

  return items
    .toSorted((a, b) => place(a.page) - place(b.page) || a.text.localeCompare(b.text))
    .map(({ page, text }) => ({ text, link: `/${page.replace(/(^|\/)index$/, '$1')}` }));
}

/** The first heading of a page. */
export function titleOf(path: string): string {
  const text = readFileSync(path, 'utf8');
  const title = /^# (.+)$/m.exec(text)?.[1] ?? /^title: (.+)$/m.exec(text)?.[1];

  if (title === undefined) {
    throw new Error(`${path} has no title: begin it with "# ".`);
  }

  return title.replaceAll('`', '');
}
