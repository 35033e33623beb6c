import { expect } from 'chai';
import { cpSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addFiles, bareProject, fullProject, succeeded, type InstalledProject } from './installed-project.ts';

describe('the packed package', () => {
  let project: InstalledProject;

  before(async () => {
    project = await fullProject();
  });

  describe('what is in it', () => {
    it('G2 has the built code with types and maps, its sources, and nothing else of the repository', () => {
      const { files } = project;
      const sources = sourceFiles('lib');
      const declared = sources.flatMap(path => ['.d.ts', '.d.ts.map'].map(ending => path.replace(/^lib/, 'dist').replace(/\.ts$/, ending)));
      const chunks = files.filter(path => /^dist\/chunks\/[\w-]+\.js$/.test(path) && path !== LATER);
      const built = [LATER, ...[...entries(), ...chunks].flatMap(path => [path, `${path}.map`])];

      expect(sources).to.include.members(['lib/index.ts', 'lib/with-tenants.ts']);
      expect(without([...built, ...declared, ...sources], files), 'missing').to.deep.equal([]);
      expect(without(files, [...built, ...declared, ...sources, ...DOCUMENTS]), 'not meant for users').to.deep.equal([]);
    });

    it('G2 has the code of each source once, in few files, so that a process starts in little time', () => {
      const code = project.files.filter(path => path.endsWith('.js') && path !== LATER);
      const sources = code.flatMap(path =>
        (JSON.parse(read(`${path}.map`)) as { readonly sources: readonly string[] }).sources.map(source =>
          posix.join(dirname(path), source),
        ),
      );

      expect(sources.filter((source, place) => sources.indexOf(source) !== place)).to.deep.equal([]);
      expect(code).to.have.length.below(60);
    });

    it('G2 imports packages later from a small file alone, so that tsx does not write the large ones anew', () => {
      const importing = project.files.filter(path => path.endsWith('.js') && /(?<![.\w])import\("[^."]/.test(read(path)));

      expect(importing).to.deep.equal([LATER]);
    });

    it('G2 has its README, its licence and its changes', () => {
      expect(without(DOCUMENTS, project.files), 'missing').to.deep.equal([]);
    });

    it('G2 has every source that its maps point to', () => {
      const maps = project.files.filter(path => path.endsWith('.map'));
      const sources = maps.flatMap(path => {
        const { sourceRoot = '', sources: own } = JSON.parse(read(path)) as {
          readonly sourceRoot?: string;
          readonly sources: readonly string[];
        };

        return own.map(source => posix.join(dirname(path), sourceRoot, source));
      });

      expect(maps).not.to.deep.equal([]);
      expect(sources).to.have.length.at.least(maps.length);
      expect(without(sources, project.files), 'missing').to.deep.equal([]);
    });

    it('G2 names no folder of the machine it was built on, and no package registry', () => {
      const found = project.files.flatMap(path => {
        const text = read(path);
        return [...(text.includes(ROOT.replace(/\/$/, '')) ? [ROOT] : []), ...(text.match(MACHINE) ?? [])].map(
          match => `${path}: ${match}`,
        );
      });

      expect(found).to.deep.equal([]);
    });

    it('G2 imports no package that it does not declare, in code and in types', () => {
      const { name, dependencies, peerDependencies } = JSON.parse(read('package.json')) as {
        readonly name: string;
        readonly dependencies: object;
        readonly peerDependencies: object;
      };
      const declared = [...Object.keys(dependencies ?? {}), ...Object.keys(peerDependencies ?? {})];
      const imported = project.files
        .filter(path => /\.(?:js|d\.ts)$/.test(path))
        .flatMap(path => [...read(path).matchAll(IMPORTED)].map(([, specifier = '']) => packageOf(specifier)));

      expect(imported).to.include.members(['@mikro-orm/core', '@mikro-orm/postgresql', 'koa', 'p-map']);
      expect(without([...new Set(imported)], [...declared, name])).to.deep.equal([]);
    });

    it('G2 installs no package by an address of its own', () => {
      const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string> | undefined>;
      const ranges = [manifest['dependencies'], manifest['peerDependencies']].flatMap(group => Object.values(group ?? {}));

      expect(ranges.filter(range => /[/:]/.test(range))).to.deep.equal([]);
    });
  });

  describe('what it exports', () => {
    it('G2 has types that fit what Node loads, as an ES module', async () => {
      const attw = join(ROOT, 'node_modules/.bin/attw');
      const { code, stdout } = await project.run(attw, [
        project.tarball,
        '--profile',
        'esm-only',
        '--no-definitely-typed',
        '--format',
        'json',
      ]);
      const { analysis } = JSON.parse(stdout) as {
        readonly analysis: { readonly entrypoints: object; readonly types: { readonly kind: string } };
      };

      expect(analysis.types.kind).to.equal('included');
      expect(Object.keys(analysis.entrypoints)).to.have.members([
        '.',
        ...[...EDGES, ...TESTING].map(path => `./${path}`),
        './package.json',
      ]);
      expect(code, stdout).to.equal(0);
    });

    it('G2 is loaded by its name and by each path that it exports, and by no other', async () => {
      const { exports } = JSON.parse(read('package.json')) as { readonly exports: object };
      const outcomes = await importAll(project, [
        ...Object.keys(exports).map(path => posix.join('@landlord/mikro-orm', path)),
        '@landlord/mikro-orm/dist/index.js',
        '@landlord/mikro-orm/dist/tenancy.js',
        '@landlord/mikro-orm/lib/index.ts',
        '@landlord/mikro-orm/tenancy',
      ]);

      expect(outcomes).to.deep.equal({
        '@landlord/mikro-orm': 'loaded',
        ...Object.fromEntries(EDGES.map(edge => [`@landlord/mikro-orm/${edge}`, 'loaded'])),
        ...Object.fromEntries(TESTING.map(path => [`@landlord/mikro-orm/${path}`, 'loaded'])),
        '@landlord/mikro-orm/package.json': 'loaded',
        '@landlord/mikro-orm/dist/index.js': 'ERR_PACKAGE_PATH_NOT_EXPORTED',
        '@landlord/mikro-orm/dist/tenancy.js': 'ERR_PACKAGE_PATH_NOT_EXPORTED',
        '@landlord/mikro-orm/lib/index.ts': 'ERR_PACKAGE_PATH_NOT_EXPORTED',
        '@landlord/mikro-orm/tenancy': 'ERR_PACKAGE_PATH_NOT_EXPORTED',
      });
    });

    it('G2 is one module for code in CommonJS, which requires it, and for code that imports it', async () => {
      const script = `
        const { withTenants } = require('@landlord/mikro-orm');
        const { tenantContext } = require('@landlord/mikro-orm/express');
        import('@landlord/mikro-orm').then(library => console.log(library.withTenants === withTenants, typeof tenantContext));
      `;
      const { stdout } = succeeded(await project.run('node', ['--input-type=commonjs', '-e', script]));

      expect(stdout.trim()).to.equal('true function');
    });

    it('G2 is the module it says it is, with everything that it promises', async () => {
      const script = `console.log(JSON.stringify(Object.keys(await import('@landlord/mikro-orm'))))`;
      const names = JSON.parse((await evaluate(project, script)).stdout) as string[];

      expect(names).to.include.members([
        'withTenants',
        'TenantMixin',
        'TenantEntityManager',
        'tenants',
        'tenantContext',
        'schemaRouter',
        'TenantError',
        'runInTenant',
        'runInPublic',
        'forEachTenant',
        'currentTenant',
        'requireTenant',
        'currentSchema',
      ]);
    });
  });

  describe('what it needs', () => {
    let bare: InstalledProject;

    before(async () => {
      bare = await bareProject();
    });

    it('G2 is installed without what is optional, and loaded', async () => {
      const absent = ['koa', '@koa/router', '@mikro-orm/pglite'];

      expect(await importAll(bare, ['@landlord/mikro-orm', ...absent])).to.deep.equal({
        '@landlord/mikro-orm': 'loaded',
        ...Object.fromEntries(absent.map(name => [name, 'ERR_MODULE_NOT_FOUND'])),
      });
    });

    it('G2 compiles for one who has no Koa, with the types of the EntityManager in place', async () => {
      addFiles(bare, 'consumer');
      succeeded(await bare.run('tsc', ['-p', 'tsconfig.bare.json']));
    });

    it('G2 E1 has declarations that compile where those of libraries are checked too, and no framework is installed', async () => {
      addFiles(bare, 'consumer');

      for (const types of ['@types/node', 'undici-types']) {
        cpSync(join(ROOT, 'node_modules', types), join(bare.folder, 'node_modules', types), { recursive: true, dereference: true });
      }

      const options = ['--skipLibCheck', 'false', '--types', 'node', '--pretty', 'false', '--listFiles'];
      const { stdout } = await bare.run('tsc', ['-p', 'tsconfig.bare.json', ...options]);
      const lines = stdout.split('\n');
      const read = lines.filter(line => /\/node_modules\//.test(line) && !line.includes(': error TS'));

      expect(
        read.filter(line => line.endsWith('/@landlord/mikro-orm/dist/index.d.ts')),
        stdout.slice(0, 2000),
      ).to.have.length(1);
      expect(read.filter(line => FRAMEWORK_TYPES.test(line))).to.deep.equal([]);
      // errors of MikroORM's own types, and of types from packages that are not installed
      const problems = lines.filter(line => /\(\d+,\d+\): error TS/.test(line));
      expect(problems.filter(line => !OTHERS.test(line))).to.deep.equal([]);
    });

    it('G2 is one copy of MikroORM with the user', async () => {
      const nested = succeeded(await project.run('npm', ['ls', '--all', '--json', '@mikro-orm/core'])).stdout;

      const copies = [...nested.matchAll(/"@mikro-orm\/core": \{\s*"version": "([^"]*)"/g)].map(([, version]) => version);

      expect(new Set(copies)).to.have.length(1);
    });
  });

  /** What Node loads by the names of the package and of its programs. */
  function entries(): string[] {
    const { exports, bin } = JSON.parse(read('package.json')) as {
      readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
      readonly bin: Readonly<Record<string, string>>;
    };
    const paths = [...Object.values(exports).flatMap(each => (typeof each === 'string' ? [] : [each.default])), ...Object.values(bin)];

    return [...new Set(paths.map(path => posix.normalize(path)))];
  }

  function read(path: string): string {
    return readFileSync(join(project.folder, 'node_modules/@landlord/mikro-orm', path), 'utf8');
  }
});

function sourceFiles(folder: string): string[] {
  return (
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .map(path => posix.join(folder, path.replaceAll('\\', '/')))
      // a declaration of another package's types is nothing to build
      .filter(path => path.endsWith('.ts') && !path.endsWith('.d.ts'))
  );
}

function without(paths: readonly string[], others: readonly string[]): string[] {
  return paths.filter(path => !others.includes(path));
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** For each name, that it was loaded, or the code of the error. */
async function importAll(project: InstalledProject, names: readonly string[]): Promise<Record<string, string>> {
  const script = `
    const outcomes = {};
    for (const name of ${JSON.stringify(names)}) {
      const options = name.endsWith('.json') ? { with: { type: 'json' } } : {};
      outcomes[name] = await import(name, options).then(() => 'loaded', error => error.code ?? String(error));
    }
    console.log(JSON.stringify(outcomes));`;

  return JSON.parse((await evaluate(project, script)).stdout) as Record<string, string>;
}

async function evaluate(project: InstalledProject, script: string): Promise<{ readonly stdout: string }> {
  return succeeded(await project.run('node', ['--input-type=module', '--eval', script]));
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The subpaths for the frameworks. */
const EDGES = ['koa', 'express', 'fastify', 'hono', 'node', 'nest', 'opentelemetry'];

/** The subpaths for the tests of users. */
const TESTING = ['testing', 'testing/mocha', 'testing/vitest', 'testing/node', 'testing/jest', 'testing/server', 'testing/server/teardown'];

/** What is imported later, of other packages. */
const LATER = 'dist/chunks/later.js';

const DOCUMENTS = [
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'SECURITY.md',
  'docs/guarantees.md',
  'docs/operating.md',
  'docs/seams.md',
  'package.json',
];

const FRAMEWORK_TYPES = /node_modules\/(?:@types\/(?:koa|express)|@koa|koa|express|fastify|@nestjs|hono|rxjs)\//;

const OTHERS = /^node_modules\/(?:@mikro-orm|@electric-sql|kysely|postgres-interval)\//;

/** The imported packages, without relative files and Node's own modules. */
const IMPORTED = /(?:from|import\(|import) ?['"](?!node:|\.)([@\w][^'"\s,]+)['"]/g;

const MACHINE =
  /file:\/\/\/\S*|(?<=^|[\s'"`(=])\/(?:home|root|Users|tmp|work|var|opt)\/\S*|\bregistry\.(?:npmjs|yarnpkg)\b\S*|_authToken/gm;
