import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../assertions/until.ts';

/** The environment variable that has the folder of the run, for all its processes. */
const FOLDER = 'SPEC_RUN_FOLDER';

/** Makes the folder of a run. */
export async function beginRun(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'landlord-run-'));
  process.env[FOLDER] = folder;
  // each process of the run loads the same packages
  process.env['NODE_COMPILE_CACHE'] ??= join(folder, 'compiled');
}

export async function endRun(): Promise<void> {
  // a process that is just ending may write what it has compiled
  await rm(process.env[FOLDER] ?? '', { recursive: true, force: true, maxRetries: 50, retryDelay: 20 });
}

/**
 * What `make` has made in a folder that it is given, and returned, as JSON. The first process of the run that asks makes it, and the others wait.
 */
export async function oncePerRun<Result>(
  name: string,
  make: (folder: string) => Promise<Result>,
): Promise<Result & { readonly folder: string }> {
  const folder = join(process.env[FOLDER] ?? '', name);
  const made = `${folder}.json`;

  if (isFirst(folder)) {
    const result = await make(folder).catch((error: unknown) => ({ failure: String(error) }));
    writeFileSync(`${made}.part`, JSON.stringify(result));
    linkSync(`${made}.part`, made);
  }

  await until(`${name} is made by another process`, () => existsSync(made), 120_000);
  const { failure, ...result } = JSON.parse(readFileSync(made, 'utf8')) as { readonly failure?: string };

  if (failure !== undefined) {
    throw new Error(failure);
  }

  return { ...(result as Result), folder };
}

function isFirst(folder: string): boolean {
  try {
    mkdirSync(folder);

    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      return false;
    }

    throw error;
  }
}

/** Another folder with the same files, which takes no time for their contents. */
export function linkFolder(from: string, to: string): void {
  mkdirSync(to, { recursive: true });

  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];

    if (entry.isDirectory()) {
      linkFolder(source, target);
    } else if (entry.isSymbolicLink()) {
      symlinkSync(readlinkSync(source), target);
    } else {
      linkSync(source, target);
    }
  }
}
