import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../orm/library-orm.ts';

/** A command of a page, and what the page says that it prints. */
export interface TranscribedCommand {
  readonly command: string;
  readonly printed: string;
}

/** The ```console blocks of a page. A command begins with `$ `; what follows, up to the next one, is what it prints. */
export function transcriptsOf(page: string): TranscribedCommand[][] {
  const text = readFileSync(join(ROOT, page), 'utf8');

  return [...text.matchAll(/^```console[^\n]*\n([^]*?)^```$/gm)].map(([, block = '']) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map(each => {
        const [command = '', ...printed] = each.split('\n');

        return { command, printed: printed.join('\n').trim() };
      }),
  );
}

/** Compares the output with that of the page, in which `…` stands for what differs from run to run, and `… ms` for a time, which may have seconds. */
export function expectPrinted({ command, printed }: TranscribedCommand, output: string): void {
  const pattern = printed.split(/…(?: ms\b)? */).map(each => each.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));

  expect(output.trim(), `$ ${command}`).to.match(new RegExp(`^${pattern.join('[^]*?')}$`));
}
