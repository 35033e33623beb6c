import { PGlite, type Extensions } from '@electric-sql/pglite';

/** An empty PGlite. Only the first one of a process is initialised, which takes seconds; the others start from a copy of it. */
export async function emptyPglite(extensions: Extensions = {}): Promise<PGlite> {
  const loadDataDir = await (empty ??= initialise());

  return PGlite.create('memory://', { loadDataDir, extensions });
}

async function initialise(): Promise<Blob> {
  const pglite = await PGlite.create('memory://');

  try {
    return await pglite.dumpDataDir('none');
  } finally {
    await pglite.close();
  }
}

let empty: Promise<Blob> | undefined;
