import { RunUsageError } from '../errors/index.js';

/** The tenant in a process's environment: the form in which work of a tenant is captured. */
export interface TenantOfEnvironment {
  readonly v: 1;
  /** The key of the tenant's row, in the form that its columns have in the database. A composite key is a list. */
  readonly key: string | number | readonly (string | number)[];
  /** The name of its schema when the process was started. */
  readonly schema: string;
}

/** The environment variable that has it, as JSON. */
export const TENANT_VARIABLE = 'LANDLORD_TENANT';

/**
 * The tenant that `mikro-orm tenant:exec` has started this process for. Undefined in a process that was started without one.
 *
 * @throws RunUsageError `RUN_USAGE` for a value that `tenant:exec` has not made.
 */
export function tenantOfEnvironment(env: Readonly<Record<string, string | undefined>> = process.env): TenantOfEnvironment | undefined {
  const text = env[TENANT_VARIABLE];

  if (text === undefined || text === '') {
    return undefined;
  }

  const value = parse(text);

  if (!isTenant(value)) {
    throw RunUsageError.option(TENANT_VARIABLE, text, 'what `mikro-orm tenant:exec` sets it to');
  }

  return { v: 1, key: value.key, schema: value.schema };
}

/** The environment for a process of a tenant. `keyValues` are the values of its key in the database. */
export function environmentOf({
  schemaName,
  keyValues,
}: {
  readonly schemaName: string;
  readonly keyValues: readonly unknown[];
}): Record<string, string> {
  const [first = '', ...others] = keyValues.map(value => (typeof value === 'number' ? value : String(value)));
  const tenant: TenantOfEnvironment = { v: 1, key: others.length === 0 ? first : [first, ...others], schema: schemaName };

  return { [TENANT_VARIABLE]: JSON.stringify(tenant) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isTenant(value: unknown): value is TenantOfEnvironment {
  const { v, key, schema } = (value ?? {}) as Partial<TenantOfEnvironment>;
  const values: readonly unknown[] = Array.isArray(key) ? key : [key];

  return (
    v === 1 && typeof schema === 'string' && values.length > 0 && values.every(each => typeof each === 'string' || typeof each === 'number')
  );
}
