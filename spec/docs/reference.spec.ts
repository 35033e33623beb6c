import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import cliPackage from '@mikro-orm/cli/package.json' with { type: 'json' };
import packageJson from '../../package.json' with { type: 'json' };
import { ROOT } from '../support/orm/library-orm.ts';

describe('the reference', () => {
  it('is as the code says: options, functions, commands and errors', async () => {
    const checked = promisify(execFile)(process.execPath, [join(ROOT, 'docs/.vitepress/reference/write.ts'), '--check']);
    const { stdout, stderr } = await checked.catch((error: { readonly stdout: string; readonly stderr: string }) => error);
    const differing = (stdout + stderr).split('\n').filter(line => line !== '' && (isOldest || !line.startsWith('docs/reference/cli.md')));

    expect(differing).to.deep.equal([]);
  });

  it('has each event that a command prints with `--json`', () => {
    const folder = join(ROOT, 'lib/cli');
    const code = readdirSync(folder).map(file => readFileSync(join(folder, file), 'utf8'));
    const printed = code.flatMap(text =>
      [...text.matchAll(/\b(?:writeJson\(|(?:say|done)\(\s*args,\s*)'(\w+)'/g)].map(([, event]) => event),
    );
    const page = read('docs/reference/cli.md');

    expect(printed.length).to.be.greaterThan(40);
    expect([...new Set(printed)].filter(event => !new RegExp(`^\\| \`${event}\` +\\|`, 'm').test(page))).to.deep.equal([]);
  });

  it('has each code of an error with its cause, its remedy and what it says', () => {
    const sections = read('docs/reference/errors.md').split('\n## ').slice(1);
    const codes = [...read('lib/errors/tenant-error.ts').matchAll(/^ {2}\| '([A-Z_]+)'/gm)].map(([, code]) => `\`${code}\``);

    expect(sections.map(section => section.split('\n')[0])).to.have.members(codes);
    expect(sections.filter(section => !/\*\*Cause:\*\* \S.*\n\n\*\*Remedy:\*\* \S.*\n\nMessages:\n\n- \S/.test(section))).to.deep.equal([]);
  });
});

// the commands of MikroORM itself differ from version to version
const isOldest = packageJson.peerDependencies['@mikro-orm/cli'].startsWith(`>=${cliPackage.version} `);

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}
