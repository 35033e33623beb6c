import { expect } from 'chai';
import { build } from 'esbuild';
import { ROOT } from '../support/orm/library-orm.ts';

/** The packages of frameworks that an edge may load. Types are not loaded. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  '': [],
  '/koa': [],
  '/express': [],
  '/fastify': [],
  '/node': [],
  '/hono': ['hono'],
  '/opentelemetry': ['@opentelemetry/api'],
  '/nest': ['@nestjs/common', '@nestjs/core', 'rxjs'],
};

const FRAMEWORKS =
  /^(?:koa|@koa\/|express|fastify|@fastify\/|hono|@hono\/|@nestjs\/|rxjs|@opentelemetry\/|pino|pg-boss|graphile-worker|graphql|ws$|reflect-metadata)/;

describe('what the edges load', () => {
  for (const [subpath, allowed] of Object.entries(ALLOWED)) {
    it(`G2 E1 @landlord/mikro-orm${subpath} loads no framework but its own`, async () => {
      const { metafile } = await build({
        stdin: { contents: `export * from '@landlord/mikro-orm${subpath}';`, resolveDir: ROOT },
        bundle: true,
        minify: true,
        write: false,
        metafile: true,
        platform: 'node',
        format: 'esm',
        logLevel: 'silent',
        plugins: [
          {
            name: 'packages stay outside, and the library itself does not',
            setup: bundler => {
              bundler.onResolve({ filter: /^[^.]/ }, ({ path }) => (path.startsWith('@landlord/') ? undefined : { path, external: true }));
            },
          },
        ],
      });
      const loaded = Object.values(metafile.outputs)
        .flatMap(({ imports }) => imports.map(({ path }) => path))
        .filter(path => FRAMEWORKS.test(path));

      expect(Object.keys(metafile.inputs)).to.have.length.above(20);
      expect([...new Set(loaded.map(path => path.replace(/^(hono)\/.*/, '$1')))].toSorted()).to.deep.equal([...allowed]);
    });
  }
});
