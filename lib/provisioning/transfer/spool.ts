import { createWriteStream, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** Runs `fn` with the path of the file, or of a temporary one that has what the stream gives: a file is read twice, first to check it. */
export async function withFile<Result>(source: Readable | string, fn: (path: string) => Promise<Result>): Promise<Result> {
  if (typeof source === 'string') {
    return fn(source);
  }

  const folder = await mkdtemp(join(tmpdir(), 'landlord-import-'));
  // a process that is told to exit meanwhile leaves no rows of a tenant behind
  const onExit = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', onExit);

  try {
    const path = join(folder, 'tenant');
    // only its owner may read it
    await pipeline(source, createWriteStream(path, { mode: 0o600 }));

    return await fn(path);
  } finally {
    process.off('exit', onExit);
    await rm(folder, { recursive: true, force: true });
  }
}
