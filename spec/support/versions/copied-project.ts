import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type packageJson from '../../../package.json';

/** Gives a copy of this project other versions of packages. All that ask for one of them get that one. */
export function writeManifest(folder: string, packages: Readonly<Record<string, string>>): void {
  const path = join(folder, 'package.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as typeof packageJson;
  const changed = { ...manifest, devDependencies: { ...manifest.devDependencies, ...packages }, overrides: packages };
  writeFileSync(path, JSON.stringify(changed, undefined, 2));
}

/** What is made anew in a copy, or is of no use there. */
export const LEFT_OUT = /^(?:node_modules|dist|\.git|\.data|\.stryker-tmp)$/;
