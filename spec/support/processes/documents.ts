import { globSync } from 'node:fs';
import { ROOT } from '../orm/library-orm.ts';

/** Every page of the documentation, and the documents at the root. */
export const DOCUMENTS: readonly string[] = [
  'README.md',
  'SECURITY.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...globSync('examples/*/README.md', { cwd: ROOT }).toSorted(),
  ...globSync('docs/**/*.md', { cwd: ROOT, exclude: ['docs/.vitepress/**'] }).toSorted(),
];
