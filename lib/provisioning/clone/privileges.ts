import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { quoteIdentifier } from '../../postgres/schema-name.js';
import { jsonRows, objectsOf, type Sql } from './rows.js';

/** Who owns the objects of a schema, and who may do what with them. Read with the schema alone on the path, so that two schemas can be compared. */
export interface Privileges {
  readonly owners: readonly Owner[];
  readonly grants: readonly Grant[];
}

export async function readPrivileges(database: TenantDatabase, oid: string, ctx: Transaction): Promise<Privileges> {
  return { owners: await jsonRows(database, OWNERS(oid), ctx), grants: await jsonRows(database, GRANTS(oid), ctx) };
}

/**
 * The statements that give the objects of a schema the owners and the privileges that those of another one have. A role of the former tenant's own is
 * replaced by `roleOf`.
 */
export function privilegesSql(
  wanted: Privileges,
  found: Privileges,
  { schemaName, roleOf }: { readonly schemaName: string; readonly roleOf: (role: string) => string },
): { readonly owners: readonly string[]; readonly grants: readonly string[] } {
  const ownerOf = new Map(found.owners.map(({ object, owner }) => [object, owner]));
  const grantsNow = new Map(found.grants.map(grant => [keyOf(grant), grant]));
  const grantsWanted = new Map(
    wanted.grants
      .map(grant => ({ ...grant, grantee: roleOf(grant.grantee), role: roleOf(grant.role) }))
      .map(grant => [keyOf(grant), grant]),
  );

  return {
    owners: wanted.owners.flatMap(({ object, owner }) =>
      ownerOf.has(object) && ownerOf.get(object) !== roleOf(owner) ? [`alter ${object} owner to ${quoteIdentifier(roleOf(owner))}`] : [],
    ),
    grants: [
      ...[...grantsNow].filter(([key]) => !grantsWanted.has(key)).map(([, grant]) => grantSql(grant, 'revoke', schemaName)),
      ...[...grantsWanted].filter(([key]) => !grantsNow.has(key)).map(([, grant]) => grantSql(grant, 'grant', schemaName)),
    ],
  };
}

/**
 * The statements that give everybody the privileges on the objects of a schema that everybody has, and take those that everybody would have by default. Other
 * roles are left out: another server may not have them.
 */
export function privilegesOfAllSql({ grants }: Privileges, schemaName: string): string[] {
  const objects = [...new Set(grants.filter(({ role }) => role === '').map(({ object }) => object))];
  const ofAll = grants.filter(({ grantee, role, object }) => grantee === '' && role === '' && object !== 'schema');
  const taken = objects.flatMap(object => {
    const privilege = defaultOf(object);

    return privilege === undefined || ofAll.some(grant => grant.object === object && grant.privilege === privilege)
      ? []
      : [`revoke ${privilege} on ${object} from public`];
  });

  return [
    ...taken,
    ...ofAll.filter(({ object, privilege }) => privilege !== defaultOf(object)).map(grant => grantSql(grant, 'grant', schemaName)),
  ];
}

/** What everybody may do with a new object, unless default privileges say otherwise. */
function defaultOf(object: Sql): string | undefined {
  return object.startsWith('routine ') ? 'EXECUTE' : object.startsWith('type ') ? 'USAGE' : undefined;
}

function keyOf({ object, column, grantee, privilege, isGrantable, role }: Grant): string {
  return JSON.stringify([object, column, grantee, privilege, isGrantable, role]);
}

function grantSql({ object, column, grantee, privilege, isGrantable, role }: Grant, verb: 'grant' | 'revoke', schemaName: string): string {
  const to = grantee === '' ? 'public' : quoteIdentifier(grantee);
  const what = `${privilege}${column === null ? '' : ` (${column})`} on ${object === 'schema' ? `schema ${quoteIdentifier(schemaName)}` : object}`;
  const rule = verb === 'grant' ? `grant ${what} to ${to}${isGrantable ? ' with grant option' : ''}` : `revoke ${what} from ${to}`;

  return role === '' ? rule : `alter default privileges for role ${quoteIdentifier(role)} in schema ${quoteIdentifier(schemaName)} ${rule}`;
}

const OF_RELATION = `case c.relkind when 'S' then 'sequence ' else 'table ' end || c.oid::regclass`;

const OF_ROUTINE = `case p.prokind when 'a' then 'aggregate ' else 'routine ' end || quote_ident(p.proname) || '(' || case
  when p.prokind = 'a' and pg_get_function_identity_arguments(p.oid) = '' then '*' else pg_get_function_identity_arguments(p.oid) end || ')'`;

const TYPES = `pg_type t on t.oid = o.objid and (t.typtype in ('e', 'd', 'r') or (t.typtype = 'c' and
  exists (select from pg_class c where c.oid = t.typrelid and c.relkind = 'c')))`;

// a sequence of a column has the owner of its table
const OWNERS = (oid: string): string => `with ${objectsOf(oid)}
  select object, pg_get_userbyid(owner) as owner from (
    select case c.relkind when 'v' then 'view ' when 'm' then 'materialized view ' when 'S' then 'sequence ' else 'table ' end || c.oid::regclass as object,
      c.relowner as owner
    from relations c where c.relkind in ('r', 'p', 'v', 'm') or (c.relkind = 'S' and not exists (select from pg_depend d
      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')))
    union all
    select ${OF_ROUTINE}, p.proowner from objects o join pg_proc p on p.oid = o.objid where o.classid = 'pg_proc'::regclass
    union all
    select 'type ' || t.oid::regtype, t.typowner from objects o join ${TYPES} where o.classid = 'pg_type'::regclass
    union all
    select 'operator ' || p.oid::regoperator, p.oprowner from objects o join pg_operator p on p.oid = o.objid where o.classid = 'pg_operator'::regclass
    union all
    select 'statistics ' || quote_ident(s.stxname), s.stxowner from objects o join pg_statistic_ext s on s.oid = o.objid
    where o.classid = 'pg_statistic_ext'::regclass
  ) owned`;

const explode = (acl: string): string =>
  `cross join lateral (select coalesce((select rolname from pg_roles where oid = e.grantee), '') as grantee, e.privilege_type as privilege,
    e.is_grantable as "isGrantable" from aclexplode(${acl}) e) x`;

const GRANTED = `x.grantee, x.privilege, x."isGrantable"`;

const GRANTS = (oid: string): string => `with ${objectsOf(oid)}
  select ${OF_RELATION} as object, null as column, ${GRANTED}, '' as role
  from relations c ${explode(`coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's'::"char" else 'r' end, c.relowner))`)}
  where c.relkind in ('r', 'p', 'v', 'm', 'S')
  union all
  select ${OF_RELATION}, quote_ident(a.attname), ${GRANTED}, ''
  from relations c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped ${explode('a.attacl')}
  where a.attacl is not null and c.relkind in ('r', 'p', 'v', 'm')
  union all
  select replace(${OF_ROUTINE}, 'aggregate ', 'routine '), null, ${GRANTED}, ''
  from objects o join pg_proc p on p.oid = o.objid ${explode(`coalesce(p.proacl, acldefault('f', p.proowner))`)}
  where o.classid = 'pg_proc'::regclass and not (p.prokind = 'a' and p.proacl is null)
  union all
  select 'type ' || t.oid::regtype, null, ${GRANTED}, ''
  from objects o join ${TYPES} ${explode(`coalesce(t.typacl, acldefault('T', t.typowner))`)} where o.classid = 'pg_type'::regclass
  union all
  select 'schema', null, ${GRANTED}, '' from pg_namespace n ${explode(`coalesce(n.nspacl, acldefault('n', n.nspowner))`)} where n.oid = ${oid}
  union all
  select case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' else 'types' end, null, ${GRANTED},
    pg_get_userbyid(d.defaclrole)
  from pg_default_acl d ${explode('d.defaclacl')} where d.defaclnamespace = ${oid} order by 1, 2, 3, 4, 5, 6`;

interface Owner {
  readonly object: Sql;
  readonly owner: string;
}

interface Grant {
  /** Such as `table book`, `schema`, or `tables` of default privileges. */
  readonly object: Sql;
  readonly column: Sql | null;
  /** Empty for everybody. */
  readonly grantee: string;
  readonly privilege: string;
  readonly isGrantable: boolean;
  /** Whose objects get it, of default privileges. */
  readonly role: string;
}
