import { createHash } from 'node:crypto';
import { join, resolve, sep } from 'node:path';
import { TenantContextRequiredError, TenantJobError, TenantPathError } from '../errors/index.js';
import { jsonKeyOf, type JsonKey } from '../scope/key-of-scope.js';
import type { OrmOption } from '../scope/live-orms.js';
import type { TenantScope } from '../scope/scope.js';
import { scopeFor } from './run-in.js';

/**
 * A key for a cache that tenants share, such as Redis: `key` with the tenant of the current scope before it. It contains the tenant's own key and
 * the object id of its schema, not its name. So a rename keeps what is cached, and a later tenant of the same name or key finds nothing of it.
 *
 * @throws TenantContextRequiredError `TENANT_CONTEXT_REQUIRED` in the public scope and outside any scope.
 */
export function tenantKey(key: string, options?: OrmOption): string {
  const scope = tenantScopeOf('tenantKey()', options);

  return `tenant:${encodeURIComponent(JSON.stringify(keyOf(scope)))}.${scope.identity?.schemaOid ?? ''}:${key}`;
}

/**
 * The absolute path of a file of the current tenant: `file` in a folder of its own in `root`. The folder is named after the tenant's key, so a
 * rename keeps it. `file` is relative, with forward slashes. What could leave the folder is refused. The disk is not looked at: a symbolic
 * link that somebody puts into the folder leads where it leads.
 *
 * @throws TenantPathError `TENANT_PATH`
 * @throws TenantContextRequiredError `TENANT_CONTEXT_REQUIRED` in the public scope and outside any scope.
 */
export function tenantPath(root: string, file: string, options?: OrmOption): string {
  const folder = folderOf(keyOf(tenantScopeOf('tenantPath()', options)));

  if (typeof root !== 'string' || root === '' || root.includes('\0')) {
    throw new TenantPathError('root', root, 'it is not the path of a folder');
  }

  const reason = reasonAgainst(file);

  if (reason !== undefined) {
    throw new TenantPathError('file', file, reason);
  }

  const base = join(resolve(root), folder);
  const path = join(base, ...file.split('/'));

  // what `join` makes of it must agree with what was checked
  if (!path.startsWith(base + sep)) {
    throw new TenantPathError('file', file, 'it leads out of the folder');
  }

  return path;
}

function reasonAgainst(file: unknown): string | undefined {
  if (typeof file !== 'string' || file === '') {
    return 'it is not a text';
  }

  // Windows takes a backslash for a separator, a colon for a drive or a stream, and drops dots and spaces at the end of a name
  if (FORBIDDEN.test(file)) {
    return 'it contains a backslash, a colon or a control character';
  }

  return file.split('/').some(name => name === '' || /[. ]$/.test(name))
    ? 'a name in it is empty, or ends with a dot or a space'
    : undefined;
}

/** A name that is one tenant's on every file system, also on one that does not tell upper case from lower. */
function folderOf(key: JsonKey): string {
  const text = JSON.stringify(key);
  const plain = typeof key === 'object' ? '' : String(key);

  return PLAIN.test(plain) ? `tenant-${plain}` : `tenant.${createHash('sha256').update(text).digest('hex')}`;
}

function keyOf(scope: TenantScope): JsonKey {
  const key = jsonKeyOf(scope);

  if (key === undefined) {
    throw TenantJobError.noKey(scope.schemaName);
  }

  return key;
}

function tenantScopeOf(name: string, options: OrmOption | undefined): TenantScope {
  const scope = scopeFor(options);

  if (scope?.kind !== 'tenant') {
    throw TenantContextRequiredError.noTenant(scope?.kind, name);
  }

  return scope;
}

// oxlint-disable-next-line no-control-regex -- they are what is refused
const FORBIDDEN = /[\\:\u0000-\u001f\u007f]/;

const PLAIN = /^[0-9a-z][0-9a-z_-]{0,63}$/;
