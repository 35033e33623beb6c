import { expect } from 'chai';
import { build } from 'esbuild';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onDatabases } from '../support/databases/database.ts';
import { ROOT } from '../support/orm/library-orm.ts';
import { send } from '../support/web/http.ts';
import { createTenants, openShop } from './bundle/edges/shop.ts';

const EDGES = ['koa', 'express', 'fastify', 'hono', 'node', 'nest'] as const;

/** What packages load only if it is installed. */
const OPTIONAL = [
  'pg-native',
  '@mikro-orm/cli',
  '@nestjs/microservices*',
  '@nestjs/websockets*',
  '@nestjs/platform-socket.io',
  'class-transformer*',
  'class-validator',
];

onDatabases(
  'an application of each framework in one minified file',
  database => {
    let folder: string;
    let running: ChildProcess | undefined;

    before(async () => {
      // a folder without packages, so that the file has all that it needs
      folder = await mkdtemp(join(tmpdir(), 'landlord-bundles-'));
      const orm = await openShop(database.url);
      await createTenants(orm, 'acme', 'bob');
      await orm.close();
      await build({
        entryPoints: EDGES.map(edge => join(ROOT, `spec/package/bundle/edges/${edge}.ts`)),
        outdir: folder,
        outExtension: { '.js': '.mjs' },
        bundle: true,
        minify: true,
        platform: 'node',
        format: 'esm',
        external: OPTIONAL,
        // CommonJS in an ES module
        banner: {
          js: `import { createRequire as requireOfNode } from 'node:module'; import { dirname as dirnameOfNode } from 'node:path'; const require = requireOfNode(import.meta.url); const __filename = import.meta.filename; const __dirname = import.meta.dirname;`,
        },
        logLevel: 'silent',
      });
    });

    afterEach(() => {
      running?.kill('SIGKILL');
      running = undefined;
    });

    after(() => rm(folder, { recursive: true, force: true }));

    for (const edge of EDGES) {
      it(`G6 E1 serves two hosts, each its own tenant: ${edge}`, async () => {
        const child = spawn(process.execPath, [join(folder, `${edge}.mjs`)], {
          cwd: folder,
          env: { ...process.env, DATABASE_URL: database.url },
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        running = child;
        let errors = '';
        child.stderr.on('data', chunk => (errors += String(chunk)));
        const closed = once(child, 'close');
        const [line] = (await Promise.race([once(child.stdout, 'data'), closed.then(() => [`ended: ${errors}`])])) as [unknown];
        const port = Number(line);
        expect(port, String(line)).to.be.above(0);

        const get = async (name: string, request: object = {}): Promise<unknown> => {
          const { status, body } = await send({ port, path: '/', headers: { host: `${name}.example.com` }, ...request });

          return status < 300 ? (JSON.parse(body) as unknown) : status;
        };
        const add = (name: string): Promise<unknown> =>
          get(name, {
            method: 'POST',
            path: '/books',
            headers: { host: `${name}.example.com`, 'content-type': 'application/json' },
            body: JSON.stringify({ title: `${edge} of ${name}` }),
          });
        const page = (name: string, ...more: string[]): object => ({
          tenant: name,
          titles: [`Book of ${name}`, ...EDGES.slice(0, EDGES.indexOf(edge)).map(each => `${each} of ${name}`), ...more],
        });
        const names = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? 'acme' : 'bob'));

        expect(await get('acme')).to.deep.equal(page('acme'));
        expect(await Promise.all(names.map(name => get(name)))).to.deep.equal(names.map(name => page(name)));
        expect(await add('acme')).to.deep.equal(page('acme', `${edge} of acme`));
        expect(await get('bob')).to.deep.equal(page('bob'));
        await add('bob');
        expect(await get('nobody')).to.equal(404);
        expect(await get('', { path: edge === 'nest' ? '/about' : '/', headers: { host: 'example.com' } })).to.deep.equal({
          page: 'public',
        });
        child.kill('SIGTERM');
        expect((await closed)[0]).to.equal(0);
        expect(errors).to.equal('');
      });
    }
  },
  ['postgresql'],
);
