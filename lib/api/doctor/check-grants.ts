import type { TenantDatabase } from '../../database/tenant-database.js';
import { quoteIdentifier, roleOfTenant } from '../../postgres/schema-name.js';
import { allGrantsSql } from '../../provisioning/roles.js';
import type { RolesOptions } from '../../tenant/options.js';
import type { Finding } from './finding.js';

/** Privileges that a tenant's role lacks, and those in its schema that others have. */
export async function checkGrants(
  database: TenantDatabase,
  { roles, names }: { readonly roles: RolesOptions; readonly names: ReadonlySet<string> },
): Promise<Finding[]> {
  const { prefix, shared = null } = roles;
  const [stale, members, open, lacking] = [
    await database.execute<Stale>(STALE, [prefix, prefix], undefined),
    await database.execute<Member>(MEMBERS, [prefix, prefix], undefined),
    await database.execute<{ schema: string; who: string }>(OPEN, [shared], undefined),
    await database.execute<Lacking>(LACKING, [prefix], undefined),
  ];

  return [
    ...grouped(stale.filter(({ schema }) => names.has(schema))).map(staleGrants),
    ...members.filter(({ role }) => names.has(role.slice(prefix.length))).map(each => staleMember(each, prefix)),
    ...open.filter(({ schema }) => names.has(schema)).map(openToAll),
    ...lacking
      .filter(({ schema }) => names.has(schema))
      .map(({ schema, what }): Finding => ({
        kind: 'grant-missing',
        schemaName: schema,
        object: roleOfTenant(roles, schema),
        message: `the role of the tenant lacks privileges on ${what}`,
        remedy: 'Grant them.',
        fix: allGrantsSql(database, schema).map(sql => ({ sql })),
      })),
  ];
}

/** Those of one role in one schema together. They follow each other. */
function grouped(rows: readonly Stale[]): Stale[][] {
  const groups: Stale[][] = [];

  for (const row of rows) {
    const last = groups.at(-1);

    if (last?.[0]?.schema === row.schema && last[0].role === row.role) {
      last.push(row);
    } else {
      groups.push([row]);
    }
  }

  return groups;
}

function staleGrants(rows: readonly Stale[]): Finding {
  const { schema, role } = rows[0] as Stale;
  const from = quoteIdentifier(role);

  return {
    kind: 'grant-stale',
    schemaName: schema,
    object: role,
    message: `role ${role}, which is that of another tenant, has privileges in the schema: on ${[...new Set(rows.map(({ what }) => what))].join(', ')}`,
    remedy: 'Revoke them.',
    fix: rows.map(({ place, by }) => ({
      sql:
        by === null
          ? `revoke all on ${place} from ${from}`
          : `alter default privileges for role ${quoteIdentifier(by)} in schema ${quoteIdentifier(schema)} revoke all on ${place} from ${from}`,
    })),
  };
}

function staleMember({ role, member }: Member, prefix: string): Finding {
  return {
    kind: 'grant-stale',
    schemaName: role.slice(prefix.length),
    object: member,
    message: `role ${member}, which is that of another tenant, is a member of the tenant's role and has all its privileges`,
    remedy: 'Revoke the membership.',
    fix: [{ sql: `revoke ${quoteIdentifier(role)} from ${quoteIdentifier(member)}` }],
  };
}

// an application may want it
function openToAll({ schema, who }: { readonly schema: string; readonly who: string }): Finding {
  const [name, role] = who === '' ? ['everybody', 'public'] : [`role ${who}, which all tenants have,`, quoteIdentifier(who)];

  return {
    kind: 'grant-stale',
    schemaName: schema,
    object: who === '' ? 'public' : who,
    message: `${name} may look into the schema`,
    remedy: `Unless that is meant, revoke it: \`revoke all on schema ${quoteIdentifier(schema)} from ${role}\`.`,
  };
}

/** All that a tenant's role has in the schema of another. */
const STALE = `with held as (
  select nspname::text as schema, 'the schema' as what, 'schema ' || quote_ident(nspname) as place, null::text as by, nspacl as acl from pg_namespace
  where nspacl is not null
  union all
  select n.nspname::text, case relkind when 'S' then 'sequences' else 'tables' end,
    'all ' || case relkind when 'S' then 'sequences' else 'tables' end || ' in schema ' || quote_ident(n.nspname), null, relacl
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where relacl is not null and relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  union all
  select n.nspname::text, 'tables', 'all tables in schema ' || quote_ident(n.nspname), null, attacl
  from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace where attacl is not null
  union all
  select n.nspname::text, 'routines', 'all routines in schema ' || quote_ident(n.nspname), null, proacl
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace where proacl is not null
  union all
  select n.nspname::text, 'types', 'type ' || t.oid::regtype, null, typacl
  from pg_type t join pg_namespace n on n.oid = t.typnamespace where typacl is not null
  union all
  select n.nspname::text, 'what is added later', case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' else 'types' end,
    pg_get_userbyid(d.defaclrole)::text, d.defaclacl
  from pg_default_acl d join pg_namespace n on n.oid = d.defaclnamespace
)
select distinct schema, r.rolname::text as role, what, place, by from held cross join lateral aclexplode(acl) a
join pg_roles r on r.oid = a.grantee where starts_with(r.rolname::text, ?) and r.rolname <> ?::text || schema order by 1, 2, 3, 4, 5`;

/** Tenants' roles that are members of another tenant's. */
const MEMBERS = `select distinct r.rolname::text as role, m.rolname::text as member from pg_auth_members a join pg_roles r on r.oid = a.roleid
  join pg_roles m on m.oid = a.member where starts_with(r.rolname::text, ?) and starts_with(m.rolname::text, ?) order by 1, 2`;

/** Schemas that everybody, or the role that all tenants share, may look into. Without it, privileges on what is in them are of no use. */
const OPEN = `select n.nspname::text as schema, coalesce(r.rolname::text, '') as who from pg_namespace n cross join lateral aclexplode(n.nspacl) a
  left join pg_roles r on r.oid = a.grantee where a.grantee = 0 or r.rolname = ?::text group by 1, 2 order by 1, 2`;

const LACKING = `with tenant as (select n.oid, n.nspname::text as schema, r.oid as role from pg_namespace n join pg_roles r on r.rolname = ?::text || n.nspname::text)
  select schema, string_agg(what, ', ' order by what) as what from (
    select schema, 'the schema' as what from tenant where not has_schema_privilege(role, oid, 'usage')
    union all
    select t.schema, case when c.relkind = 'S' then 'sequences' else 'tables' end || ' (' || count(*) || ')' from tenant t join pg_class c on c.relnamespace = t.oid
    where case c.relkind when 'S' then not (has_sequence_privilege(t.role, c.oid, 'usage') and has_sequence_privilege(t.role, c.oid, 'select') and
        has_sequence_privilege(t.role, c.oid, 'update'))
      else c.relkind in ('r', 'p') and not (has_table_privilege(t.role, c.oid, 'select') and has_table_privilege(t.role, c.oid, 'insert') and
        has_table_privilege(t.role, c.oid, 'update') and has_table_privilege(t.role, c.oid, 'delete') and has_table_privilege(t.role, c.oid, 'truncate')) end
    group by t.schema, c.relkind = 'S'
    union all
    select schema, 'what is added later' from tenant t where not exists (
      select from pg_default_acl d cross join lateral aclexplode(d.defaclacl) a where d.defaclnamespace = t.oid and d.defaclobjtype = 'r' and a.grantee = t.role
    ) or not exists (
      select from pg_default_acl d cross join lateral aclexplode(d.defaclacl) a where d.defaclnamespace = t.oid and d.defaclobjtype = 'S' and a.grantee = t.role
    )
  ) lacked group by schema order by 1`;

interface Stale {
  readonly schema: string;
  readonly role: string;
  readonly what: string;
  /** What a `revoke` names. */
  readonly place: string;
  /** Whose default privileges they are. */
  readonly by: string | null;
}

interface Member {
  readonly role: string;
  readonly member: string;
}

interface Lacking {
  readonly schema: string;
  readonly what: string;
}
