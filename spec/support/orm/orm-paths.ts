import type { TenantEntityManager } from '@landlord/mikro-orm';
import type { Options } from '@mikro-orm/core';
import { SeedManager } from '@mikro-orm/seeder';
import { ENTITIES, SharedRoutine, TenantRoutine } from '../../laws/matrix/entities.ts';
import { SEEDERS } from '../../laws/matrix/seeder.ts';
import { TABLES } from '../../laws/matrix/tables.ts';
import type { DatabaseKind } from '../databases/database.ts';

/** One of the matrix's ways in which MikroORM reaches the database. */
export interface OrmPath {
  readonly run: (em: TenantEntityManager) => Promise<unknown>;
  readonly writes: boolean;
  /** Whether its result contains a value of a sequence. */
  readonly varies: boolean;
}

/** All ways that can run in a transaction, by class and method. Requires the tables of `addMatrixTables`. */
export function ormPaths(kind: DatabaseKind): Readonly<Record<string, OrmPath>> {
  const rows = Object.entries(TABLES).flatMap(([className, table]) =>
    Object.entries(table)
      .filter(([, row]) => kind !== 'pglite' || row.notOnPglite !== true)
      .filter(([, row]) => row.except?.includes('in a transaction') !== true)
      .map(([name, row]) => [
        `${className}.${name}`,
        {
          run: async (em: TenantEntityManager) => row.use(await row.make(em, {}), {}),
          writes: row.writes === true,
          varies: row.varies === true,
        },
      ]),
  );

  return Object.fromEntries(rows) as Record<string, OrmPath>;
}

/** The ORM's config that they need. */
export const PATHS_CONFIG: Partial<Options<any, any, any>> = {
  entities: ENTITIES,
  routines: [SharedRoutine, TenantRoutine],
  extensions: [SeedManager],
  seeder: { seedersList: [...SEEDERS] },
};
