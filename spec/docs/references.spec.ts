import { expect } from 'chai';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from '../support/orm/library-orm.ts';

const DOCUMENTS = ['README.md', 'SECURITY.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'docs/guarantees.md', 'docs/operating.md'];

describe('what the documents refer to', () => {
  for (const document of DOCUMENTS) {
    const text = read(document);
    const prose = text.replace(/^```.*?^```$/gms, '');

    it(`${document} names no file and no folder of the repository that is not there`, () => {
      const paths = [...prose.matchAll(/`((?:lib|spec|fixtures|bench|docs)(?:\/[^\s`]*)?)`/g)].map(([, path = '']) => path);

      expect(paths.filter(path => globSync(path, { cwd: ROOT }).length === 0)).to.deep.equal([]);
    });

    it(`${document} links to no file and no heading that is not there`, () => {
      const links = [...prose.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)].map(([, path = '', heading]) => ({
        path: path === '' ? document : join(dirname(document), path),
        heading,
      }));

      expect(links.filter(({ path }) => !existsSync(join(ROOT, path)))).to.deep.equal([]);
      expect(links.filter(({ path, heading }) => heading !== undefined && !anchorsOf(path).includes(heading))).to.deep.equal([]);
    });

    it(`${document} names no command of npm that package.json does not have`, () => {
      const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: object };
      const commands = [...text.matchAll(/\bnpm run (?:-\S+ )*(\w[\w:-]*)/g)].map(([, name = '']) => name);

      expect(commands.filter(name => !(name in scripts))).to.deep.equal([]);
    });
  }

  it('CONTRIBUTING.md has a line for each folder of lib', () => {
    const rows = [...read('CONTRIBUTING.md').matchAll(/^\| `lib\/([^`/]+)`/gm)].map(([, folder = '']) => folder);
    const folders = readdirSync(join(ROOT, 'lib'), { withFileTypes: true }).filter(entry => entry.isDirectory());

    expect(rows).to.have.members(folders.map(({ name }) => name));
  });
});

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** The anchors that GitHub gives the headings of a document. */
function anchorsOf(path: string): string[] {
  return [...read(path).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
