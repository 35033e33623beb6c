import { tenants, type RunResult } from '@landlord/mikro-orm';
import type { MikroORM } from '@mikro-orm/postgresql';

const ONE_AT_A_TIME = 4_711; // any number that your application uses for nothing else

/** Migrates everything, also if several processes call it at once. */
export async function migrateAll(orm: MikroORM): Promise<RunResult> {
  // MikroORM does not lock the public set: of two processes, the second would fail with "relation … already exists"
  await orm.em.fork().transactional(async em => {
    await em.execute('select pg_advisory_xact_lock(?)', [ONE_AT_A_TIME]);
    await orm.migrator.up();
  });

  // tenants have locks of their own, so several processes share the work
  return tenants(orm).migrate();
}
