import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { compileFunction } from 'node:vm';
import * as landlord from '@landlord/mikro-orm';
import * as es from '@mikro-orm/decorators/es';
import * as legacy from '@mikro-orm/decorators/legacy';
import type { JscTarget } from '@swc/core';

/** One setting of one compiler. */
export interface Compiler {
  readonly title: string;
  /** What becomes of class fields: JavaScript defines them, a helper of the compiler does, or the constructor assigns them. */
  readonly fields: 'define' | 'helper' | 'assign';
  readonly decorators: 'es' | 'legacy';
  /** Returns CommonJS. */
  compile(source: string): Promise<string>;
}

/** The compilers that applications are built with, in each setting that decides what becomes of class fields. */
export const COMPILERS: readonly Compiler[] = (['es', 'legacy'] as const).flatMap(decorators => [
  tsc({ decorators, fields: 'define' }),
  tsc({ decorators, fields: 'helper' }),
  tsc({ decorators, fields: 'assign' }),
  esbuild({ decorators, fields: 'define' }),
  esbuild({ decorators, fields: 'helper' }),
  esbuild({ decorators, fields: 'assign' }),
  esbuild({ decorators, fields: 'assign', isMinified: true }),
  swc({ decorators, fields: 'define' }),
  swc({ decorators, fields: 'helper' }),
  swc({ decorators, fields: 'assign' }),
  swc({ decorators, fields: 'assign', target: 'es5' }),
  // its legacy decorators do not work without its plugin for class fields
  ...(decorators === 'es' ? [babel({ decorators, fields: 'define' })] : []),
  babel({ decorators, fields: 'helper' }),
  babel({ decorators, fields: 'assign' }),
]);

/** The exports of `spec/tenant/compiled/<name>.ts`, as a compiler makes them. */
export async function load<Exports>(compiler: Compiler, name: string): Promise<Exports> {
  const code = await compileOnce(compiler, name);
  const module = { exports: {} };
  // not from a file: the loader of the specs would compile it once more
  compileFunction(code, ['module', 'exports', 'require'])(module, module.exports, (specifier: string) => MODULES[specifier]);

  return module.exports as Exports;
}

function compileOnce(compiler: Compiler, name: string): Promise<string> {
  const key = `${name} by ${compiler.title}`;
  const code =
    COMPILED.get(key) ??
    readFile(new URL(`../../tenant/compiled/${name}.ts`, import.meta.url), 'utf8').then(source =>
      compiler.compile(source.replace('decorators/es', `decorators/${compiler.decorators}`)),
    );
  COMPILED.set(key, code);

  return code;
}

function tsc({ fields, decorators }: Setting): Compiler {
  const target = fields === 'helper' ? 'es2021' : 'es2022';
  const compilerOptions = {
    target,
    module: 'commonjs',
    moduleResolution: 'bundler',
    useDefineForClassFields: fields !== 'assign',
    experimentalDecorators: decorators === 'legacy',
    noCheck: true,
    noResolve: true,
    types: [],
    rootDir: '.',
    outDir: 'out',
  };

  return {
    title: `tsc (${target}, ${fields}, ${decorators} decorators)`,
    fields,
    decorators,
    compile: async source => {
      const folder = await mkdtemp(join(tmpdir(), 'compiled-'));

      try {
        await writeFile(join(folder, 'tenants.ts'), source);
        await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['tenants.ts'] }));
        await promisify(execFile)(process.execPath, [TSC, '-p', folder]);

        return await readFile(join(folder, 'out', 'tenants.js'), 'utf8');
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  };
}

function esbuild({ fields, decorators, isMinified = false }: Setting & { readonly isMinified?: boolean }): Compiler {
  const target = fields === 'helper' ? 'es2021' : 'es2022';
  const compilerOptions = { useDefineForClassFields: fields !== 'assign', experimentalDecorators: decorators === 'legacy' };

  return {
    title: `esbuild (${target}, ${fields}, ${decorators} decorators${isMinified ? ', minified' : ''})`,
    fields,
    decorators,
    compile: async source => {
      const { transform } = await import('esbuild');

      return (await transform(source, { loader: 'ts', format: 'cjs', target, minify: isMinified, tsconfigRaw: { compilerOptions } })).code;
    },
  };
}

function swc({ fields, decorators, target = fields === 'helper' ? 'es2021' : 'es2022' }: Setting & { target?: JscTarget }): Compiler {
  return {
    title: `SWC (${target}, ${fields}, ${decorators} decorators)`,
    fields,
    decorators,
    compile: async source => {
      const { transform } = await import('@swc/core');
      const { code } = await transform(source, {
        swcrc: false,
        module: { type: 'commonjs' },
        jsc: {
          target,
          parser: { syntax: 'typescript', decorators: true },
          transform: {
            useDefineForClassFields: fields !== 'assign',
            ...(decorators === 'legacy' ? { legacyDecorator: true } : { decoratorVersion: '2022-03' }),
          },
        },
      });

      return code;
    },
  };
}

function babel({ fields, decorators }: Setting): Compiler {
  return {
    title: `Babel (${fields === 'assign' ? 'setPublicClassFields' : fields}, ${decorators} decorators)`,
    fields,
    decorators,
    compile: async source => {
      const { transformAsync } = await import('@babel/core');
      const result = await transformAsync(source, {
        configFile: false,
        babelrc: false,
        filename: 'tenants.ts',
        plugins: [
          require.resolve('@babel/plugin-transform-typescript'),
          [require.resolve('@babel/plugin-proposal-decorators'), { version: decorators === 'legacy' ? 'legacy' : '2023-11' }],
          ...(fields === 'define' ? [] : [require.resolve('@babel/plugin-transform-class-properties')]),
          ...(fields === 'define' ? [] : [require.resolve('@babel/plugin-transform-class-static-block')]),
          require.resolve('@babel/plugin-transform-modules-commonjs'),
        ],
        assumptions: { setPublicClassFields: fields === 'assign' },
      });

      return result!.code!;
    },
  };
}

const COMPILED = new Map<string, Promise<string>>();

const require = createRequire(import.meta.url);

const TSC = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc');

const MODULES: Readonly<Record<string, object>> = {
  '@landlord/mikro-orm': landlord,
  '@mikro-orm/decorators/es': es,
  '@mikro-orm/decorators/legacy': legacy,
};

type Setting = Pick<Compiler, 'fields' | 'decorators'>;
