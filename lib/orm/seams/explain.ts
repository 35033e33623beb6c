import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { BrokenSeam } from './shapes.js';

/** A broken seam in the words of an error: what it is, what it protects, what was seen, and the versions. */
export function explain({ seam, seen }: BrokenSeam): string {
  const { name, from, protects } = seam;

  return `${name} of ${from} ${installedVersion(from)} (tested: ${testedVersions(from)}): ${seen}. It has to ensure that ${protects}.`;
}

/** The versions of a package that the specs are run on. */
export function testedVersions(name: string): string {
  const peers = ownPackage().peerDependencies ?? {};

  return peers[name] ?? TESTED[name] ?? peers['@mikro-orm/core'] ?? 'unknown';
}

function installedVersion(name: string): string {
  // a dependency of MikroORM's need not be found from here
  for (const from of [undefined, '@mikro-orm/postgresql', '@mikro-orm/pglite', '@mikro-orm/sql', '@mikro-orm/cli']) {
    try {
      const start = from === undefined ? import.meta.url : createRequire(import.meta.url).resolve(`${from}/package.json`);
      const { version } = createRequire(start)(`${name}/package.json`) as { readonly version: string };

      return version;
    } catch {
      // not installed there
    }
  }

  return 'of an unknown version';
}

function ownPackage(): { readonly peerDependencies?: Readonly<Record<string, string>> } {
  try {
    return JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as ReturnType<typeof ownPackage>;
  } catch {
    // it was bundled away from its package.json
    return {};
  }
}

/** Of what comes with MikroORM, and is no peer. */
const TESTED: Readonly<Record<string, string>> = { kysely: '0.29', pg: '8', 'pg-cursor': '2', yargs: '17' };
