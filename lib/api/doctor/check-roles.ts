import type { TenantDatabase } from '../../database/tenant-database.js';
import { quoteIdentifier } from '../../postgres/schema-name.js';
import { createRoleSql, grantSql } from '../../provisioning/roles.js';
import { checkGrants } from './check-grants.js';
import type { Finding } from './finding.js';

/** With the option `roles`: tenants without a role, roles without a tenant, and privileges that are missing or that reach another tenant. */
export async function checkRoles(database: TenantDatabase, names: ReadonlySet<string>): Promise<Finding[]> {
  const { roles } = database.options;

  if (roles === undefined) {
    return [];
  }

  const { prefix } = roles;
  // of one moment: a role is created and dropped with its schema
  const found = await database.execute<{ role: string | null; schema: string | null }>(
    `select r.name as role, n.name as schema from (select rolname::text as name from pg_roles where starts_with(rolname::text, ?)) r
      full join (select nspname::text as name from pg_namespace) n on ?::text || n.name = r.name where r.name is null or n.name is null`,
    [prefix, prefix],
    undefined,
  );
  const missing = found.flatMap(({ schema }) => (schema !== null && names.has(schema) ? [schema] : []));
  const stale = found.flatMap(({ role }) => (role !== null && !names.has(role.slice(prefix.length)) ? [role] : []));

  return [
    ...(await Promise.all(missing.map(name => missingRole(database, name)))),
    // before the roles: one that has privileges cannot be dropped
    ...(await checkGrants(database, { roles, names })),
    ...stale.map(staleRole),
  ];
}

function staleRole(role: string): Finding {
  const sql = `drop role ${quoteIdentifier(role)}`;

  return {
    kind: 'role-stale',
    object: role,
    message: `role ${role} is that of a tenant that is not there`,
    // PostgreSQL refuses it where the role has privileges anywhere in the cluster
    remedy: `Drop it: \`${sql}\`. If another database has tenants with roles of this prefix, give each a prefix of its own.`,
    fix: [{ sql }],
  };
}

async function missingRole(database: TenantDatabase, schemaName: string): Promise<Finding> {
  return {
    kind: 'role-missing',
    schemaName,
    message: 'the tenant has no role, so that its scope cannot be entered',
    remedy: 'Create it with `tenants().createRole(…)`.',
    fix: [...(await createRoleSql(database, schemaName, undefined)), ...grantSql(database, schemaName)].map(sql => ({ sql })),
  };
}
