import { createTransformerFactory } from '@shikijs/twoslash/core';
import { defaultHoverInfoProcessor, rendererFloatingVue } from '@shikijs/vitepress-twoslash';
import { createFileSystemTypesCache } from '@shikijs/vitepress-twoslash/cache-fs';
import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createTwoslasher } from 'twoslash/core';
// that of this workspace: twoslash's own import is the one at the root, which has no such interface
import ts from 'typescript';
import type { MarkdownOptions } from 'vitepress';

/**
 * Shows the types of code when a pointer is over it, and fails the build where code does not compile. `transformerTwoslash()` of
 * `@shikijs/vitepress-twoslash` does the same with the TypeScript at the root.
 */
export function hovers(docs: string): ShikiTransformer {
  const twoslasher = createTwoslasher({
    vfsRoot: join(docs, 'examples'),
    tsModule: ts as never,
    tsLibDirectory: dirname(createRequire(import.meta.url).resolve('typescript')),
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.esnext.d.ts'],
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      moduleDetection: ts.ModuleDetectionKind.Force,
      types: ['node', 'mocha'],
      strict: true,
      skipLibCheck: true,
      noEmit: true,
      allowImportingTsExtensions: true,
    },
  });
  const cache = createFileSystemTypesCache({ dir: join(docs, '.vitepress/cache/types', versionOfTypes(docs)) });
  cache.init?.();
  const fail = (error: unknown, code: string): never => {
    throw new Error(`This code does not compile: ${String(error)}\n${code}`, { cause: error });
  };
  // the types of two versions of shiki, whose transformers are called alike
  const twoslash = createTransformerFactory(((code: string, extension: string) => {
    const cached = cache.read(code);

    if (cached !== null) {
      return cached;
    }

    const result = twoslasher(code, extension, METADATA.test(code) ? { compilerOptions: WITH_METADATA } : {});
    cache.write(code, result);

    return result;
  }) as never)({
    langs: ['ts'],
    explicitTrigger: true,
    renderer: rendererFloatingVue({
      // MikroORM's types can be as long as a page, and each is part of it
      processHoverInfo: info => shortened(defaultHoverInfoProcessor(info), 280),
      processHoverDocs: docs => shortened(docs.split('\n\n')[0] ?? '', 400),
    }),
    onTwoslashError: fail,
    onShikiError: fail,
  }) as unknown as ShikiTransformer;

  return {
    ...twoslash,
    name: 'hovers',
    preprocess(code, options) {
      if (/\btwoslash\b/.test(options.meta?.['__raw'] ?? '')) {
        // VitePress cleans code up, and keeps Vue away from it: here the types are components of Vue
        options.transformers =
          options.transformers?.filter(({ name }) => name !== 'vitepress:clean-up' && name !== 'vitepress:v-pre') ?? [];
      }

      return twoslash.preprocess?.call(this, code, options);
    },
    postprocess(html) {
      return 'twoslash' in this.meta ? html.replaceAll('{', '&#123;') : undefined;
    },
  };
}

/** Changes with every type that code of the pages can use, so that none is shown as it was before. */
function versionOfTypes(docs: string): string {
  const files = globSync(['../dist/**/*.d.ts', 'examples/**/*.ts'], { cwd: docs }).toSorted();
  const hash = createHash('sha256');
  files.forEach(file => hash.update(readFileSync(join(docs, file))));

  return hash.digest('hex').slice(0, 16);
}

/** Files that tsconfig.metadata.json of the examples is for. */
const METADATA = /^\/\/ @filename: \S*(?:nest|legacy)/;

const WITH_METADATA = { experimentalDecorators: true, emitDecoratorMetadata: true };

function shortened(text: string, limit: number): string {
  return text.length > limit ? `${text.slice(0, limit).trimEnd()} …` : text;
}

type ShikiTransformer = NonNullable<MarkdownOptions['codeTransformers']>[number];
