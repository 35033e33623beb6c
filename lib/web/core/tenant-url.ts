import { TenantUrlError } from '../../errors/index.js';
import { canonicalHostname } from '../../tenant/hostname.js';
import type { TenantMixin } from '../../tenant/tenant-mixin.js';
import { primaryHostOf } from './primary-host.js';

export interface TenantUrlOptions {
  /**
   * Where tenants are reached, with a property of the tenant after each colon: `'https://:domainUrl:8443'`,
   * `'https://:schemaName.example.com'`, `'https://example.com/t/:schemaName'`. `:primaryHost` is what `primaryHostOf(tenant)` returns.
   *
   * @default 'https://:primaryHost'
   */
  readonly base?: string;
}

/**
 * The URL of a page of a tenant, for mails, redirects and links between tenants: `tenantUrl(acme, '/books?page=2')`. Whatever the path is, the URL
 * is one of the tenant's host.
 *
 * @throws TenantUrlError `TENANT_URL` if the path does not begin with one slash, or the base makes no URL of this tenant.
 */
export function tenantUrl<Tenant extends TenantMixin<any>>(
  tenant: Tenant,
  path = '/',
  { base = 'https://:primaryHost' }: TenantUrlOptions = {},
): string {
  if (typeof path !== 'string' || !/^\/(?![/\\])/.test(path)) {
    throw TenantUrlError.invalidPath(path);
  }

  const [, scheme, host = '', port = '', prefix = ''] = BASE.exec(base) ?? [];
  const name = filled(host, tenant, String);
  const root = `${scheme}${name}${port}${filled(prefix.replace(/\/$/, ''), tenant, encodeURIComponent)}`;

  if (scheme === undefined || canonicalHostname(name, { stripWww: false }) === undefined || !URL.canParse(root)) {
    throw TenantUrlError.invalidBase(base);
  }

  const url = new URL(root + path);

  // `/..` would leave the part of the path that names the tenant
  if (!`${url.pathname}/`.startsWith(`${new URL(root).pathname.replace(/\/$/, '')}/`)) {
    throw TenantUrlError.invalidPath(path);
  }

  return url.href;
}

function filled(pattern: string, tenant: TenantMixin<any>, encode: (value: string) => string): string {
  return pattern.replaceAll(PROPERTY, (whole, name: string) => {
    const value = name === 'primaryHost' ? primaryHostOf(tenant) : (tenant as unknown as Readonly<Record<string, unknown>>)[name];

    // it stays as it is, and is then no host
    return typeof value === 'string' || typeof value === 'number' ? encode(String(value)) : whole;
  });
}

// a scheme; a host, which may name properties; a port; a path
const BASE = /^(https?:\/\/)((?::[a-z_]\w*|\[[^\]]*\]|[^/:?#@\\\s])+)(:\d+)?(\/[^?#\s]*)?$/i;

const PROPERTY = /:([a-z_]\w*)/gi;
