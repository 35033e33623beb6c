import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../support/orm/library-orm.ts';

describe('docs/guarantees.md and the titles of the specs', () => {
  let defined: readonly string[];
  let specs: readonly Spec[];

  before(async () => {
    const text = await readFile(join(ROOT, 'docs/guarantees.md'), 'utf8');
    defined = [...text.matchAll(DEFINITION)].map(([, id = '']) => id);
    specs = await listSpecs();
  });

  it('has each definition once', () => {
    expect(defined).not.to.deep.equal([]);
    expect(defined.filter((id, index) => defined.indexOf(id) !== index)).to.deep.equal([]);
  });

  it('has a definition for each id that a title carries', () => {
    const undefinedIds = specs.flatMap(spec =>
      idsOf(spec.title)
        .filter(id => !defined.includes(id))
        .map(id => `${id}, in ${spec.file}`),
    );

    expect([...new Set(undefinedIds)]).to.deep.equal([]);
  });

  it('has a spec for each definition', () => {
    const carried = new Set(specs.flatMap(spec => idsOf(spec.title)));

    expect(defined.filter(id => !carried.has(id))).to.deep.equal([]);
  });

  it('every title begins with an id, except those of the example application, of the documents and of the specs themselves', () => {
    const without = specs.filter(({ file, title }) => idsOf(title).length === 0 && !WITHOUT_IDS.some(folder => file.startsWith(folder)));

    expect(without.map(({ file, title }) => `${file}: ${title}`)).to.deep.equal([]);
  });
});

/** Every spec there is, by a run of mocha that calls none of them: many titles are made from tables, so the files do not show them. */
async function listSpecs(): Promise<Spec[]> {
  const folder = await mkdtemp(join(tmpdir(), 'titles-'));
  const output = join(folder, 'titles.json');
  // as part of `npm test` it would look for programs to install
  const { npm_lifecycle_event: _, ...env } = process.env;

  try {
    const mocha = join(ROOT, 'node_modules/mocha/bin/mocha.js');
    const args = [mocha, '--dry-run', '--reporter', 'json', '--reporter-option', `output=${output}`, 'spec/**/*.spec.ts'];
    await promisify(execFile)(process.execPath, args, { cwd: ROOT, env });
    const { tests } = JSON.parse(await readFile(output, 'utf8')) as { readonly tests: readonly Spec[] };

    return tests.map(({ file, title }) => ({ file: relative(ROOT, file), title }));
  } finally {
    await rm(folder, { recursive: true });
  }
}

function idsOf(title: string): string[] {
  return IDS.exec(title)?.[0].match(ID) ?? [];
}

interface Spec {
  readonly file: string;
  readonly title: string;
}

const WITHOUT_IDS = ['spec/docs/', 'spec/fixtures/', 'spec/support/'];

const ID = /[A-Z]\d+|law \d+/g;

// such as `T9 refuses …`, `T13 H3 …`, `N3, law 3: …`
const IDS = /^(?:(?:[A-Z]\d+|law \d+)[,:]? )+/;

const DEFINITION = /^- \*\*([A-Z]\d+|law \d+)\*\* \S/gm;
