import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** A block of code of a page: what stands in it, or the file that it shows. */
export interface CodeBlock {
  readonly language: string;
  /** What is shown. */
  readonly code: string;
  /** The line of the page at which it begins, from one. */
  readonly line: number;
  /** The file that the block shows (`<<< @/examples/…`). */
  readonly source: string | undefined;
  /** The file that its first line names: `// entities.ts`. */
  readonly file: string | undefined;
  /** A signature that was taken from the code: `ts signature`. */
  readonly isSignature: boolean;
}

/** Every block of code of a page of the site, or of a document at the root, in their order. */
export function codeBlocksOf(path: string, docs: string): CodeBlock[] {
  const text = readFileSync(path, 'utf8');

  return [...text.matchAll(BLOCK)].map(match => {
    const { indent = '', language = '', rest = '', code = '', shown } = match.groups ?? {};
    const line = text.slice(0, match.index).split('\n').length;

    if (shown !== undefined) {
      const { source, region } = shownFile(shown, path, docs);

      return { language: languageOf(source), code: shownCode(source, region).code, line, source, file: undefined, isSignature: false };
    }

    const plain = code.replaceAll(new RegExp(`^${indent}`, 'gm'), '');

    return {
      language,
      code: plain,
      line,
      source: undefined,
      file: /^(?:\/\/|#) (\S+\.\w+)\n/.exec(plain)?.[1],
      isSignature: rest.trim() === 'signature',
    };
  });
}

/** A file of the examples, or a region of it, with what is around it. */
export function shownCode(source: string, region: string | undefined): { before: string; code: string; after: string } {
  const lines = readFileSync(source, 'utf8').trimEnd().split('\n');
  const isMark = (line: string): boolean => /^\s*(?:\/\/|#|--) #(?:end)?region\b/.test(line);
  const first = region === undefined ? 0 : lines.findIndex(line => line.trim().endsWith(`#region ${region}`)) + 1;
  const end =
    region === undefined ? lines.length : lines.findIndex((line, index) => index >= first && line.trim().endsWith(`#endregion ${region}`));

  if (region !== undefined && (first === 0 || end === -1)) {
    throw new Error(`${source} has no region "${region}", or it does not end with "#endregion ${region}".`);
  }

  const join = (part: readonly string[]): string => part.filter(line => !isMark(line)).join('\n');

  return { before: join(lines.slice(0, first)), code: dedent(join(lines.slice(first, end))), after: join(lines.slice(end)) };
}

/** What `<<< @/examples/start/app.ts#region` shows. */
export function shownFile(shown: string, page: string, docs: string): { source: string; region: string | undefined } {
  const [, path = '', region] = /^([^#{[\s]+)(?:#([\w-]+))?/.exec(shown.trim()) ?? [];
  const source = path.startsWith('@/') ? join(docs, path.slice(2)) : resolve(dirname(page), path);

  return { source, region };
}

export function languageOf(source: string): string {
  return /\.(\w+)$/.exec(source)?.[1] ?? '';
}

/** The path of a file in the folder of examples. */
export function inExamples(source: string, docs: string): string {
  return relative(join(docs, 'examples'), source);
}

function dedent(code: string): string {
  const indents = code
    .split('\n')
    .filter(line => line.trim() !== '')
    .map(line => line.length - line.trimStart().length);

  return code.replaceAll(new RegExp(`^ {${Math.min(...indents, 40)}}`, 'gm'), '');
}

const BLOCK = /^(?<indent> *)(?:(?:```|~~~)(?<language>\w*)(?<rest>[^\n]*)\n(?<code>[^]*?)^\k<indent>(?:```|~~~)|<<< (?<shown>\S.*))$/gm;
