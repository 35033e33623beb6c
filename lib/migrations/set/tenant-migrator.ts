import type { Configuration } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { MigrationError } from '../../errors/index.js';
import { PLACEHOLDER_SCHEMA } from '../../postgres/schema-name.js';
import { innermostScope } from '../../scope/scope.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { hasMigrationSet, loadMigrationSet, tenantMigrationsOptions } from './migration-set.js';
import { TenantSchemaGenerator } from './tenant-schema-generator.js';

/** What `migration:create` made; `fileName` is empty where nothing has changed. */
export type CreatedMigration = Awaited<ReturnType<Migrator['create']>>;

export interface CreateMigrationOptions {
  readonly path?: string;
  readonly name?: string;
  /** Whether the file is made without comparing anything, to be filled by hand. */
  readonly blank?: boolean;
  /** Whether to refuse unless it is the first one. */
  readonly initial?: boolean;
}

/** Writes the next migration of the tenant set: what the tenant entities are now against what its snapshot says they were. */
export async function createTenantMigration(database: TenantDatabase, options: CreateMigrationOptions = {}): Promise<CreatedMigration> {
  if (options.initial === true && hasMigrationSet(database) && (await loadMigrationSet(database)).length > 0) {
    throw MigrationError.notInitial();
  }

  return withMigrator(database, migrator => migrator.create(options.path, options.blank, false, options.name));
}

/** Whether the tenant entities have changed since the tenant set's snapshot. */
export async function hasTenantChanges(database: TenantDatabase): Promise<boolean> {
  return withMigrator(database, migrator => migrator.checkSchema());
}

/**
 * MikroORM's own migrator, over a view of the config in which the tenant set is the only one. It is used to write migrations, never
 * to run them: it keeps the schema of a run in its own state, so that two runs at once would put one tenant's tables into the other.
 */
async function withMigrator<Result>(database: TenantDatabase, fn: (migrator: Migrator) => Promise<Result>): Promise<Result> {
  // in the scope of the placeholder, as views may be written with a query builder of the `em`
  const scope = {
    kind: 'tenant',
    host: database,
    outer: innermostScope(),
    tenant: { schemaName: PLACEHOLDER_SCHEMA },
    schemaName: PLACEHOLDER_SCHEMA,
  } as const;

  return database.enter(scope, async em => {
    const generator = new TenantSchemaGenerator(em, database.publicSchema);
    // this fork is nobody else's, so its config can be the view
    Object.defineProperty(em, 'config', { value: tenantSetConfig(database, generator) });

    return fn(new OfflineMigrator(em));
  });
}

// what is compared is the snapshot and the entities, so no database is needed, nor a history in the public schema
class OfflineMigrator extends Migrator {
  override async init(): Promise<void> {
    await this.initPaths();
  }
}

function tenantSetConfig(database: TenantDatabase, generator: TenantSchemaGenerator): Configuration {
  const { config } = database.orm;
  const migrations = tenantMigrationsOptions(database);

  return new Proxy(config, {
    get: (target, key) => {
      if (key === 'get') {
        return (name: never, fallback: never) => (name === 'migrations' ? migrations : target.get(name, fallback));
      }

      if (key === 'getExtension') {
        return (name: string) => (name === '@mikro-orm/schema-generator' ? generator : target.getExtension(name));
      }

      // bound, as the config keeps its state in private fields
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
