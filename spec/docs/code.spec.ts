import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import * as landlord from '@landlord/mikro-orm';
import { ROOT } from '../support/orm/library-orm.ts';
import { codeBlocksOf } from '../support/processes/code-blocks.ts';

const DOCUMENTS = ['README.md', 'SECURITY.md', 'CONTRIBUTING.md', 'docs/operating.md'];

/** What a project's own settings are called that the text around the code asks for. */
const OF_NEST = { experimentalDecorators: true, emitDecoratorMetadata: true };

describe('the code in the documents', function () {
  this.timeout(120_000);

  let folder: string;

  before(async () => {
    // inside of this package, which is found by its name there
    mkdirSync(join(ROOT, '.data'), { recursive: true });
    folder = mkdtempSync(join(ROOT, '.data/code-'));
    await tsc('--init');
  });

  after(() => rmSync(folder, { recursive: true }));

  for (const document of DOCUMENTS) {
    it(`of ${document} compiles in a project as \`tsc --init\` makes it`, async () => {
      const files: string[] = [];

      for (const [index, { file, language, code }] of codeBlocksOf(document).entries()) {
        if (language === 'ts') {
          const name = file ?? `fragment-${index}.ts`;
          writeFileSync(join(folder, name), file === undefined ? withImports(code) : code);
          files.push(name);
        }
      }

      const nest = files.filter(each => readFileSync(join(folder, each), 'utf8').includes('@nestjs/'));
      const others = files.filter(each => !nest.includes(each));
      const problems = await Promise.all([problemsOf(others, {}), problemsOf(nest, OF_NEST)]);

      expect(problems.flat()).to.deep.equal([]);
    });
  }

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
    writeFileSync(join(folder, 'wrong.ts'), withImports('await runInTenant(1, em => em.find(Book, { nmae: 1 }));'));

    expect((await problemsOf(['wrong.ts'], {})).join('\n'))
      .to.contain('TS2345')
      .and.to.contain('nmae');
  });

  async function problemsOf(files: readonly string[], compilerOptions: object): Promise<string[]> {
    if (files.length === 0) {
      return [];
    }

    const project = `tsconfig.${files[0]}.json`;
    // what it writes has `types: []`, and a comment that says what Node.js needs
    const settings = { extends: './tsconfig.json', compilerOptions: { types: ['node'], noEmit: true, ...compilerOptions }, files };
    writeFileSync(join(folder, project), JSON.stringify(settings));
    const { stdout } = await tsc('-p', project, '--pretty', 'false').catch((error: { readonly stdout: string }) => error);

    return stdout.split('\n').filter(line => line !== '');
  }

  function tsc(...args: readonly string[]): Promise<{ readonly stdout: string }> {
    return promisify(execFile)(process.execPath, [TSC, ...args], { cwd: folder });
  }
});

/** A fragment as a module, with all that it takes from the files of the README. */
function withImports(fragment: string): string {
  const isUsed = (name: string): boolean => new RegExp(String.raw`\b${name}\b`).test(fragment);
  const isGiven = (name: string): boolean => isUsed(name) && !new RegExp(String.raw`const ${name}\b|\b${name} =>`).test(fragment);
  const imports = [
    `import { ${Object.keys(landlord).filter(isUsed).join(', ')} } from '@landlord/mikro-orm';`,
    `import type { TenantEntityManager as Em } from '@landlord/mikro-orm';`,
    ...(isUsed('defineConfig') ? [`import { defineConfig } from '@mikro-orm/postgresql';`] : []),
    ...['Book', 'Client']
      .filter(name => isUsed(name) || (name === 'Client' && isGiven('client')))
      .map(name => `import { ${name} } from './entities.js';`),
    ...(isUsed('config') ? [`import config from './mikro-orm.config.js';`] : []),
    ...(isGiven('em') ? ['declare const em: Em;'] : []),
    ...(isGiven('orm') ? ['declare const orm: { readonly em: Em };'] : []),
    ...(isGiven('client') ? ['declare const client: Client;'] : []),
  ];

  return `${imports.join('\n')}\n${fragment}`;
}

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
