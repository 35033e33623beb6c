import { createReadStream, rmSync } from 'node:fs';
import { mkdtemp, open, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';

/** Opens a file from its beginning. */
export type OpenFile = () => Readable;

/** Runs `fn` with what opens the file, or a temporary one that has what the stream gives: a file is read twice, first to check it. */
export async function withFile<Result>(source: Readable | string, fn: (file: OpenFile) => Promise<Result>): Promise<Result> {
  return typeof source === 'string' ? fn(() => createReadStream(source)) : withTemporaryFile(source, fn);
}

/** The rows of a tenant are in a file without a name, so that a process that is killed leaves none behind. Windows keeps the name until the file is closed. */
async function withTemporaryFile<Result>(source: Readable, fn: (file: OpenFile) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'landlord-import-'));
  const onExit = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', onExit);

  try {
    // only its owner may read it
    const file = await open(join(folder, 'tenant'), 'wx+', 0o600);

    try {
      await rm(folder, { recursive: true, force: true }).catch(() => undefined);
      await file.writeFile(source);

      return await fn(() => Readable.from(chunksOf(file), { objectMode: false }));
    } finally {
      await file.close();
    }
  } finally {
    process.off('exit', onExit);
    await rm(folder, { recursive: true, force: true });
  }
}

// a stream of the handle's own would have to close it
async function* chunksOf(file: FileHandle): AsyncGenerator<Buffer> {
  let at = 0;

  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK), 0, CHUNK, at);

    if (bytesRead === 0) {
      return;
    }

    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** In bytes, as much as streams of files read at once. */
const CHUNK = 65_536;
