import pMap from 'p-map';
import type { TenantDatabase } from '../database/tenant-database.js';
import { RunUsageError } from '../errors/index.js';
import { selectSchemaNames, type TenantSelection } from '../migrations/run/selection.js';
import type { WrappedOrm } from '../scope/wrapped-orm.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { runInTenant } from './run-in.js';

export interface SeedOptions<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> extends TenantSelection<Tenant> {
  /** How many tenants are seeded at once. @default 4, and 1 on PGlite and inside a transaction */
  readonly concurrency?: number;
  /** Called for each tenant that was seeded or failed. */
  readonly onProgress?: (result: SeedResult) => void;
}

/** The result for one tenant. */
export type SeedResult =
  | { readonly schemaName: string; readonly ok: true; readonly durationMs: number }
  | { readonly schemaName: string; readonly ok: false; readonly durationMs: number; readonly error: unknown };

/**
 * Runs a seeder in the scope of each selected tenant. A failure does not stop the others.
 *
 * @throws RunUsageError `RUN_USAGE` if `@mikro-orm/seeder` is not there.
 */
export async function seedTenants(database: TenantDatabase, className: string, options: SeedOptions): Promise<SeedResult[]> {
  const { concurrency = DEFAULT_CONCURRENCY, onProgress } = options;
  const { orm, engine } = database;
  const names = await selectSchemaNames(database, options);
  requireSeeder(orm);
  const seed = async (schemaName: string): Promise<SeedResult> => {
    const start = performance.now();
    const result: SeedResult = await runInTenant(
      schemaName,
      async () => {
        await (orm.seeder as unknown as Seeder).seedString(className);

        return { schemaName, ok: true as const, durationMs: performance.now() - start };
      },
      { orm },
    ).catch((error: unknown) => ({ schemaName, ok: false as const, durationMs: performance.now() - start, error }));
    onProgress?.(result);

    return result;
  };

  return pMap(names, seed, { concurrency: Math.min(concurrency, engine.connectionsAtOnce()) });
}

/** Each tenant would fail for it. */
function requireSeeder(orm: WrappedOrm): void {
  try {
    void orm.seeder;
  } catch (cause) {
    throw RunUsageError.noSeeder(cause);
  }
}

const DEFAULT_CONCURRENCY = 4;

/** Of `@mikro-orm/seeder`, which need not be installed. */
interface Seeder {
  seedString(...classNames: readonly string[]): Promise<void>;
}
