import { TenantError, reasonOf, show } from './tenant-error.js';

/** A tenant's database role cannot be used or created: it is missing, the login role is not a member of it, or it already exists. */
export class TenantRoleError extends TenantError {
  readonly role: string;

  static exists(role: string, cause: unknown): TenantRoleError {
    return new TenantRoleError(
      'TENANT_ROLE_EXISTS',
      role,
      `Role ${show(role)} already exists. An existing role is never taken over, because other roles may be members of it. Nothing was changed. ` +
        'Roles belong to the whole cluster: give each database its own `roles.prefix`, or drop the role if nothing uses it.',
      cause,
    );
  }

  static refused(role: string, cause: unknown): TenantRoleError {
    return new TenantRoleError(
      'TENANT_ROLE_REFUSED',
      role,
      `The connection could not switch to role ${show(role)}: ${reasonOf(cause)}. Nothing was run. ` +
        `If the role exists, make the role of the connection a member of it: \`grant ${show(role)} to …\`. ` +
        'If the tenant was created before the option `roles` was set, create its role with `tenants().createRole(…)`.',
      cause,
    );
  }

  constructor(code: 'TENANT_ROLE_REFUSED' | 'TENANT_ROLE_EXISTS', role: string, message: string, cause: unknown) {
    super(code, message, { cause });
    this.role = role;
  }
}
