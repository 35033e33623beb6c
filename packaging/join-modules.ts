import { cpSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

/**
 * Joins the modules in `dist` of a folder with the package into few files, with which a process starts in less time: Node reads, links and
 * evaluates each module on its own. What can be imported keeps its name. What several of these files share is in files of its own, so that it is
 * there once, and what is imported later stays apart. Types and sources stay as they are.
 */
export async function joinModules(folder: string): Promise<void> {
  const built = join(folder, 'dist');
  const joined = join(folder, 'dist.joined');
  const { exports, bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
  const entries = [...Object.values(exports).flatMap(each => (typeof each === 'string' ? [] : [each.default])), ...Object.values(bin)];

  rmSync(joined, { recursive: true, force: true });
  await build({
    absWorkingDir: folder,
    entryPoints: [...new Set(entries)],
    outdir: joined,
    outbase: built,
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node22',
    sourcemap: 'linked',
    // the sources are in the package
    sourcesContent: false,
    logLevel: 'error',
  });

  for (const path of readdirSync(built, { recursive: true, encoding: 'utf8' })) {
    if (/\.js(?:\.map)?$/.test(path)) {
      rmSync(join(built, path));
    }
  }

  cpSync(joined, built, { recursive: true });
  rmSync(joined, { recursive: true });
}

/** Puts the package into a folder as it is published, without its documents. */
export async function copyPackage(from: string, to: string): Promise<void> {
  const unfinished = `${to}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  ['dist', 'package.json'].forEach(path => cpSync(join(from, path), join(unfinished, path), { recursive: true }));
  await joinModules(unfinished);
  renameSync(unfinished, to);
}

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
  readonly bin: Readonly<Record<string, string>>;
}

if (import.meta.main) {
  await joinModules(process.cwd());
}
