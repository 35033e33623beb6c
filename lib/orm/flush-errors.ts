import { UniqueConstraintViolationException } from '@mikro-orm/core';
import { TenantExistsError } from '../errors.js';
import type { Tenancy } from '../tenancy.js';

/** A flush's error in the terms of tenants, where it is about one; else the error itself. */
export function explainFlushError(error: unknown, tenancy: Tenancy): unknown {
  if (!(error instanceof UniqueConstraintViolationException)) {
    return error;
  }

  const { constraint } = error as { readonly constraint?: string };
  const property = UNIQUE.find(name => constraint === uniqueName(tenancy, name));

  return property === undefined ? error : new TenantExistsError(property, { cause: error });
}

// the name that MikroORM gave the constraint; one that was renamed by hand leaves the driver's own error
function uniqueName({ orm, tenantMeta }: Tenancy, property: (typeof UNIQUE)[number]): string {
  const { fieldNames, unique } = tenantMeta.properties[property];

  return typeof unique === 'string' ? unique : orm.em.getPlatform().getIndexName(tenantMeta.tableName, fieldNames, 'unique');
}

const UNIQUE = ['schemaName', 'domainUrl'] as const;
