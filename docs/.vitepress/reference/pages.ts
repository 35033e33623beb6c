import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeCommandLine } from './command-line.ts';
import { describeOptions, describeType, describeValue } from './describe.ts';
import { describeErrors } from './errors.ts';
import { exportsOf, ROOT, type Exported } from './sources.ts';

/** What stands between the marks `<!-- from the code: … -->` and `<!-- end -->` of a page, by the first word of the mark. */
const PARTS: Readonly<Record<string, (...args: readonly string[]) => string | Promise<string>>> = {
  options: (path = '', name = '', prefix = '') => describeOptions(path, name, prefix),
  package: describePackage,
  errors: describeErrors,
  commands: describeCommandLine,
};

/** Every page that has marks, as it has to be. */
export async function referencePages(): Promise<{ path: string; is: string; hasToBe: string }[]> {
  const pages = [];

  for (const path of globSync('docs/**/*.md', { cwd: ROOT, exclude: ['docs/.vitepress/**'] }).toSorted()) {
    const is = readFileSync(join(ROOT, path), 'utf8');

    if (MARKED.test(is)) {
      pages.push({ path, is, hasToBe: await written(is) });
    }
  }

  return pages;
}

async function written(page: string): Promise<string> {
  let text = page;

  for (const [whole, mark = '', words = ''] of page.matchAll(new RegExp(MARKED.source, 'gm'))) {
    const [kind = '', ...args] = words.trim().split(' ');
    const part = PARTS[kind];

    if (part === undefined) {
      throw new Error(`"${kind}" is nothing that a page can have from the code.`);
    }

    const content = await part(...args);
    text = text.replace(whole, () => `${mark}\n\n${content}\n\n<!-- end -->`);
  }

  return text;
}

/** What each entry of the package exports. What the main entry exports too is described there alone. */
function describePackage(): string {
  const { name, exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    readonly name: string;
    readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
  };
  const described = new Set<string>();
  const parts = [];

  for (const [entry, target] of Object.entries(exports)) {
    const file = typeof target === 'string' ? target : target.default;

    if (!file.endsWith('.js')) {
      continue;
    }

    const found = exportsOf(file.replace(/^\.\/dist\/(.*)\.js$/, 'lib/$1.ts')).filter(({ path }) => !path.startsWith('lib/errors/'));
    const isNew = ({ path, name: own }: Exported): boolean => !described.has(`${path} ${own}`);
    const again = found.filter(each => !isNew(each)).map(({ name: own }) => `\`${own}\``);
    const values = found.filter(each => isNew(each) && !each.isType);
    const types = found.filter(each => isNew(each) && each.isType);
    parts.push(`## \`${join(name, entry)}\``);
    parts.push(...(again.length > 0 ? [`It exports ${again.join(', ')} too.`] : []));
    parts.push(...values.map(each => describeValue(each.path, each.name, '###')));
    parts.push(
      ...(types.length > 0
        ? [`## Types of \`${join(name, entry)}\``, ...types.map(each => describeType(each.path, each.name, '###'))]
        : []),
    );
    found.forEach(({ path, name: own }) => described.add(`${path} ${own}`));
  }

  return parts.join('\n\n');
}

const MARKED = /(<!-- from the code: ([^>]*) -->)[^]*?<!-- end -->/m;
