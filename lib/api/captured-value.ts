import { TenantJobError } from '../errors/index.js';
import { show } from '../errors/tenant-error.js';
import type { JsonKey } from '../scope/key-of-scope.js';

/** Where work was captured, for JSON. */
export type CapturedWork = CapturedTenant | CapturedOutside;

/** Work of a tenant. */
export interface CapturedTenant {
  readonly v: 1;
  /** The key of the tenant's row, in the form that its columns have in the database. A composite key is a list. */
  readonly key: JsonKey;
  /** The name of its schema when the work was captured. It is for people: the tenant is found by its key. */
  readonly schema: string;
  /** The object id of its schema, if it had one. It tells the tenant from a later one that was given the same key. */
  readonly oid?: string;
}

/** Work outside of a tenant. */
export interface CapturedOutside {
  readonly v: 1;
  readonly scope: 'public' | 'none';
}

/**
 * Checks what comes with a job. Only what `captureTenant()` makes is taken: a queue's table may be written by others, and by other releases.
 *
 * @throws TenantJobError `JOB_TENANT_INVALID`
 */
export function readCaptured(value: unknown): CapturedWork {
  const own = ownValues(value);

  if (own === undefined) {
    throw TenantJobError.invalid(
      value === undefined ? 'it says nothing' : `it says ${typeof value === 'object' ? 'something else than a plain object' : show(value)}`,
    );
  }

  if (own.v !== 1) {
    throw TenantJobError.invalid(`it says it in version ${show(own.v)}, and this release knows version 1`);
  }

  const { key, scope, schema, oid } = own;

  if (scope !== undefined) {
    if (key !== undefined || (scope !== 'public' && scope !== 'none')) {
      throw TenantJobError.invalid(`its scope is ${show(scope)}${key === undefined ? '' : ', and it has a key too'}`);
    }

    return { v: 1, scope };
  }

  if (
    !isKey(key) ||
    typeof schema !== 'string' ||
    !NAME.test(schema) ||
    (oid !== undefined && (typeof oid !== 'string' || !OID.test(oid)))
  ) {
    throw TenantJobError.invalid('its `key`, `schema` or `oid` is missing, or is none that a tenant can have');
  }

  return { v: 1, key, schema, ...(oid === undefined ? {} : { oid }) };
}

/** The values that the object has itself. Undefined for what no JSON can hold, also if reading it throws. */
function ownValues(value: unknown): Readonly<Record<(typeof NAMES)[number], unknown>> | undefined {
  if (typeof value !== 'object' || value === null) {
    return undefined;
  }

  try {
    const prototype: unknown = Object.getPrototypeOf(value);

    return (prototype === Object.prototype || prototype === null) && !Array.isArray(value)
      ? (Object.fromEntries(NAMES.map(name => [name, Object.getOwnPropertyDescriptor(value, name)?.value])) as never)
      : undefined;
  } catch {
    return undefined;
  }
}

function isKey(key: unknown): key is JsonKey {
  return Array.isArray(key) ? key.length > 1 && key.length <= MAX_COLUMNS && key.every(isKeyValue) : isKeyValue(key);
}

// PostgreSQL rejects text with a null byte or half a surrogate pair
function isKeyValue(value: unknown): value is string | number {
  return typeof value === 'number'
    ? Number.isFinite(value)
    : typeof value === 'string' && value.length <= MAX_LENGTH && !value.includes('\0') && !/\p{Surrogate}/u.test(value);
}

const NAMES = ['v', 'key', 'scope', 'schema', 'oid'] as const;

const NAME = /^[a-z_][a-z0-9_]{0,62}$/;

const OID = /^[1-9]\d{0,9}$/;

const MAX_COLUMNS = 32;

const MAX_LENGTH = 1_000;
