import { expect } from 'chai';
import { build } from 'esbuild';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onDatabases } from '../support/databases/database.ts';
import { ROOT } from '../support/orm/library-orm.ts';

/** What a bundle has: the application alone, or all packages too. Names of classes change where two are the same, and where it is minified. */
const BUNDLES = [
  { title: 'the application', packages: 'external', minify: false },
  { title: 'the application, minified', packages: 'external', minify: true },
  { title: 'everything', packages: 'bundle', minify: false },
  { title: 'everything, minified', packages: 'bundle', minify: true },
] as const;

/** In CommonJS, `import.meta` is empty. An ES module has no `require` for what it includes of CommonJS. */
const FORMATS = [
  {
    format: 'esm',
    extension: 'mjs',
    banner: `import { createRequire as requireOfNode } from 'node:module'; const require = requireOfNode(import.meta.url);`,
  },
  { format: 'cjs', extension: 'cjs', banner: '' },
] as const;

onDatabases(
  'an application in a bundle of esbuild',
  database => {
    let folder: string;

    before(async () => {
      await mkdir(join(ROOT, '.data'), { recursive: true });
      folder = await mkdtemp(join(ROOT, '.data', 'bundle-'));
    });

    afterEach(async () => {
      for (const name of ['acme', 'bob', 'public']) {
        await database.query(`drop schema if exists ${name} cascade`);
      }

      await database.query('create schema public');
    });

    after(() => rm(folder, { recursive: true, force: true }));

    for (const [bundle, kind] of BUNDLES.flatMap(each => FORMATS.map(format => [each, format] as const))) {
      const { title, packages, minify } = bundle;
      const { format, extension, banner } = kind;

      it(`G6 works as it does without: ${title}, as ${format}`, async () => {
        const file = join(folder, `${packages}-${minify}.${extension}`);
        await build({
          entryPoints: [join(ROOT, 'spec/package/bundle/app.ts')],
          outfile: file,
          bundle: true,
          platform: 'node',
          format,
          packages,
          minify,
          // what the packages load only if it is installed
          external: ['pg-native', '@mikro-orm/cli'],
          banner: { js: banner },
          logLevel: 'silent',
        });

        const { stdout } = await promisify(execFile)(process.execPath, [file], { env: { ...process.env, DATABASE_URL: database.url } });

        expect(JSON.parse(stdout)).to.deep.equal({
          populated: ['acme book'],
          tenant: 'acme',
          raw: [{ title: 'acme book' }],
          refused: [true, 'CROSS_TENANT'],
          counts: [1, 0],
          outside: 'TENANT_CONTEXT_REQUIRED',
          status: [
            ['acme', ['First']],
            ['bob', ['First']],
          ],
        });
      });
    }
  },
  ['postgresql'],
);
