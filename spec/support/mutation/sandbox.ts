import { Instrumenter, type File } from '@stryker-mutator/instrumenter';
import type { Mutant } from '@stryker-mutator/api/core';
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

/** A copy of the project with all mutants of these files in its code. The caller must remove it. */
export async function openSandbox(files: readonly string[]): Promise<Sandbox> {
  const folder = resolve('.stryker-tmp', `sandbox-${process.pid}`);
  const { mutants, files: instrumented } = await instrument(files);
  const { stdout } = await execute('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard']);

  for (const file of stdout.split('\0').filter(name => name !== '')) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    // a file that is deleted may still be known to git
    await cp(file, join(folder, file)).catch(() => undefined);
  }

  for (const { name, content } of instrumented) {
    await writeFile(join(folder, name), withSeveralActive(content));
  }

  await symlink(resolve('node_modules'), join(folder, 'node_modules'));
  await execute('npx', ['tsc', '-p', 'lib', '--noCheck'], { cwd: folder });

  return { folder, mutants, remove: () => rm(folder, { recursive: true, force: true }) };
}

async function instrument(files: readonly string[]): Promise<Instrumented> {
  const contents = await Promise.all(files.map(async name => ({ name, mutate: true, content: await readFile(name, 'utf8') })));
  const silent = { info() {}, debug() {}, isDebugEnabled: () => false };

  return await new Instrumenter(silent as never).instrument(contents, { plugins: null, excludedMutations: [], ignorers: [] });
}

/** Stryker has one mutant active at a time. */
function withSeveralActive(content: string): string {
  if (content.includes('isActive(id)') && !content.includes(ONE_IS_ACTIVE)) {
    throw new Error('Stryker asks in another way than is known here whether a mutant is active');
  }

  return content.replace(ONE_IS_ACTIVE, 'ns.activeMutants?.has(id)');
}

const ONE_IS_ACTIVE = 'ns.activeMutant === id';

const execute = promisify(execFile);

export interface Sandbox {
  readonly folder: string;
  readonly mutants: readonly Mutant[];
  readonly remove: () => Promise<void>;
}

interface Instrumented {
  readonly mutants: readonly Mutant[];
  readonly files: readonly Pick<File, 'name' | 'content'>[];
}
