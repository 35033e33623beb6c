import { expect } from 'chai';
import { execFile, execFileSync } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { loadModule, parseSync } from 'libpg-query';
import { parseAllDocuments } from 'yaml';
import * as landlord from '@landlord/mikro-orm';
import { codeBlocksOf, type CodeBlock } from '../../docs/.vitepress/site/code-blocks.ts';
import { importsOf } from '../../docs/.vitepress/site/fragment.ts';
import { describeBlockers } from '../../lib/errors/blocker.ts';
import { onDatabases } from '../support/databases/database.ts';
import { ROOT } from '../support/orm/library-orm.ts';
import { DOCUMENTS } from '../support/processes/documents.ts';

const DOCS = join(ROOT, 'docs');

const BLOCKS = DOCUMENTS.flatMap(document => codeBlocksOf(join(ROOT, document), DOCS).map(block => ({ ...block, document })));

type Block = CodeBlock & { readonly document: string };

/** What looks at a block of each language. One of a language that is not here is checked by nothing. */
const CHECKS: Readonly<Record<string, (block: Block) => unknown>> = {
  // all files at once, below, and by `tsc -p docs/examples`
  ts: () => undefined,
  json: ({ code }) => JSON.parse(code.replaceAll(/^\s*\/\/.*$/gm, '')) as unknown,
  yaml: ({ code }) => parseAllDocuments(code).forEach(each => expect(each.errors).to.deep.equal([])),
  yml: block => CHECKS['yaml']?.(block),
  sql: ({ code }) => parseSync(code.replaceAll('…', '')),
  // the specs of the page run it
  mjs: ({ code }) => execFileSync(process.execPath, ['--input-type=module', '--check'], { input: code }),
  sh: ({ code }) => execFileSync('bash', ['-n'], { input: code }),
  // as it is printed, by what prints it
  text: ({ code }) => expect(PRINTED).to.include(code.trim()),
  // run by a spec, which names the page
  console: ({ document }) => expect(namedBySpecs(document), `no spec runs the commands of ${document}`).not.to.deep.equal([]),
  Dockerfile: ({ source = '' }) => expect(namedBySpecs(source.split('/').at(-1) ?? ''), `no spec reads ${source}`).not.to.deep.equal([]),
};

describe('the code in the documents', () => {
  let folder: string;

  before(async () => {
    await loadModule();
    // inside of this package, which is found by its name there
    mkdirSync(join(ROOT, '.data'), { recursive: true });
    folder = mkdtempSync(join(ROOT, '.data/code-'));
    await tsc('--init');
  });

  after(() => rmSync(folder, { recursive: true }));

  it('is of languages that a check looks at, and passes it', () => {
    const problems = BLOCKS.flatMap(block => {
      try {
        const check = CHECKS[block.language] ?? expect.fail(`nothing checks blocks of the language "${block.language}"`);
        check(block);

        return [];
      } catch (error) {
        return [`${block.document}:${block.line}: ${String(error)}`];
      }
    });

    expect(problems).to.deep.equal([]);
    expect(BLOCKS).to.have.length.above(50);
  });

  it('is shown by a page, if it is a file of the examples', () => {
    const shown = new Set(BLOCKS.map(({ source }) => source));
    const files = globSync('examples/**/*.{ts,json,yaml,sh}', { cwd: DOCS }).map(file => join(DOCS, file));
    const unused = files.filter(file => !shown.has(file) && !isImported(file) && !/tsconfig|\/migrations\//.test(file));

    expect(unused.map(file => relative(ROOT, file))).to.deep.equal([]);
  });

  it('compiles in a project as `tsc --init` makes it', async () => {
    const inPlace = BLOCKS.filter(({ language, source, isSignature }) => language === 'ts' && source === undefined && !isSignature);
    const files = inPlace.map(({ file, code, document }, index) => {
      // the files of one document import each other
      const name = `${document.replaceAll(/\W/g, '-')}/${file ?? `fragment-${index}.ts`}`;
      mkdirSync(join(folder, dirname(name)), { recursive: true });
      writeFileSync(join(folder, name), file === undefined ? withImports(code) : code);

      return name;
    });

    expect(inPlace).to.have.length.above(5);
    expect(await problemsOf(files, {})).to.deep.equal([]);
  });

  for (const project of ['docs/examples/tsconfig.json', 'docs/examples/tsconfig.metadata.json']) {
    it(`of the examples compiles by ${project}`, async () => {
      const { stdout } = await tsc('-p', join(ROOT, project), '--pretty', 'false').catch((error: { readonly stdout: string }) => error);

      expect(stdout).to.equal('');
    });
  }

  it('that is a signature stands only in what is written from the code', () => {
    const signatures = BLOCKS.filter(({ isSignature }) => isSignature);

    expect([...new Set(signatures.map(({ document }) => document))]).to.deep.equal(['docs/reference/functions.md']);
  });

  it('of `mikro-orm discovery:export` compiles, with the entities that it lists', async () => {
    const bin = join(ROOT, 'dist/cli/bin.js');
    const exported = join(folder, 'exported.ts');
    const args = ['discovery:export', '--path', 'fixtures/entities/*.ts', '--out', exported];
    await promisify(execFile)(process.execPath, ['--import', 'tsx', bin, ...args], { cwd: ROOT });
    writeFileSync(join(folder, 'uses-exported.ts'), USES_EXPORTED);

    expect(readFileSync(exported, 'utf8')).to.contain('] as const;');
    expect(
      await problemsOf(['uses-exported.ts'], { allowImportingTsExtensions: true, rewriteRelativeImportExtensions: true }),
    ).to.deep.equal([]);
  });

  it('finds what does not compile', async () => {
    mkdirSync(join(folder, 'document'), { recursive: true });
    writeFileSync(join(folder, 'document/wrong.ts'), withImports('await runInTenant(1, em => em.find(Book, { nmae: 1 }));'));

    expect((await problemsOf(['document/wrong.ts'], {})).join('\n'))
      .to.contain('TS2345')
      .and.to.contain('nmae');
  });

  async function problemsOf(files: readonly string[], compilerOptions: object): Promise<string[]> {
    const project = `tsconfig.${files[0]?.replaceAll('/', '-')}.json`;
    // what it writes has `types: []`, and a comment that says what Node.js needs
    const settings = { extends: './tsconfig.json', compilerOptions: { types: ['node'], noEmit: true, ...compilerOptions }, files };
    writeFileSync(join(folder, project), JSON.stringify(settings));
    const { stdout } = await tsc('-p', project, '--pretty', 'false').catch((error: { readonly stdout: string }) => error);

    return stdout.split('\n').filter(line => line !== '');
  }

  function tsc(...args: readonly string[]): Promise<{ readonly stdout: string }> {
    return promisify(execFile)(process.execPath, [TSC, ...args], { cwd: folder });
  }

  /** A fragment as a module, with all that it takes from the files of the page "Start". */
  function withImports(fragment: string): string {
    const entities = `${relative(join(folder, 'document'), join(DOCS, 'examples/start'))}/entities.js`;

    return `${importsOf(fragment, Object.keys(landlord), entities)}\n${fragment}\nexport {};`;
  }
});

onDatabases(
  'the queries in the documents',
  database => {
    for (const { document, line, code } of BLOCKS.filter(block => block.language === 'sql' && /^select\b/.test(block.code))) {
      it(`of ${document}, line ${line}, are answered`, async () => {
        expect(await database.query(code)).to.be.an('array');
      });
    }
  },
  ['postgresql'],
);

/** The specs that name a file. */
function namedBySpecs(file: string): string[] {
  return globSync('spec/**/*.spec.ts', { cwd: ROOT }).filter(
    spec => spec !== 'spec/docs/code.spec.ts' && readFileSync(join(ROOT, spec), 'utf8').includes(file),
  );
}

function isImported(file: string): boolean {
  const name = `./${file.split('/').at(-1)?.replace(/\.ts$/, '.js')}`;

  return globSync('**/*.ts', { cwd: dirname(file) }).some(each => readFileSync(join(dirname(file), each), 'utf8').includes(`'${name}'`));
}

/** Blocks of output, as the code prints them. */
const PRINTED = [
  `acme: waiting for a lock that is held by ${describeBlockers([
    { pid: 4711, application: 'psql', user: 'ada', state: 'idle in transaction', forMs: 40_000, query: 'select * from book' },
  ])}`,
];

const USES_EXPORTED = `
import { withTenants } from '@landlord/mikro-orm';
import { defineConfig, MikroORM } from '@mikro-orm/postgresql';
import { Book, Library } from '../../fixtures/entities/index.js';
import { entities, type Database, type EntityManager } from './exported.js';

export const config = withTenants(defineConfig({ entities, dbName: 'app' }), { tenant: Library });
export const orm = await MikroORM.init(config);
await orm.em.persistAndFlush(new Library({ name: 'Acme', domainUrl: 'acme.example.com', schemaName: 'acme' }));
export const found: Book[] = await orm.em.find(Book, { title: 'Emma' });
export const em: EntityManager['find'] | Database = orm.em.find;
// @ts-expect-error no such property
await orm.em.find(Book, { nmae: 'Emma' });
export const inPlace = withTenants(defineConfig({ entities: [Book, Library] as const, dbName: 'app' }), { tenant: Library });
// @ts-expect-error it is no entity
withTenants(defineConfig({ entities: [1] as const, dbName: 'app' }), { tenant: Library });
`;

const TSC = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
