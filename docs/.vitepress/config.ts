import { createFileSystemTypesCache } from '@shikijs/vitepress-twoslash/cache-fs';
import { transformerTwoslash } from '@shikijs/vitepress-twoslash';
import { join } from 'node:path';
import ts from 'typescript';
import { defineConfig } from 'vitepress';
import { showTypes } from './site/show-types.ts';
import { leadInsideTheSite } from './site/links.ts';
import { sidebar } from './site/sidebar.ts';
import { writeForMachines } from './site/for-machines.ts';

const DOCS = join(import.meta.dirname, '..');

export default defineConfig({
  title: '@landlord/mikro-orm',
  description: 'Schema-per-tenant multi-tenancy for MikroORM 7 on PostgreSQL',
  lang: 'en',
  cleanUrls: false,
  srcExclude: ['examples/**', 'node_modules/**'],
  // twoslash makes long lines of HTML, which nobody reads
  metaChunk: true,
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  markdown: {
    config: md => {
      md.use(leadInsideTheSite).use(showTypes);
    },
    codeTransformers: [
      transformerTwoslash({
        typesCache: createFileSystemTypesCache({ dir: join(DOCS, '.vitepress/cache/types') }),
        twoslashOptions: {
          vfsRoot: join(DOCS, 'examples'),
          // those of `tsc --init`, for a project on Node.js
          compilerOptions: {
            target: ts.ScriptTarget.ES2024,
            lib: ['lib.es2024.d.ts', 'lib.esnext.disposable.d.ts'],
            module: ts.ModuleKind.NodeNext,
            moduleResolution: ts.ModuleResolutionKind.NodeNext,
            types: ['node'],
            strict: true,
            skipLibCheck: true,
            allowImportingTsExtensions: true,
            noEmit: true,
            experimentalDecorators: true,
            emitDecoratorMetadata: true,
          },
        },
      }),
    ],
  },
  themeConfig: {
    nav: [
      { text: 'Start', link: '/start/' },
      { text: 'Options', link: '/reference/options' },
      { text: 'Errors', link: '/reference/errors' },
    ],
    sidebar: sidebar(DOCS),
    outline: [2, 3],
    search: { provider: 'local' },
    docFooter: { prev: 'Before', next: 'Next' },
  },
  buildEnd: ({ outDir }) => writeForMachines(DOCS, outDir),
});
