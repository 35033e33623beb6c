import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../support/orm/library-orm.ts';

describe('the reference', () => {
  it('is as the code says: options, functions, commands and errors', async () => {
    const checked = promisify(execFile)(process.execPath, [join(ROOT, 'docs/.vitepress/reference/write.ts'), '--check']);
    const { stdout, stderr } = await checked.catch((error: { readonly stdout: string; readonly stderr: string }) => error);

    expect(stdout + stderr).to.equal('');
  });

  it('has each code of an error with its cause, its remedy and what it says', () => {
    const sections = read('docs/reference/errors.md').split('\n## ').slice(1);
    const codes = [...read('lib/errors/tenant-error.ts').matchAll(/^ {2}\| '([A-Z_]+)'/gm)].map(([, code]) => `\`${code}\``);

    expect(sections.map(section => section.split('\n')[0])).to.have.members(codes);
    expect(sections.filter(section => !/\*\*Cause:\*\* \S.*\n\n\*\*Remedy:\*\* \S.*\n\nMessages:\n\n- \S/.test(section))).to.deep.equal([]);
  });
});

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}
