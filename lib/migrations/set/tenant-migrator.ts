import type { Configuration } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { MigrationError } from '../../errors/index.js';
import { PLACEHOLDER_SCHEMA } from '../../postgres/schema-name.js';
import { innermostScope } from '../../scope/scope.js';
import type { Tenancy } from '../../tenancy.js';
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
export async function createTenantMigration(tenancy: Tenancy, options: CreateMigrationOptions = {}): Promise<CreatedMigration> {
  if (options.initial === true && hasMigrationSet(tenancy) && (await loadMigrationSet(tenancy)).length > 0) {
    throw MigrationError.notInitial();
  }

  return withMigrator(tenancy, migrator => migrator.create(options.path, options.blank, false, options.name));
}

/** Whether the tenant entities have changed since the tenant set's snapshot. */
export async function hasTenantChanges(tenancy: Tenancy): Promise<boolean> {
  return withMigrator(tenancy, migrator => migrator.checkSchema());
}

/**
 * MikroORM's own migrator, over a view of the config in which the tenant set is the only one. It is used to write migrations, never
 * to run them: it keeps the schema of a run in its own state, so that two runs at once would put one tenant's tables into the other.
 */
async function withMigrator<Result>(tenancy: Tenancy, fn: (migrator: Migrator) => Promise<Result>): Promise<Result> {
  // in the scope of the placeholder, as views may be written with a query builder of the `em`
  const scope = {
    kind: 'tenant',
    host: tenancy,
    outer: innermostScope(),
    tenant: { schemaName: PLACEHOLDER_SCHEMA },
    schemaName: PLACEHOLDER_SCHEMA,
  } as const;

  return tenancy.enter(scope, async em => {
    const generator = new TenantSchemaGenerator(em, tenancy.publicSchema);
    // this fork is nobody else's, so its config can be the view
    Object.defineProperty(em, 'config', { value: tenantSetConfig(tenancy, generator) });

    return fn(new OfflineMigrator(em));
  });
}

// what is compared is the snapshot and the entities, so no database is needed, nor a history in the public schema
class OfflineMigrator extends Migrator {
  override async init(): Promise<void> {
    await this.initPaths();
  }
}

function tenantSetConfig(tenancy: Tenancy, generator: TenantSchemaGenerator): Configuration {
  const { config } = tenancy.orm;
  const migrations = tenantMigrationsOptions(tenancy);

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
