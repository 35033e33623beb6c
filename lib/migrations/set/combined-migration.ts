import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fs } from '@mikro-orm/core/fs-utils';
import { MigrationStorage } from '@mikro-orm/migrations';
import { MigrationSetError } from '../../errors/index.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { loadMigration, migrationsFolder, tenantMigrationsOptions, type MigrationSet, type TenantMigration } from './migration-set.js';
import { OfflineMigrator, withMigrator, type MigratorParts } from './tenant-migrator.js';

/**
 * Combines the files of the tenant set into one, which names the migrations that it stands for, and deletes them. If `check` throws, the files
 * stay as they were. No history is changed.
 *
 * @param check Called with the combined migration, before anything is deleted. If it returns false, nothing is.
 * @throws MigrationSetError `MIGRATION_NOT_COMBINED`
 */
export async function writeRollup(
  parts: MigratorParts,
  set: MigrationSet,
  check: (migration: TenantMigration) => Promise<boolean>,
): Promise<{ readonly fileName: string; readonly name: string }> {
  const { database } = parts;

  if (tenantMigrationsOptions(database).migrationsList !== undefined) {
    throw MigrationSetError.notCombined('the tenant set is a list of classes, not a folder of files');
  }

  const folder = migrationsFolder(database, tenantMigrationsOptions(database));
  const names = set.map(({ name }) => name);
  let name = '';

  const onWritten = async (written: string): Promise<void> => {
    const file = fileOf(folder, written);
    // no set has a file whose name begins with a dot, and no other command runs what was not tried, also if this process is killed
    const hidden = join(dirname(file), `${HIDDEN}${basename(file)}`);
    name = written;

    try {
      await rename(file, hidden);
      await addReplaced(hidden, names);

      if (!(await check({ ...(await loadMigration(database, hidden)), name: written }))) {
        throw NOT_KEPT;
      }

      await rename(hidden, file);
    } catch (error) {
      await rm(hidden, { force: true });
      throw error === NOT_KEPT || error instanceof MigrationSetError
        ? error
        : MigrationSetError.notCombined('what was combined does not run', error);
    }
  };

  await removeHidden(folder);

  try {
    const { fileName } = await withMigrator(parts, migrator => migrator.rollup(names), undefined, rollupMigrator(names, onWritten));

    return { fileName: join(folder, fileName), name };
  } catch (error) {
    if (error === NOT_KEPT) {
      return { fileName: '', name };
    }

    throw error;
  }
}

/** Removes what a command has left that was killed. */
async function removeHidden(folder: string): Promise<void> {
  for (const file of await readdir(folder)) {
    await (file.startsWith(HIDDEN) ? rm(join(folder, file), { force: true }) : undefined);
  }
}

/** Deletes the files of these migrations. */
export async function deleteMigrations(database: TenantDatabase, names: readonly string[]): Promise<void> {
  const folder = migrationsFolder(database, tenantMigrationsOptions(database));

  await Promise.all(names.map(name => rm(fileOf(folder, name), { force: true })));
}

/** The path of the migration's file. */
export function fileOf(folder: string, name: string): string {
  const [file = ''] = fs.glob(fs.normalizePath(folder, `${name}.{js,ts,cjs}`));

  return file;
}

const HIDDEN = '.rollup-';

const NOT_KEPT = new Error('the combined migration is not kept');

/**
 * MikroORM's migrator, whose history has these names and is nobody's. It records the combined migration after it has written the file and
 * before it deletes the others.
 */
function rollupMigrator(names: readonly string[], onWritten: (name: string) => Promise<void>): typeof OfflineMigrator {
  class NobodysStorage extends MigrationStorage {
    override async executed(): Promise<string[]> {
      return [...names];
    }

    override async logMigration(...[{ name }]: Parameters<MigrationStorage['logMigration']>): Promise<void> {
      await onWritten(name);
    }

    override async unlogMigration(): Promise<void> {
      // nothing is recorded
    }
  }

  return class RollupMigrator extends OfflineMigrator {
    protected override createStorage(): MigrationStorage {
      return new NobodysStorage(this.driver, this.options);
    }
  };
}

async function addReplaced(file: string, names: readonly string[]): Promise<void> {
  const source = await readFile(file, 'utf8');
  const modifier = file.endsWith('.ts') ? 'static readonly' : 'static';
  const property = `  ${modifier} replaces = [\n${names.map(name => `    ${JSON.stringify(name)},\n`).join('')}  ];\n`;
  const changed = source.replace(/\bclass\s+\w+\s+extends\s+\w+\s*\{[^\S\n]*\n/, start => `${start}\n${property}`);

  if (changed === source) {
    throw MigrationSetError.notCombined('no class was found in the file that the generator of the config has written');
  }

  await writeFile(file, changed);
}
