import { InvalidDomainError, ReservedDomainError } from '../errors/index.js';
import type { TenantRules } from '../scope/tenant-rules.js';

/**
 * The canonical form of a host that a tenant gets.
 *
 * @throws InvalidDomainError `DOMAIN_INVALID`
 * @throws ReservedDomainError `DOMAIN_RESERVED` if it serves the public routes, unless the tenant is the public one.
 */
export function checkHost(
  host: unknown,
  rules: TenantRules,
  { isPublic = false, property = 'domainUrl' }: { readonly isPublic?: boolean; readonly property?: 'domainUrl' | 'domain' },
): string {
  const canonical = typeof host === 'string' ? rules.canonicalHost(host) : undefined;

  if (canonical === undefined) {
    throw new InvalidDomainError(host, property);
  }

  if (rules.isPublicHost(canonical) && !isPublic) {
    throw new ReservedDomainError(canonical);
  }

  return canonical;
}
