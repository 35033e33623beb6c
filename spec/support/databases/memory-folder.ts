import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';

/**
 * The folder for files that only a run needs: in memory, where there is enough of it. Hundreds of databases are created and dropped in a run, and
 * on a disk most of that time goes to its file system.
 */
export function memoryFolder(): string {
  return freeIn(SHARED_MEMORY) > ENOUGH && process.availableMemory() > ENOUGH ? SHARED_MEMORY : tmpdir();
}

function freeIn(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder);

    return bavail * bsize;
  } catch {
    // other systems than Linux have none
    return 0;
  }
}

const SHARED_MEMORY = '/dev/shm';

/** Ten times what a run takes. */
const ENOUGH = 2 * 1024 ** 3;
