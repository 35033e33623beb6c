import { createRequire } from 'node:module';
import { openAsBlob } from 'node:fs';
import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createPostgreSqlTypeParsers } from '@mikro-orm/postgresql';
import type { Pglite } from '../transaction/pinned-pglite.js';
import { packageOf } from './peer.js';

/** Opens a PGlite in memory, empty or from a template, with the settings that MikroORM gives its own. */
export async function openPglite(options: object, template: Blob | undefined): Promise<Pglite> {
  const require = createRequire(createRequire(import.meta.url).resolve('@mikro-orm/pglite'));
  const { PGlite } = require('@electric-sql/pglite') as PgliteModule;
  const array = packageOf<ArrayModule>('@mikro-orm/pglite', 'postgres-array');
  const parsers = createPostgreSqlTypeParsers(text => array.parse(text, value => value));

  const { version } = require(join(dirname(require.resolve('@electric-sql/pglite')), '../package.json')) as { readonly version: string };
  const empty = `empty-${version}`;
  // to make one from nothing takes seconds
  const loadDataDir = template ?? (await findPgliteTemplate(empty));
  const pglite = await PGlite.create({ ...options, dataDir: 'memory://', parsers, ...(loadDataDir === undefined ? {} : { loadDataDir }) });

  if (loadDataDir === undefined) {
    await keepPgliteTemplate(pglite, empty);
  }

  return pglite;
}

/** The template of that key, where an earlier run has left one. */
export async function findPgliteTemplate(hash: string): Promise<Blob | undefined> {
  const file = fileOf(hash);

  return access(file).then(
    () => openAsBlob(file),
    () => undefined,
  );
}

/** Keeps what the PGlite has for the next starts. Workers that start at once may each make one: the last one stays, and all are equal. */
export async function keepPgliteTemplate(pglite: Pglite, hash: string): Promise<Blob> {
  const dump = await pglite.dumpDataDir('none');
  const file = fileOf(hash);
  const own = `${file}.${process.pid}`;
  await mkdir(FOLDER, { recursive: true });
  await writeFile(own, Buffer.from(await dump.arrayBuffer()));
  await rename(own, file).catch(() => rm(own, { force: true }));

  return dump;
}

function fileOf(hash: string): string {
  return join(FOLDER, `${hash}.tar`);
}

const FOLDER = join(tmpdir(), 'landlord-testing');

interface PgliteModule {
  readonly PGlite: { create(options: object): Promise<Pglite> };
}

interface ArrayModule {
  parse(text: string, transform: (value: string) => string): string[];
}
