import { ForeignKeyConstraintViolationException, UniqueConstraintViolationException, type EntityMetadata } from '@mikro-orm/core';
import { SharedRowInUseError, TenantExistsError } from '../errors/index.js';
import { hasSqlState } from '../postgres/sql-state.js';
import type { TenantRules } from '../scope/tenant-rules.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';

/** A flush's error in the terms of tenants, where it is about one; else the error itself. */
export function explainFlushError(error: unknown, rules: TenantRules): unknown {
  if (!(error instanceof UniqueConstraintViolationException)) {
    return error;
  }

  const { constraint } = error as { readonly constraint?: string };
  const property = UNIQUE.find(name => constraint === uniqueName(rules, name));

  return property === undefined ? error : new TenantExistsError(property, { cause: error });
}

/**
 * The error of a statement that deletes rows of an entity, or changes them, in the terms of tenants where the rows are shared and a
 * tenant's refer to them; else the error itself. PostgreSQL names the table that the constraint is of, which of such a statement on a
 * shared table is a tenant's only if it is the one that refers.
 */
export function explainSharedWrite(error: unknown, meta: EntityMetadata, rules: TenantRules): unknown {
  if (isTenantEntity(meta.root) || !hasSqlState(error, REFERRED_TO) || error instanceof SharedRowInUseError) {
    return error;
  }

  const { schema, table, constraint } = error as { readonly schema?: string; readonly table?: string; readonly constraint?: string };

  if (schema === undefined || table === undefined || constraint === undefined || rules.sharedSchemas.has(schema)) {
    return error;
  }

  return new SharedRowInUseError(meta.className, { schema, table, constraint }, { cause: asViolation(error as Error) });
}

// what a query builder throws to its user is the error of `pg`
function asViolation(error: Error): Error {
  return error instanceof ForeignKeyConstraintViolationException ? error : new ForeignKeyConstraintViolationException(error);
}

// the name that MikroORM gave the constraint; one that was renamed by hand leaves the driver's own error
function uniqueName({ orm, tenantMeta }: TenantRules, property: (typeof UNIQUE)[number]): string {
  const { fieldNames, unique } = tenantMeta.properties[property];

  return typeof unique === 'string' ? unique : orm.em.getPlatform().getIndexName(tenantMeta.tableName, fieldNames, 'unique');
}

/** Foreign key violation, restrict violation. */
const REFERRED_TO = ['23503', '23001'] as const;

const UNIQUE = ['schemaName', 'domainUrl'] as const;
