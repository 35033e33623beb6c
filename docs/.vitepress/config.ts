import { join } from 'node:path';
import { defineConfig } from 'vitepress';
import { hovers } from './site/hovers.ts';
import { showTypes } from './site/show-types.ts';
import { leadInsideTheSite } from './site/links.ts';
import { slug } from './site/slug.ts';
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
    languageAlias: { mjs: 'js' },
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    anchor: { slugify: slug },
    config: md => {
      md.use(leadInsideTheSite).use(showTypes);
    },
    codeTransformers: [hovers(DOCS)],
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
  // the layout of a home page has no landmark for its content
  transformHtml: code => code.replace('<div class="VPContent is-home"', '<div role="main" class="VPContent is-home"'),
  buildEnd: ({ outDir }) => writeForMachines(DOCS, outDir),
});
