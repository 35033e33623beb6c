import type { EntityProperty } from '@mikro-orm/core';
import type { DirectoryKey } from '../../directory/directory-key.js';
import { ResolverError } from '../../errors/index.js';
import type { TenantRules } from '../../scope/tenant-rules.js';
import type { NamedTenant } from './resolvers.js';

/**
 * The key of a tenant in the directory. Undefined if no tenant can have this value. What a visitor has sent must not reach the database in a
 * form that it rejects: the query also asks for the tenants of other requests.
 *
 * @throws ResolverError `RESOLVER_INVALID` if the property does not tell one tenant from all others.
 */
export function tenantKeyOf(rules: TenantRules, { property, value }: NamedTenant): DirectoryKey | undefined {
  const stored = kindOf(rules, property)(String(value));

  return stored === undefined ? undefined : { property, value: stored };
}

function kindOf(rules: TenantRules, property: string): Kind {
  let kinds = known.get(rules);

  if (kinds === undefined) {
    known.set(rules, (kinds = new Map()));
  }

  let kind = kinds.get(property);

  if (kind === undefined) {
    kinds.set(property, (kind = findKind(rules, property)));
  }

  return kind;
}

function findKind(rules: TenantRules, name: string): Kind {
  const meta = rules.tenantMeta;
  const property = Object.hasOwn(meta.properties, name) ? (meta.properties as Record<string, EntityProperty>)[name] : undefined;

  if (property === undefined || !isUnique(meta, property)) {
    throw ResolverError.notUnique(meta.className, name);
  }

  const kind = property.fieldNames?.length === 1 ? KINDS[typeOf(property)] : undefined;

  if (kind === undefined) {
    throw ResolverError.notText(meta.className, name);
  }

  return kind;
}

function isUnique(meta: TenantRules['tenantMeta'], { name, primary, unique }: EntityProperty): boolean {
  const isOf = (properties: unknown): boolean => [properties].flat().length === 1 && [properties].flat()[0] === name;

  return (primary === true && meta.primaryKeys.length === 1) || Boolean(unique) || meta.uniques.some(each => isOf(each.properties));
}

function typeOf({ columnTypes, runtimeType }: EntityProperty): string {
  const column = columnTypes?.[0]?.toLowerCase().replace(/\(.*$/, '') ?? '';

  return column in KINDS ? column : runtimeType;
}

/** Returns the value as the database gives it back, or undefined if it would not take it. */
type Kind = (value: string) => string | undefined;

// PostgreSQL rejects text with a null byte or half a surrogate pair
const text: Kind = value => (value.length <= MAX_LENGTH && !value.includes('\0') && !/\p{Surrogate}/u.test(value) ? value : undefined);

const integerUpTo =
  (max: bigint): Kind =>
  value =>
    /^(?:0|[1-9]\d{0,18})$/.test(value) && BigInt(value) <= max ? value : undefined;

const uuid: Kind = value => (/^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i.test(value) ? value.toLowerCase() : undefined);

const KINDS: Readonly<Record<string, Kind>> = {
  string: text,
  uuid,
  smallint: integerUpTo(32_767n),
  int: integerUpTo(2_147_483_647n),
  integer: integerUpTo(2_147_483_647n),
  serial: integerUpTo(2_147_483_647n),
  bigint: integerUpTo(9_223_372_036_854_775_807n),
  bigserial: integerUpTo(9_223_372_036_854_775_807n),
};

/** Longer than any name of a tenant. What nobody has is kept in memory for a moment too. */
const MAX_LENGTH = 255;

const known = new WeakMap<TenantRules, Map<string, Kind>>();
