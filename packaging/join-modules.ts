import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
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
  moveLaterImports(joined);

  for (const path of readdirSync(built, { recursive: true, encoding: 'utf8' })) {
    if (/\.js(?:\.map)?$/.test(path)) {
      rmSync(join(built, path));
    }
  }

  cpSync(joined, built, { recursive: true });
  rmSync(joined, { recursive: true });
}

/**
 * Gives the packages that are imported later a file of their own. Where a project has its config in TypeScript, tsx writes each file with an `import()` anew,
 * with a source map, and for a large one that takes longer than all else that a command of the command line does.
 */
function moveLaterImports(joined: string): void {
  const file = join(joined, 'chunks', 'later.js');
  const later: string[] = [];

  for (const path of readdirSync(joined, { recursive: true, encoding: 'utf8' }).filter(each => each.endsWith('.js'))) {
    const text = readFileSync(join(joined, path), 'utf8');
    const names = new Set<string>();
    const moved = text.replace(LATER_PACKAGE, (_, specifier: string) => {
      const place = later.includes(specifier) ? later.indexOf(specifier) : later.push(specifier) - 1;
      names.add(`later${place}`);

      return `later${place}()`;
    });

    if (names.size > 0) {
      const from = relative(dirname(join(joined, path)), file).replaceAll('\\', '/');
      // on the first line, so that the source map tells the right one for all others
      writeFileSync(
        join(joined, path),
        `import { ${[...names].join(', ')} } from "${from.startsWith('.') ? from : `./${from}`}"; ${moved}`,
      );
    }
  }

  writeFileSync(file, later.map((specifier, place) => `export const later${place} = () => import(${specifier});\n`).join(''));
}

/** An `import()` of a package, and of no file of this one. */
const LATER_PACKAGE = /(?<![.\w])import\(("[^".][^"]*")\)/g;

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
  // without `await`, so that a spec which imports it can be loaded as any other
  void joinModules(process.cwd());
}
