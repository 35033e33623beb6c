import { ValidationError } from '@mikro-orm/core';
import type { TenantService } from '../api/tenant-service.js';
import { RunUsageError } from '../errors/index.js';
import { TENANT_SETTINGS } from '../tenant/settings.js';

/**
 * Properties of the tenant's entity, given as JSON.
 *
 * @throws RunUsageError `RUN_USAGE` if it is no object, or if the entity does not have a property of it.
 */
export function propertiesOf(
  { tenantMeta: { className, properties } }: TenantService,
  { option, json, expected }: { readonly option: string; readonly json: string | undefined; readonly expected: string },
): Record<string, unknown> {
  const values = json === undefined ? {} : parse(json);

  if (values === undefined) {
    throw RunUsageError.option(option, json, expected);
  }

  // settings are refused by what creates the tenant
  const unknown = Object.keys(values).find(name => !Object.hasOwn(properties, name) && !isSetting(name));

  if (unknown !== undefined) {
    throw RunUsageError.property(option, unknown, { className, known: Object.keys(properties).filter(name => !isSetting(name)) });
  }

  return values;
}

/**
 * Stores a tenant of such properties.
 *
 * @throws RunUsageError `RUN_USAGE` if MikroORM refuses a value, such as one that is missing.
 */
export async function store<Result>(option: string, fn: () => Promise<Result>): Promise<Result> {
  try {
    return await fn();
  } catch (error) {
    throw error instanceof ValidationError ? RunUsageError.values(option, error) : error;
  }
}

function parse(json: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(json);

    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? { ...parsed } : undefined;
  } catch {
    // the same as for JSON that is no object
    return undefined;
  }
}

function isSetting(name: string): boolean {
  return (TENANT_SETTINGS as readonly string[]).includes(name);
}
