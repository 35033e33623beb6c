import { helper, type Configuration } from '@mikro-orm/core';
import { UnknownTenantError } from '../errors/index.js';
import { isPglite } from '../tenant/is-pglite.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';

/**
 * Whether two ORMs are of one database, as their configs tell. Tenants of one name in two databases are two tenants. Two addresses of one
 * database, such as that of a pooler, are taken for two databases.
 */
export function isSameDatabase(one: Configuration, other: Configuration): boolean {
  return one === other || databaseOf(one) === databaseOf(other);
}

/**
 * Refuses the row of a tenant that was loaded from another database.
 *
 * @throws UnknownTenantError `TENANT_UNKNOWN`
 */
export function refuseRowOfOther(row: Pick<TenantMixin<unknown>, 'schemaName'>, config: Configuration): void {
  const of = helper(row).__em?.config;

  if (of !== undefined && !isSameDatabase(of, config)) {
    throw UnknownTenantError.ofOtherDatabase(row.schemaName);
  }
}

/** The address of the database, or an object that stands for it. */
function databaseOf(config: Configuration): unknown {
  let database = known.get(config);

  if (database === undefined) {
    database = find(config);
    known.set(config, database);
  }

  return database;
}

function find(config: Configuration): unknown {
  const given: unknown = config.get('driverOptions');
  const { host = '', port, database = '' } = config.getDriver().getConnection().getConnectionOptions();

  if (typeof given === 'object' && given !== null) {
    if ('pglite' in given) {
      return given.pglite;
    }

    // a dialect of the user's own, which has an address of its own
    if ('createDriver' in given) {
      return given;
    }
  }

  // one in memory is its ORM's alone
  return isPglite(config.getPlatform()) && database.startsWith('memory:')
    ? config
    : `${LOCAL.has(host) ? 'localhost' : host}:${port || DEFAULT_PORT}/${database}`;
}

/** That of an address without one, of which MikroORM makes 0. */
const DEFAULT_PORT = 5432;

const LOCAL: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '::1', '[::1]']);

const known = new WeakMap<Configuration, unknown>();
