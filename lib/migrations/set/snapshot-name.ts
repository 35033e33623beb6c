import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Configuration, MigrationsOptions } from '@mikro-orm/core';
import { fs } from '@mikro-orm/core/fs-utils';
import { MigrationSetError } from '../../errors/index.js';

/** The name of the snapshot of a set, without its ending. MikroORM's own has the name of the database, which is another one in CI and in production. */
export const SNAPSHOT_NAME = '.snapshot';

/** The folder of the snapshot, as MikroORM chooses it: that of the sources where migrations are written in TypeScript. */
export function snapshotFolder(config: Configuration, { emit, path, pathTs }: MigrationsOptions): string | undefined {
  const folder = emit === 'ts' && pathTs !== undefined ? pathTs : path;

  return folder === undefined ? undefined : fs.absolutePath(folder, config.get('baseDir'));
}

/**
 * The name of the snapshot that is in the folder: the one for all databases, else the one that MikroORM named after this database, else the
 * only one there is. Where there is none, that for all databases.
 *
 * @throws MigrationSetError `MIGRATION_SNAPSHOTS` if there are several, and none is the right one for certain.
 */
export function snapshotNameIn(folder: string, config: Configuration): string {
  const old = namesOfDatabases(folder);
  const own = old.find(name => name === stockName(config));

  if (existsSync(join(folder, `${SNAPSHOT_NAME}.json`))) {
    if (own !== undefined) {
      throw MigrationSetError.severalSnapshots(folder, [SNAPSHOT_NAME, own]);
    }

    return SNAPSHOT_NAME;
  }

  if (own === undefined && old.length > 1) {
    throw MigrationSetError.severalSnapshots(folder, old);
  }

  return own ?? old[0] ?? SNAPSHOT_NAME;
}

/**
 * Gives the snapshot of the public set a name that is the same for every database, unless the config has one. A snapshot that is there under
 * MikroORM's own name goes on being used. What decides is found when the migrator asks, as it chooses the folder itself.
 */
export function namePublicSnapshot(config: Configuration): void {
  const migrations = config.get('migrations');

  if (migrations.snapshotName !== undefined) {
    return;
  }

  const get = (): string => {
    const folder = snapshotFolder(config, migrations);

    try {
      return folder === undefined ? SNAPSHOT_NAME : snapshotNameIn(folder, config);
    } catch {
      // the migrator asks also where it only runs migrations, which need no snapshot
      return existsSync(join(folder ?? '', `${SNAPSHOT_NAME}.json`)) ? SNAPSHOT_NAME : stockName(config);
    }
  };

  // not enumerable: the tenant set takes the other options over
  Object.defineProperty(migrations, 'snapshotName', { configurable: true, get });
}

function namesOfDatabases(folder: string): string[] {
  if (!existsSync(folder)) {
    return [];
  }

  return readdirSync(folder)
    .filter(name => /^\.snapshot-.+\.json$/.test(name))
    .map(name => name.replace(/\.json$/, ''))
    .toSorted();
}

// as in MikroORM's migrator
function stockName(config: Configuration): string {
  return `.snapshot-${(config.get('dbName') ?? '').replaceAll('\\', '/').split('/').at(-1)?.replaceAll(':', '')}`;
}
