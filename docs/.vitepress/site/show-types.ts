import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { MarkdownRenderer } from 'vitepress';
import { importsOf } from './fragment.ts';
import { inExamples, shownCode } from './code-blocks.ts';

const DOCS = join(import.meta.dirname, '../..');

// by its path, as it has no name in this workspace
const exported = Object.keys((await import(pathToFileURL(join(DOCS, '../dist/index.js')).href)) as object);

/**
 * Gives each block of TypeScript what its page leaves out: the file around a region, or the imports of a fragment. twoslash needs it to tell the
 * types, and cuts it off again.
 */
export function showTypes(md: MarkdownRenderer): void {
  md.core.ruler.push('show-types', state => {
    for (const token of state.tokens) {
      const { src } = token as { readonly src?: readonly [path: string, region: string] };

      if (token.type !== 'fence' || !/^ts\b(?! signature)/.test(token.info)) {
        continue;
      }

      const rest = token.info.replace(/^ts/, '');

      if (src === undefined) {
        token.content = `// @filename: start/fragment.ts\n${importsOf(token.content, exported)}\n${CUT}\n${token.content}`;
      } else {
        const [path, region] = src;
        const { before, code, after } = shownCode(path, region === '' ? undefined : region);
        // not under its own name, under which the other files import it: twoslash empties its files when it is done
        const name = inExamples(path, DOCS).replace(/\.ts$/, '.shown.ts');
        token.content = `// @filename: ${name}\n${before}\n${CUT}\n${code}\n${after === '' ? '' : `// ---cut-after---\n${after}\n`}`;
        Object.assign(token, { src: undefined });
        (state.env as { includes?: string[] }).includes?.push(path);
      }

      token.info = `ts twoslash${rest}`;
    }
  });
}

const CUT = '// ---cut-before---';
