import { Utils, type Constructor, type MigrationsOptions } from '@mikro-orm/core';
import { fs } from '@mikro-orm/core/fs-utils';
import type { Migration } from '@mikro-orm/migrations';
import { MigrationError } from '../../errors/index.js';
import { DEFAULT_TENANT_MIGRATIONS_PATH } from '../../tenant/options.js';
import type { TenantDatabase } from '../../database/tenant-database.js';

/** A migration of the tenant set. Each tenant gets its own instance, because MikroORM's migrations have state. */
export interface TenantMigration {
  /** The name in the history: the file name without its extension. */
  readonly name: string;
  readonly MigrationClass: Constructor<Migration>;
  /** Whether it runs in the transaction of the tenant. False for statements that PostgreSQL refuses there, such as `create index concurrently`. */
  readonly transactional: boolean;
  /** The migrations for which it stands, by `static replaces` of its class. A schema whose history has them all gets its name in their place. */
  readonly replaces?: readonly string[];
}

/** The migrations of the tenant set, in the order in which they run. */
export type MigrationSet = readonly TenantMigration[];

/** The options of the tenant set. Missing options come from `migrations` of the config, except the folders. */
export function tenantMigrationsOptions(
  database: TenantDatabase,
): Required<Pick<MigrationsOptions, 'fileName' | 'glob' | 'path' | 'tableName'>> & MigrationsOptions {
  const {
    path: _path,
    pathTs: _pathTs,
    migrationsList: _list,
    snapshotName: _snapshot,
    schema: _schema,
    ...shared
    // a copy without the name that is found only when the migrator asks
  } = { ...database.orm.config.get('migrations') };
  const given = Object.entries(database.options.migrations).filter(([, value]) => value !== undefined);

  return {
    glob: '!(*.d).{js,ts,cjs}',
    tableName: DEFAULT_HISTORY,
    path: DEFAULT_TENANT_MIGRATIONS_PATH,
    ...shared,
    // the table name of the public history may contain a schema. Each tenant has its history in its own schema
    ...(shared.tableName === undefined ? {} : { tableName: shared.tableName.split('.').at(-1) }),
    ...(Object.fromEntries(given) as MigrationsOptions),
    includeWildcardSchema: true,
    snapshotOnMigrate: false,
  } as never;
}

/** The table of a tenant's history. Asked for each tenant, so it does without the other options. */
export function historyTableName({ options, orm }: TenantDatabase): string {
  return options.migrations.tableName ?? orm.config.get('migrations').tableName?.split('.').at(-1) ?? DEFAULT_HISTORY;
}

const DEFAULT_HISTORY = 'mikro_orm_migrations';

/**
 * Loads the tenant set from its list or its folder. A missing folder is an error. Otherwise a moved folder would be an empty set, and every
 * tenant would count as up to date.
 *
 * @throws MigrationError `MIGRATION_FOLDER_MISSING`, `MIGRATION_NOT_LOADABLE`, `MIGRATION_DUPLICATE`
 */
export async function loadMigrationSet(database: TenantDatabase): Promise<MigrationSet> {
  return withoutReplaced(await loadAllMigrations(database));
}

/** The set without those for which another one stands. Such a file is left by a combination that was interrupted, or kept for older releases. */
export function withoutReplaced(all: MigrationSet): MigrationSet {
  const replaced = new Set(all.flatMap(({ name, replaces = [] }) => replaces.filter(each => each !== name)));

  return all.filter(({ name }) => !replaced.has(name));
}

/** All that is in the list or in the folder. */
export async function loadAllMigrations(database: TenantDatabase): Promise<MigrationSet> {
  // asked for each tenant that is created, so a list does without the other options
  const list = database.options.migrations.migrationsList;
  const found = list?.map(entry => fromList(database, entry)) ?? (await fromFolder(database, tenantMigrationsOptions(database)));
  const set = found.map(migration => complete(database, migration));
  const names = new Set<string>();

  for (const { name } of set) {
    // histories are compared as lines of text
    if (/[\r\n]/.test(name)) {
      throw MigrationError.notLoadable(name, 'its name contains a line break');
    }

    if (names.has(name)) {
      throw MigrationError.duplicate(name);
    }

    names.add(name);
  }

  return set;
}

/** Whether there is a set to load. Before the first migration is written, there is no folder. */
export function hasMigrationSet(database: TenantDatabase): boolean {
  const options = tenantMigrationsOptions(database);

  return options.migrationsList !== undefined || fs.pathExists(migrationsFolder(database, options));
}

/** The names of all files beside which a migration is written, and of the classes in the list. */
export function writtenMigrations(database: TenantDatabase, path: string | undefined): string[] {
  const options = tenantMigrationsOptions(database);
  const baseDir = database.orm.config.get('baseDir');
  const folders = [options.path, options.pathTs, path].flatMap(each => (each === undefined ? [] : [fs.absolutePath(each, baseDir)]));
  const files = [...new Set(folders)].flatMap(folder => fs.glob(fs.normalizePath(folder, '*')));

  return [
    ...files.map(file => file.split('/').at(-1) ?? ''),
    ...(options.migrationsList ?? []).map(entry => fromList(database, entry).name),
  ];
}

/** The absolute path of the tenant set's folder. */
export function migrationsFolder(database: TenantDatabase, options: MigrationsOptions): string {
  const { config } = database.orm;
  const preferTs = config.get('preferTs', Utils.detectTypeScriptSupport());
  const folder = preferTs && options.pathTs !== undefined ? options.pathTs : options.path;

  return fs.absolutePath(folder ?? DEFAULT_TENANT_MIGRATIONS_PATH, config.get('baseDir'));
}

async function fromFolder(database: TenantDatabase, options: MigrationsOptions): Promise<FoundMigration[]> {
  const set: FoundMigration[] = [];

  for (const file of filesIn(database, options)) {
    set.push(await fromFile(file));
  }

  return set;
}

function filesIn(database: TenantDatabase, options: MigrationsOptions): string[] {
  const folder = migrationsFolder(database, options);

  if (!fs.pathExists(folder)) {
    throw MigrationError.folderMissing(folder);
  }

  return fs.glob(fs.normalizePath(folder, options.glob ?? '')).sort();
}

/**
 * The names of the set's files, none of which is imported. Undefined for a list, and where a name has to be looked at.
 *
 * @throws MigrationError `MIGRATION_FOLDER_MISSING`
 */
export function migrationFileNames(database: TenantDatabase): ReadonlySet<string> | undefined {
  if (database.options.migrations.migrationsList !== undefined) {
    return undefined;
  }

  const all = filesIn(database, tenantMigrationsOptions(database)).map(nameOfFile);
  const names = new Set(all);

  return names.size === all.length && !all.some(name => /[\r\n]/.test(name)) ? names : undefined;
}

function nameOfFile(file: string): string {
  return withoutExtension(file.replaceAll('\\', '/').split('/').at(-1) ?? file);
}

/** Loads one file of the set. */
export async function loadMigration(database: TenantDatabase, file: string): Promise<TenantMigration> {
  return complete(database, await fromFile(file));
}

function complete(database: TenantDatabase, migration: FoundMigration): TenantMigration {
  const { replaces = [] } = migration.MigrationClass as { readonly replaces?: readonly string[] };

  return {
    ...migration,
    transactional: isTransactional(database, migration.MigrationClass),
    replaces: replaces.map(withoutExtension),
  };
}

async function fromFile(file: string): Promise<FoundMigration> {
  const known = isReloaded() ? undefined : imported.get(file);

  if (known !== undefined) {
    return known;
  }

  const name = nameOfFile(file);
  let exported: object;

  try {
    exported = await fs.dynamicImport<object>(file);
  } catch (error) {
    throw MigrationError.notLoadable(name, error);
  }

  const MigrationClass = Object.values(exported).find(isMigration);

  if (MigrationClass === undefined) {
    throw MigrationError.notLoadable(name, 'it exports no class that extends Migration');
  }

  const found = { name, MigrationClass };
  imported.set(file, found);

  return found;
}

/** Whether the config has its own way to import, which may load a file again that has changed. */
function isReloaded(): boolean {
  return (globalThis as { readonly dynamicImportProvider?: unknown }).dynamicImportProvider !== undefined;
}

/** What each file has exported. Node.js does not load a file again either, and each tenant that is created asks for all of them. */
const imported = new Map<string, FoundMigration>();

function fromList({ orm }: TenantDatabase, entry: NonNullable<MigrationsOptions['migrationsList']>[number]): FoundMigration {
  if ('class' in entry) {
    return { name: withoutExtension(entry.name), MigrationClass: entry.class as Constructor<Migration> };
  }

  const MigrationClass = entry as Constructor<Migration>;
  // prefers the `name` that the generated class sets, because a bundler may have shortened the class name
  const { name = entry.name } = new MigrationClass(orm.driver, orm.config) as { readonly name?: string };

  return { name: withoutExtension(name), MigrationClass };
}

function isTransactional({ orm }: TenantDatabase, MigrationClass: Constructor<Migration>): boolean {
  const said = transactional.get(orm.config) ?? new WeakMap<Constructor<Migration>, boolean>();
  const known = said.get(MigrationClass) ?? new MigrationClass(orm.em.getDriver(), orm.config).isTransactional();
  transactional.set(orm.config, said.set(MigrationClass, known));

  return known;
}

/** What each class has said in an ORM, on which its answer may depend. */
const transactional = new WeakMap<object, WeakMap<Constructor<Migration>, boolean>>();

type FoundMigration = Omit<TenantMigration, 'transactional'>;

// checks a method, because the user's `Migration` may come from another copy of the package
function isMigration(value: unknown): value is Constructor<Migration> {
  return typeof value === 'function' && typeof (value.prototype as Partial<Migration> | undefined)?.addSql === 'function';
}

function withoutExtension(name: string): string {
  return name.replace(/\.[cm]?[jt]s$/, '');
}
