import { PREFERENCES, SEAMS } from '../../../dist/orm/seams/register.js';

/** The rows of docs/seams.md: each seam, the package, what the library does with it, and what it protects. */
export function tableOfSeams(): string[] {
  return [
    ...SEAMS.map(({ name, from, use, protects }) => `| \`${name}\` | ${from} | ${use} | ${protects} |`),
    ...PREFERENCES.map(({ name, from, protects }) => `| \`${name}\` | ${from} | if there | ${protects} |`),
  ];
}
