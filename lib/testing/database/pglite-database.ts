import { createRequire } from 'node:module';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createPostgreSqlTypeParsers } from '@mikro-orm/postgresql';
import type { Pglite } from '../transaction/pinned-pglite.js';
import { packageOf } from './peer.js';
import { projectHash } from './template-hash.js';

/** Opens a PGlite in memory, empty or from a template, with the settings that MikroORM gives its own. */
export async function openPglite(options: object, template: Blob | undefined): Promise<Pglite> {
  const require = createRequire(createRequire(import.meta.url).resolve('@mikro-orm/pglite'));
  const { PGlite } = require('@electric-sql/pglite') as PgliteModule;
  const array = packageOf<ArrayModule>('@mikro-orm/pglite', 'postgres-array');
  const parsers = createPostgreSqlTypeParsers(text => array.parse(text, value => value));

  const { version } = require(join(dirname(require.resolve('@electric-sql/pglite')), '../package.json')) as { readonly version: string };
  const empty = join(FOLDER, `empty-${version}.tar`);
  // to make one from nothing takes seconds
  const loadDataDir = template ?? (await read(empty));
  const pglite = await PGlite.create({ ...options, dataDir: 'memory://', parsers, ...(loadDataDir === undefined ? {} : { loadDataDir }) });

  if (loadDataDir === undefined) {
    await write(empty, await pglite.dumpDataDir('none'));
  }

  return pglite;
}

/** The template of that key, where an earlier run has left one. */
export async function findPgliteTemplate(hash: string): Promise<Blob | undefined> {
  return read(fileOf(hash));
}

/**
 * Keeps what the PGlite has for the next starts. Workers that start at once may each make one: the last one stays, and all are equal. What the
 * project has kept more than a day ago for other migrations or entities is removed: each takes forty megabytes.
 */
export async function keepPgliteTemplate(pglite: Pglite, hash: string): Promise<Blob> {
  const dump = await pglite.dumpDataDir('none');
  await write(fileOf(hash), dump);
  await removeOld();

  return dump;
}

async function removeOld(): Promise<void> {
  const files = (await readdir(FOLDER)).filter(name => name.startsWith(`${projectHash()}_`)).map(name => join(FOLDER, name));

  for (const file of files) {
    // another worker may remove it too
    const age = await stat(file).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );

    if (age > DAY_MS) {
      await rm(file, { force: true });
    }
  }
}

// as a whole: it may be removed while the worker still uses it
async function read(file: string): Promise<Blob | undefined> {
  return readFile(file).then(
    content => new Blob([content]),
    () => undefined,
  );
}

async function write(file: string, dump: Blob): Promise<void> {
  const own = `${file}.${process.pid}`;
  await mkdir(FOLDER, { recursive: true });
  await writeFile(own, Buffer.from(await dump.arrayBuffer()));
  await rename(own, file).catch(() => rm(own, { force: true }));
}

function fileOf(hash: string): string {
  return join(FOLDER, `${projectHash()}_${hash}.tar`);
}

const FOLDER = join(tmpdir(), 'landlord-testing');

const DAY_MS = 24 * 60 * 60 * 1000;

interface PgliteModule {
  readonly PGlite: { create(options: object): Promise<Pglite> };
}

interface ArrayModule {
  parse(text: string, transform: (value: string) => string): string[];
}
