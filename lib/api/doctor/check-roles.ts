import type { TenantDatabase } from '../../database/tenant-database.js';
import { quoteIdentifier, roleOfTenant } from '../../postgres/schema-name.js';
import { createRoleSql, grantSql } from '../../provisioning/roles.js';
import type { Finding, FixStatement } from './finding.js';

/** With the option `roles`: tenants without a role, roles without a tenant, and privileges that are missing or that reach another tenant. */
export async function checkRoles(database: TenantDatabase, names: ReadonlySet<string>): Promise<Finding[]> {
  const { roles } = database.options;

  if (roles === undefined) {
    return [];
  }

  const { prefix } = roles;
  const found = await database.execute<{ role: string; has_schema: boolean }>(
    `select r.rolname::text as role, n.oid is not null as has_schema from pg_roles r
      left join pg_namespace n on n.nspname = substr(r.rolname, length(?::text) + 1) where starts_with(r.rolname::text, ?)`,
    [prefix, prefix],
    undefined,
  );
  const known = new Set(found.map(({ role }) => role));
  const withSchema = await database.execute<{ name: string }>('select nspname::text as name from pg_namespace', [], undefined);
  const missing = withSchema.filter(({ name }) => names.has(name) && !known.has(roleOfTenant(roles, name)));

  return [
    ...found.filter(({ role, has_schema }) => !has_schema && !names.has(role.slice(prefix.length))).map(({ role }) => staleRole(role)),
    ...(await Promise.all(missing.map(({ name }) => missingRole(database, name)))),
    ...(await checkGrants(database, prefix, names)),
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
    fix: statements([...(await createRoleSql(database, schemaName, undefined)), ...grantSql(database, schemaName)]),
  };
}

async function checkGrants(database: TenantDatabase, prefix: string, names: ReadonlySet<string>): Promise<Finding[]> {
  const stale = await database.execute<{ schema: string; role: string }>(STALE, [prefix, prefix, prefix, prefix], undefined);
  const lacking = await database.execute<{ schema: string; tables: number | string }>(LACKING, [prefix], undefined);

  return [
    ...stale
      .filter(({ schema }) => names.has(schema))
      .map(({ schema, role }): Finding => {
        const [from, quoted] = [quoteIdentifier(role), quoteIdentifier(schema)];

        return {
          kind: 'grant-stale',
          schemaName: schema,
          object: role,
          message: `role ${role}, which is that of another tenant, has privileges in the schema`,
          remedy: 'Revoke them.',
          fix: statements([
            `revoke all on all tables in schema ${quoted} from ${from}`,
            `revoke all on all sequences in schema ${quoted} from ${from}`,
            `revoke all on schema ${quoted} from ${from}`,
          ]),
        };
      }),
    ...lacking
      .filter(({ schema }) => names.has(schema))
      .map(({ schema, tables }): Finding => ({
        kind: 'grant-missing',
        schemaName: schema,
        message: `the role of the tenant lacks privileges on the schema or on ${tables} of its tables`,
        remedy: 'Grant them.',
        fix: statements(grantSql(database, schema)),
      })),
  ];
}

function statements(sql: readonly string[]): FixStatement[] {
  return sql.map(each => ({ sql: each }));
}

const STALE = `select distinct n.nspname::text as schema, r.rolname::text as role from pg_namespace n cross join lateral aclexplode(n.nspacl) a
  join pg_roles r on r.oid = a.grantee where starts_with(r.rolname::text, ?) and r.rolname <> ?::text || n.nspname::text
union
select n.nspname::text, r.rolname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace cross join lateral aclexplode(c.relacl) a
  join pg_roles r on r.oid = a.grantee
  where c.relacl is not null and c.relkind in ('r', 'p', 'S', 'v', 'm') and starts_with(r.rolname::text, ?) and r.rolname <> ?::text || n.nspname::text
order by 1, 2`;

const LACKING = `select n.nspname::text as schema, count(*) as tables from pg_class c join pg_namespace n on n.oid = c.relnamespace
  join pg_roles r on r.rolname = ?::text || n.nspname::text
  where c.relkind in ('r', 'p') and not (
    has_schema_privilege(r.oid, n.oid, 'usage') and has_table_privilege(r.oid, c.oid, 'select') and has_table_privilege(r.oid, c.oid, 'insert')
    and has_table_privilege(r.oid, c.oid, 'update') and has_table_privilege(r.oid, c.oid, 'delete'))
  group by 1 order by 1`;
