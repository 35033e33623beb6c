import { globSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The names that the declarations of packages have as internal. */
export function internalsOf(packages: readonly string[]): Set<string> {
  const { resolve } = createRequire(import.meta.url);
  const files = packages.flatMap(name => {
    const cwd = dirname(resolve(`${name}/package.json`));

    return globSync('**/*.d.ts', { cwd, exclude: ['node_modules'] }).map(file => join(cwd, file));
  });

  return new Set(files.flatMap(file => [...readFileSync(file, 'utf8').matchAll(INTERNAL)].map(([, name]) => name as string)));
}

const COMMENT = String.raw`\/\*\*(?:(?!\*\/)[^])*?@internal(?:(?!\*\/)[^])*?\*\/`;

const MODIFIERS = 'static|readonly|protected|private|abstract|get|set|async|export|declare|const|function|class|interface|type';

const INTERNAL = new RegExp(String.raw`${COMMENT}\s*(?:(?:${MODIFIERS})\s+)*([\w$]+)`, 'g');
