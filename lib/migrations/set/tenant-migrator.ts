import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Configuration } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import type { DatabaseSchema } from '@mikro-orm/postgresql';
import { MigrationError } from '../../errors/index.js';
import { PLACEHOLDER_SCHEMA } from '../../postgres/schema-name.js';
import { enterScope } from '../../orm/mikro-context.js';
import { innermostScope } from '../../scope/scope.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { isForCitus } from './citus/is-citus.js';
import { FreeTimestamps } from './free-timestamps.js';
import { allowDrops } from './moved-tables.js';
import { hasMigrationSet, loadMigrationSet, tenantMigrationsOptions, writtenMigrations } from './migration-set.js';
import { SNAPSHOT_NAME, snapshotFolder, snapshotNameIn } from './snapshot-name.js';
import { TenantSchemaGenerator } from './tenant-schema-generator.js';

/** The result of `migration:create`. `fileName` is empty if nothing has changed. */
export type CreatedMigration = Awaited<ReturnType<Migrator['create']>>;

export interface CreateMigrationOptions {
  readonly path?: string;
  readonly name?: string;
  /** Creates a file without generated SQL, to be filled in by hand. */
  readonly blank?: boolean;
  /** Refuses if the set already has migrations. */
  readonly initial?: boolean;
  /** Whether the migration may drop tables whose entities are shared now, with all rows. @default false: it is refused */
  readonly dropMoved?: boolean;
}

/**
 * Writes the next migration of the tenant set: the difference between the tenant entities and the snapshot, or what the set makes where there
 * is none.
 */
export async function createTenantMigration(
  { database, readMadeSchema }: MigratorParts,
  options: CreateMigrationOptions = {},
): Promise<CreatedMigration> {
  if (options.initial === true && hasMigrationSet(database) && (await loadMigrationSet(database)).length > 0) {
    throw MigrationError.notInitial();
  }

  const create = (): Promise<CreatedMigration> =>
    withMigrator({ database, readMadeSchema }, migrator => migrator.create(options.path, options.blank, false, options.name), options.path);
  const name = snapshotName(database);
  const created = await (options.dropMoved === true ? allowDrops(create) : create());

  if (created.fileName !== '' && name !== undefined) {
    await renameSnapshot(database, name);
  }

  return created;
}

/** The name of the snapshot as it is now. Undefined where the config has a name, or wants no snapshot. */
function snapshotName(database: TenantDatabase): string | undefined {
  const options = tenantMigrationsOptions(database);
  const { config } = database.orm;

  return options.snapshot === false || options.snapshotName !== undefined
    ? undefined
    : snapshotNameIn(snapshotFolder(config, options) ?? '', config);
}

async function renameSnapshot(database: TenantDatabase, name: string): Promise<void> {
  const folder = snapshotFolder(database.orm.config, tenantMigrationsOptions(database)) ?? '';

  if (name !== SNAPSHOT_NAME) {
    await rename(join(folder, `${name}.json`), join(folder, `${SNAPSHOT_NAME}.json`));
  }
}

/** Whether the tenant entities differ from the snapshot of the tenant set, or from what the set makes where there is none. */
export async function hasTenantChanges(parts: MigratorParts): Promise<boolean> {
  return allowDrops(() => withMigrator(parts, migrator => migrator.checkSchema()));
}

export interface MigratorParts {
  readonly database: TenantDatabase;
  /** Runs the set, or these statements, in a schema that is rolled back. */
  readonly readMadeSchema: (database: TenantDatabase, statements?: readonly string[]) => Promise<DatabaseSchema>;
}

/**
 * MikroORM's own migrator, with a view of the config in which the tenant set is the only set. It only writes migrations, and never runs
 * them: it stores the schema of a run in its own state, so two concurrent runs would mix up their tenants.
 */
export async function withMigrator<Result>(
  { database, readMadeSchema }: MigratorParts,
  fn: (migrator: Migrator) => Promise<Result>,
  path?: string,
  MigratorClass: typeof OfflineMigrator = OfflineMigrator,
): Promise<Result> {
  // in the scope of the placeholder schema, because a view may be defined by a query builder of the `em`
  const scope = {
    kind: 'tenant',
    config: database.orm.config,
    outer: innermostScope(),
    tenant: { schemaName: PLACEHOLDER_SCHEMA },
    schemaName: PLACEHOLDER_SCHEMA,
  } as const;

  return enterScope(database.orm.em, scope, async em => {
    const readMade = async (statements?: readonly string[]): Promise<DatabaseSchema | undefined> =>
      hasMigrationSet(database) && (await loadMigrationSet(database)).length > 0 ? readMadeSchema(database, statements) : undefined;
    const generator = new TenantSchemaGenerator(em, database.publicSchema, { readMade, isForCitus: await isForCitus(database) });
    // safe, because nothing else uses this fork
    Object.defineProperty(em, 'config', { value: tenantSetConfig(database, generator, path) });

    return fn(new MigratorClass(em));
  });
}

/** Needs no history table, and no database where there is a snapshot. */
export class OfflineMigrator extends Migrator {
  override async init(): Promise<void> {
    await this.initPaths();
  }
}

function tenantSetConfig(database: TenantDatabase, generator: TenantSchemaGenerator, path: string | undefined): Configuration {
  const { config } = database.orm;
  const options = tenantMigrationsOptions(database);
  const timestamps = new FreeTimestamps(writtenMigrations(database, path));
  const name = snapshotName(database);
  const migrations = {
    ...options,
    ...(name === undefined ? {} : { snapshotName: name }),
    fileName: timestamps.forFiles(options.fileName),
    // only files are written, so there is no history to change together
    transactional: false,
  };

  return new Proxy(config, {
    get: (target, key) => {
      if (key === 'get') {
        return (name: never, fallback: never) => (name === 'migrations' ? migrations : target.get(name, fallback));
      }

      if (key === 'getExtension') {
        return (name: string) => (name === '@mikro-orm/schema-generator' ? generator : target.getExtension(name));
      }

      if (key === 'getNamingStrategy') {
        return () => timestamps.forClasses(target.getNamingStrategy());
      }

      // bound to the config, which has private fields
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
