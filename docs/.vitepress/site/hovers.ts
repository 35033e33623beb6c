import { createTransformerFactory } from '@shikijs/twoslash/core';
import { rendererFloatingVue } from '@shikijs/vitepress-twoslash';
import { createFileSystemTypesCache } from '@shikijs/vitepress-twoslash/cache-fs';
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
      types: ['node'],
      strict: true,
      skipLibCheck: true,
      noEmit: true,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
    },
  });
  const cache = createFileSystemTypesCache({ dir: join(docs, '.vitepress/cache/types') });
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

    const result = twoslasher(code, extension);
    cache.write(code, result);

    return result;
  }) as never)({
    langs: ['ts'],
    explicitTrigger: true,
    renderer: rendererFloatingVue(),
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

type ShikiTransformer = NonNullable<MarkdownOptions['codeTransformers']>[number];
