import { TenantError, reasonOf, show } from './tenant-error.js';

/** A tenant's database role cannot be had: it is not there, the login role is no member of it, or it was there before its tenant. */
export class TenantRoleError extends TenantError {
  readonly role: string;

  static exists(role: string, cause: unknown): TenantRoleError {
    return new TenantRoleError(
      'TENANT_ROLE_EXISTS',
      role,
      `Role ${show(role)} exists already, and a role is never adopted silently: others may be members of it. Nothing was changed. ` +
        'Roles belong to the whole cluster: give each database a `roles.prefix` of its own, or drop the role if it is left over.',
      cause,
    );
  }

  static refused(role: string, cause: unknown): TenantRoleError {
    return new TenantRoleError(
      'TENANT_ROLE_REFUSED',
      role,
      `Role ${show(role)} could not be taken: ${reasonOf(cause)}. Nothing was run. ` +
        `Where the role is there, make the role that the ORM is connected as a member of it: \`grant ${show(role)} to …\`; ` +
        "where it is a tenant's and is not, because the tenant is older than the option `roles`, call `tenants().createRole(…)`.",
      cause,
    );
  }

  constructor(code: 'TENANT_ROLE_REFUSED' | 'TENANT_ROLE_EXISTS', role: string, message: string, cause: unknown) {
    super(code, message, { cause });
    this.role = role;
  }
}
