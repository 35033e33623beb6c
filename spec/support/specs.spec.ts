import { expect } from 'chai';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { repeatedTitles } from './assertions/repeated-titles.ts';
import { ROOT } from './orm/library-orm.ts';

describe('the specs themselves', () => {
  const sources = new Map(
    globSync(['spec/**/*.{ts,mjs}', 'bench/**/*.ts'], { cwd: ROOT }).map(file => [
      file,
      withoutComments(readFileSync(join(ROOT, file), 'utf8')),
    ]),
  );

  it('are all run: none is marked to run alone or not at all', () => {
    const marks = [...sources]
      .filter(([file]) => file !== OWN)
      .flatMap(([file, source]) => [...source.matchAll(MARK)].map(([mark]) => `${file}: ${mark}`));

    expect(marks).to.deep.equal([]);
  });

  // at the end, what takes long would keep one process busy while the others have nothing to do
  it('are all run by `npm test`, each once, and those of the folders that take the longest first', () => {
    expect(filesOf('test').toSorted()).to.deep.equal(globSync('spec/**/*.spec.ts', { cwd: ROOT }).toSorted());
  });

  it('go as far as they can with `npm run test:search`, where they search', () => {
    const searching = [...sources].filter(([file, source]) => file.endsWith('.spec.ts') && SEARCHES.test(source));
    const run = new Set(filesOf('test:search'));

    expect(searching.map(([file]) => file).filter(file => !run.has(file))).to.deep.equal([]);
  });

  it('find a mark, however it is written', () => {
    const marked = ['it.only(', 'describe.skip (', 'describe\n  .only(', 'xit(', 'xdescribe(', 'this.skip()', 'it["only"]('];

    expect(marked.filter(source => !source.match(MARK))).to.deep.equal([]);
    expect('exit(1); limit.skipped(); fit(it); transaction.skipLocked()'.match(MARK)).to.equal(null);
  });

  it('use all that the support exports, in another file than its own', () => {
    const used = new Set([...sources].flatMap(([file, source]) => importsOf(file, source)));
    const unused = [...sources]
      .filter(([file]) => file.startsWith('spec/support/') && file.endsWith('.ts'))
      .flatMap(([file, source]) => exportsOf(source).map(name => `${file}: ${name}`))
      .filter(name => !used.has(name) && !BY_OTHERS.test(name));

    expect(unused).to.deep.equal([]);
  });

  it('find what is exported and imported, however it is written', () => {
    const source = `export const a = 1;\nexport async function b() {}\nexport function* c() {}\nexport abstract class D {}\nexport interface E {}`;

    expect(exportsOf(source)).to.deep.equal(['a', 'b', 'c', 'D']);
    expect(
      importsOf('spec/x/y.spec.ts', `import {\n  a,\n  type B,\n  c as d,\n} from '../support/z.ts';\nimport type { E } from './w.ts';`),
    ).to.deep.equal(['spec/support/z.ts: a', 'spec/support/z.ts: B', 'spec/support/z.ts: c', 'spec/x/w.ts: E']);
  });

  it('are told where two of one `describe` have the same title', () => {
    const titled = (...titles: string[]): { fullTitle(): string }[] => titles.map(title => ({ fullTitle: () => title }));
    const inner = { tests: titled('c', 'a', 'c'), suites: [] };

    expect(repeatedTitles({ tests: titled('a', 'b'), suites: [inner] })).to.deep.equal(['c']);
  });
});

/** The values that a file exports. Types are left out, as they also say what a function takes and gives. */
function exportsOf(source: string): string[] {
  return [...source.matchAll(/^export (?:async |abstract )?(?:function\*?|const|let|class) (\w+)/gm)].map(([, name = '']) => name);
}

/** The files that a script of `package.json` runs. */
function filesOf(script: string): readonly string[] {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    readonly scripts: Readonly<Record<string, string>>;
  };

  return [...(scripts[script] ?? '').matchAll(/'(spec\/[^']*)'/g)].flatMap(([, pattern = '']) => globSync(pattern, { cwd: ROOT }));
}

/** What a file imports from files of the repository, each as `file: name`. */
function importsOf(file: string, source: string): string[] {
  return [...source.matchAll(/\bimport (?:type )?\{([^}]*)\} from '(\.[^']*)'/g)].flatMap(([, names = '', from = '']) =>
    names
      .split(',')
      .map(name =>
        name
          .trim()
          .replace(/^type /, '')
          .replace(/ as .*$/, ''),
      )
      .filter(name => name !== '')
      .map(name => `${normalize(join(dirname(file), from))}: ${name}`),
  );
}

function withoutComments(source: string): string {
  return source.replaceAll(/^\s*\/\/.*$|^\s*\/\*\*[\s\S]*?\*\/$/gm, '');
}

/** A spec that needs a program which is not there is pending: it says so itself, and `openBrowser()` does by mocha's context. */
const MARK =
  /\b(?:describe|context|suite|it|specify|test)\s*(?:\.\s*(?:only|skip)|\[\s*['"](?:only|skip)['"]\s*\])(?=\W)|\bx(?:describe|context|it|specify)\s*\(|\bthis\.skip\(/g;

/** What a spec imports whose search goes further if it is told to. */
const SEARCHES = /from '[./]*\/generators\/effort\.ts'/;

const OWN = 'spec/support/specs.spec.ts';

/** What mocha looks for. */
const BY_OTHERS = /: (?:mochaHooks|mochaGlobalSetup|mochaGlobalTeardown)$/;
