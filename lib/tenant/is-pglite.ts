import type { Platform } from '@mikro-orm/core';
import { BasePostgreSqlPlatform, PostgreSqlPlatform } from '@mikro-orm/postgresql';

/**
 * Whether the database is PGlite: it has one connection, and takes one command in a message. Told by the platform, whatever the driver's class
 * is called, and without `@mikro-orm/pglite`, which may not be installed. Relies on MikroORM 7 having two platforms of PostgreSQL's dialect:
 * that of PGlite, and that of `pg`.
 */
export function isPglite(platform: Platform): boolean {
  return isPostgres(platform) && !(platform instanceof PostgreSqlPlatform);
}

/** Whether the database speaks PostgreSQL's dialect, by whichever driver. */
export function isPostgres(platform: Platform): boolean {
  return platform instanceof BasePostgreSqlPlatform;
}
