import type { Platform } from '@mikro-orm/core';
import { AbstractSqlDriver } from '@mikro-orm/postgresql';
import { TenantConfigError } from '../errors/index.js';
import { isPostgres } from './is-pglite.js';

/** What is wrong with the class of the driver. Its name says nothing: it may be the user's, and a bundler may have shortened it. */
export function driverProblems(driver: unknown): string[] {
  if (typeof driver !== 'function') {
    return [`\`driver\` is not set. ${SUPPORTED}`];
  }

  if (driver.prototype instanceof AbstractSqlDriver) {
    return [];
  }

  return [isSqlDriver(driver) ? secondCopy(driver.name) : unsupported(driver.name)];
}

/** @throws TenantConfigError `TENANT_CONFIG` where the driver is of another database. Its class does not tell, but the platform that it makes. */
export function checkPlatform(platform: Platform, { name }: { readonly name: string }): void {
  if (!isPostgres(platform)) {
    throw new TenantConfigError([unsupported(name)]);
  }
}

/** Whether the class has what each SQL driver of MikroORM 7 has, from wherever it was loaded, and others (MongoDB's) have not. */
function isSqlDriver(driver: { readonly prototype: unknown }): boolean {
  const { createQueryBuilder, getTableName } = (driver.prototype ?? {}) as Record<string, unknown>;

  return typeof createQueryBuilder === 'function' && typeof getTableName === 'function';
}

// none of its queries would pass the guards, which are of the other copy
function secondCopy(name: string): string {
  return (
    `\`driver\` is ${name} of a second copy of @mikro-orm/sql, which is not the one that @landlord/mikro-orm uses. ` +
    'Install all @mikro-orm packages at one version, and see that one copy of @mikro-orm/sql is left: `npm ls @mikro-orm/sql` lists them. ' +
    'A bundle has to include both this package and @mikro-orm, or neither.'
  );
}

function unsupported(name: string): string {
  return `\`driver\` is ${name}; the PostgreSQL and PGlite drivers are supported. ${SUPPORTED}`;
}

const SUPPORTED = 'Use the `defineConfig` of @mikro-orm/postgresql or @mikro-orm/pglite.';
