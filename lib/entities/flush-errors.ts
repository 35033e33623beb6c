import {
  ForeignKeyConstraintViolationException,
  UniqueConstraintViolationException,
  type Configuration,
  type EntityMetadata,
  type EntityProperty,
} from '@mikro-orm/core';
import {
  HostIsolationError,
  HostTakenError,
  InvalidDomainError,
  SharedRowInUseError,
  TenantExistsError,
  type TenantError,
} from '../errors/index.js';
import { fieldsOfShard, type ShardFields } from '../database/citus/shard-errors.js';
import { isNamed, shardNamesIn } from '../postgres/citus-errors.js';
import { RAISED } from '../postgres/raised-states.js';
import { hasSqlState } from '../postgres/sql-state.js';
import type { TenantRules } from '../scope/tenant-rules.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';

/**
 * Converts a flush's unique violation on a tenant's schema name or domain to a `TenantExistsError`, and what the triggers of domains raise to
 * errors of this library. Returns every other error unchanged.
 */
export function explainFlushError(error: unknown, rules: TenantRules): unknown {
  if (rules.options.domains !== undefined) {
    return explainHostError(error, rules) ?? explainUnique(error, rules);
  }

  return explainUnique(error, rules);
}

function explainHostError(error: unknown, rules: TenantRules): TenantError | undefined {
  const { detail, constraint } = error as { readonly detail?: string; readonly constraint?: string };

  if (hasSqlState(error, [RAISED.hostTaken])) {
    return new HostTakenError(detail, { cause: error });
  }

  if (hasSqlState(error, [RAISED.hostsNeedReadCommitted])) {
    return new HostIsolationError({ cause: error });
  }

  if (hasSqlState(error, [RAISED.hostNotCanonical])) {
    return new InvalidDomainError(detail, 'domain', { cause: error });
  }

  return error instanceof UniqueConstraintViolationException && constraint === uniqueDomain(rules)
    ? new HostTakenError(undefined, { cause: error })
    : undefined;
}

function uniqueDomain({ config, metadata, options: { domains } }: TenantRules): string | undefined {
  const meta = domains && metadata.get(domains);

  return meta && uniqueOf(config, meta, 'domain');
}

function explainUnique(error: unknown, rules: TenantRules): unknown {
  if (!(error instanceof UniqueConstraintViolationException)) {
    return error;
  }

  const isViolated = (name: string): boolean =>
    (error as { readonly constraint?: string }).constraint === name || shardNamesIn(error).some(each => isNamed(each, name));
  const property = UNIQUE.find(name => isViolated(uniqueOf(rules.config, rules.tenantMeta, name)));

  return property === undefined ? error : new TenantExistsError(property, { cause: error });
}

/**
 * Converts the error of a statement that updates or deletes shared rows, if rows of a tenant refer to them, to a `SharedRowInUseError`. Returns
 * every other error unchanged. PostgreSQL reports the table that has the foreign key. If the statement writes a shared table and the reported
 * table is a tenant's, then the tenant's table refers to the shared one.
 */
export async function explainSharedWrite(error: unknown, meta: EntityMetadata, rules: TenantRules): Promise<unknown> {
  if (isTenantEntity(meta.root) || !hasSqlState(error, REFERRED_TO) || error instanceof SharedRowInUseError) {
    return error;
  }

  const { schema, table, constraint } = (await fieldsOfShard(rules.config, error)) ?? (error as Partial<ShardFields>);

  if (schema === undefined || table === undefined || constraint === undefined || rules.sharedSchemas.has(schema)) {
    return error;
  }

  return new SharedRowInUseError(meta.className, { schema, table, constraint }, { cause: asViolation(error as Error) });
}

// a query builder throws the error of `pg`
function asViolation(error: Error): Error {
  return error instanceof ForeignKeyConstraintViolationException ? error : new ForeignKeyConstraintViolationException(error);
}

// the name that MikroORM gives the constraint. If it was renamed by hand, the driver's own error is thrown
function uniqueOf(config: Configuration, meta: EntityMetadata, property: string): string {
  const { fieldNames, unique } = meta.properties[property] as EntityProperty;

  return typeof unique === 'string' ? unique : config.getPlatform().getIndexName(meta.tableName, fieldNames, 'unique');
}

/** Foreign key violation, restrict violation. */
const REFERRED_TO = ['23503', '23001'] as const;

const UNIQUE = ['schemaName', 'domainUrl'] as const;
