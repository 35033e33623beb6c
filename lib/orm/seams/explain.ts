import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
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
      const own = createRequire(import.meta.url);
      const found = from === undefined ? own : createRequire(own.resolve(`${from}/package.json`));

      return versionIn(dirname(found.resolve(name)), name);
    } catch {
      // not installed there
    }
  }

  return 'of an unknown version';
}

// not every package lets its package.json be imported
function versionIn(folder: string, name: string): string {
  const file = join(folder, 'package.json');
  const found = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { readonly name?: string; readonly version?: string }) : {};

  if (found.name === name && found.version !== undefined) {
    return found.version;
  }

  if (dirname(folder) === folder) {
    throw new Error(`There is no package.json of ${name}.`);
  }

  return versionIn(dirname(folder), name);
}

function ownPackage(): { readonly peerDependencies?: Readonly<Record<string, string>> } {
  try {
    return createRequire(import.meta.url)('@landlord/mikro-orm/package.json') as ReturnType<typeof ownPackage>;
  } catch {
    // it was bundled away from its package.json
    return {};
  }
}

/** Of what comes with MikroORM, and is no peer. */
const TESTED: Readonly<Record<string, string>> = { kysely: '0.29', pg: '8', 'pg-cursor': '2', yargs: '17' };
