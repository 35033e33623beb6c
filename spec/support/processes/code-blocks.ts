import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../orm/library-orm.ts';

/** A block of code in a document. */
export interface CodeBlock {
  /** The file that its first line names: `// entities.ts`. */
  readonly file: string | undefined;
  readonly language: string;
  readonly code: string;
}

export function codeBlocksOf(document: string): CodeBlock[] {
  const text = readFileSync(join(ROOT, document), 'utf8');

  return [...text.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, language = '', code = '']) => ({
    file: /^\/\/ (\S+\.ts)\n/.exec(code)?.[1],
    language,
    code,
  }));
}

/** The code of the block that names the file. */
export function codeOf(document: string, file: string): string {
  const block = codeBlocksOf(document).find(each => each.file === file);

  if (block === undefined) {
    throw new Error(`${document} has no block of code that begins with "// ${file}".`);
  }

  return block.code;
}
