import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { quoteLiteral } from '../../postgres/quote-literal.js';
import type { Relation } from './read-tables.js';
import { jsonRows, objectsOf, type Sql } from './rows.js';
import { unqualified } from './unqualified.js';

/** The statements for triggers, rules, policies and statistics, in an order in which they can be run. */
export async function readBehaviour(
  database: TenantDatabase,
  { oid, schemaName, relations }: { readonly oid: string; readonly schemaName: string; readonly relations: readonly Relation[] },
  ctx: Transaction,
): Promise<string[]> {
  const statistics = await jsonRows<StatisticsRow>(database, STATISTICS(oid), ctx);
  const triggers = await jsonRows<TriggerRow>(database, TRIGGERS(oid), ctx);
  const rules = await jsonRows<RuleRow>(database, RULES(oid), ctx);
  const policies = await jsonRows<PolicyRow>(database, POLICIES(oid), ctx);

  return [
    ...statistics.flatMap(({ rawName, name, definition, target }) => [
      unqualified(definition, { schemaName, name: rawName }),
      ...(target === null ? [] : [`alter statistics ${name} set statistics ${target}`]),
    ]),
    ...rules.map(({ table, definition }) => unqualified(definition, { schemaName, name: table }).replace(/;$/, '')),
    ...rules
      .filter(({ state }) => state !== 'O')
      .map(({ tableName, name, state }) => `alter table ${tableName} ${STATES[state]} rule ${name}`),
    ...triggers.filter(({ isOfPart }) => !isOfPart).map(({ table, definition }) => unqualified(definition, { schemaName, name: table })),
    // also those of parts, which come with that of the whole: each has a state of its own
    ...triggers
      .filter(({ state }) => state !== 'O')
      .map(({ tableName, name, state }) => `alter table only ${tableName} ${STATES[state]} trigger ${name}`),
    ...policies.map(policySql),
    ...relations.flatMap(({ name, hasPolicies, isForced }) => [
      ...(hasPolicies ? [`alter table ${name} enable row level security`] : []),
      ...(isForced ? [`alter table ${name} force row level security`] : []),
    ]),
  ];
}

/** The comments on the objects of a schema. */
export async function readComments(database: TenantDatabase, oid: string, ctx: Transaction): Promise<string[]> {
  const comments = await jsonRows<{ object: string; text: string }>(database, COMMENTS(oid), ctx);

  return comments.map(({ object, text }) => `comment on ${object} is ${quoteLiteral(text)}`);
}

function policySql({ name, tableName, command, isPermissive, roles, condition, check }: PolicyRow): string {
  return [
    `create policy ${name} on ${tableName} as ${isPermissive ? 'permissive' : 'restrictive'} for ${COMMANDS[command]} to ${roles.join(', ')}`,
    condition === null ? '' : ` using (${condition})`,
    check === null ? '' : ` with check (${check})`,
  ].join('');
}

const STATES = { O: 'enable', D: 'disable', R: 'enable replica', A: 'enable always' } as const;

const COMMANDS = { '*': 'all', r: 'select', a: 'insert', w: 'update', d: 'delete' } as const;

const STATISTICS = (oid: string): string => `with ${objectsOf(oid)}
  select s.stxname as "rawName", quote_ident(s.stxname) as name, pg_get_statisticsobjdef(s.oid) as definition,
    nullif(coalesce(s.stxstattarget, -1), -1) as target
  from objects o join pg_statistic_ext s on s.oid = o.objid where o.classid = 'pg_statistic_ext'::regclass order by s.oid`;

const TRIGGERS = (oid: string): string => `with ${objectsOf(oid)}
  select quote_ident(t.tgname) as name, r.relname as table, quote_ident(r.relname) as "tableName", pg_get_triggerdef(t.oid) as definition,
    t.tgenabled as state, t.tgparentid <> 0 as "isOfPart"
  from relations r join pg_trigger t on t.tgrelid = r.oid
  where not t.tgisinternal order by t.oid`;

const RULES = (oid: string): string => `with ${objectsOf(oid)}
  select quote_ident(w.rulename) as name, r.relname as table, quote_ident(r.relname) as "tableName", pg_get_ruledef(w.oid) as definition,
    w.ev_enabled as state
  from relations r join pg_rewrite w on w.ev_class = r.oid where w.rulename <> '_RETURN' order by w.oid`;

const POLICIES = (oid: string): string => `with ${objectsOf(oid)}
  select quote_ident(p.polname) as name, quote_ident(r.relname) as "tableName", p.polcmd as command, p.polpermissive as "isPermissive",
    (select json_agg(case when m = 0 then 'public' else quote_ident(pg_get_userbyid(m)) end) from unnest(p.polroles) m) as roles,
    pg_get_expr(p.polqual, p.polrelid) as condition, pg_get_expr(p.polwithcheck, p.polrelid) as check
  from relations r join pg_policy p on p.polrelid = r.oid order by p.oid`;

const COMMENTS = (oid: string): string => `with ${objectsOf(oid)}, described as (
    select classid, objid from objects where classid <> 'pg_namespace'::regclass
    union all select 'pg_class'::regclass, i.indexrelid from relations r join pg_index i on i.indrelid = r.oid
    union all select 'pg_constraint'::regclass, k.oid from relations r join pg_constraint k on k.conrelid = r.oid
    union all select 'pg_constraint'::regclass, k.oid from objects o join pg_constraint k on k.contypid = o.objid where o.classid = 'pg_type'::regclass
    union all select 'pg_trigger'::regclass, t.oid from relations r join pg_trigger t on t.tgrelid = r.oid and t.tgparentid = 0
    union all select 'pg_rewrite'::regclass, w.oid from relations r join pg_rewrite w on w.ev_class = r.oid
    union all select 'pg_policy'::regclass, p.oid from relations r join pg_policy p on p.polrelid = r.oid
    union all select 'pg_class'::regclass, t.typrelid from objects o join pg_type t on t.oid = o.objid and t.typtype = 'c' where o.classid = 'pg_type'::regclass
  ), texts as (
    select d.classid, d.objid, x.objsubid, x.description as text from described d
    join pg_description x on x.classoid = d.classid and x.objoid = d.objid
  )
  select distinct on (object) object, text from (
    select case when objsubid > 0 then 'column ' || objid::regclass || '.' || (select quote_ident(a.attname) from pg_attribute a
        where a.attrelid = objid and a.attnum = objsubid)
      else case c.relkind when 'v' then 'view ' when 'm' then 'materialized view ' when 'S' then 'sequence ' when 'i' then 'index ' when 'I' then 'index '
        when 'c' then 'type ' else 'table ' end || objid::regclass end as object, text
    from texts join pg_class c on c.oid = objid where classid = 'pg_class'::regclass
    union all
    select 'type ' || objid::regtype, text from texts where classid = 'pg_type'::regclass
    union all
    select case p.prokind when 'a' then 'aggregate ' else 'routine ' end || quote_ident(p.proname) || '(' || case
      when p.prokind = 'a' and pg_get_function_identity_arguments(p.oid) = '' then '*' else pg_get_function_identity_arguments(p.oid) end || ')', text
    from texts join pg_proc p on p.oid = objid where classid = 'pg_proc'::regclass
    union all
    select 'operator ' || objid::regoperator, text from texts where classid = 'pg_operator'::regclass
    union all
    select 'statistics ' || quote_ident(s.stxname), text from texts join pg_statistic_ext s on s.oid = objid where classid = 'pg_statistic_ext'::regclass
    union all
    select 'constraint ' || quote_ident(k.conname) || ' on ' || case when k.conrelid <> 0 then k.conrelid::regclass::text
      else 'domain ' || k.contypid::regtype end, text
    from texts join pg_constraint k on k.oid = objid where classid = 'pg_constraint'::regclass
    union all
    select 'trigger ' || quote_ident(t.tgname) || ' on ' || t.tgrelid::regclass, text from texts join pg_trigger t on t.oid = objid
    where classid = 'pg_trigger'::regclass
    union all
    select 'rule ' || quote_ident(w.rulename) || ' on ' || w.ev_class::regclass, text from texts join pg_rewrite w on w.oid = objid
    where classid = 'pg_rewrite'::regclass
    union all
    select 'policy ' || quote_ident(p.polname) || ' on ' || p.polrelid::regclass, text from texts join pg_policy p on p.oid = objid
    where classid = 'pg_policy'::regclass
  ) named order by object`;

interface StatisticsRow {
  readonly rawName: string;
  readonly name: Sql;
  readonly definition: string;
  readonly target: number | null;
}

interface TriggerRow {
  readonly name: Sql;
  readonly table: string;
  readonly tableName: Sql;
  readonly definition: string;
  readonly state: keyof typeof STATES;
  /** Whether it is that of a partition, which belongs to that of the whole. */
  readonly isOfPart: boolean;
}

interface RuleRow {
  readonly name: Sql;
  readonly table: string;
  readonly tableName: Sql;
  readonly definition: string;
  readonly state: keyof typeof STATES;
}

interface PolicyRow {
  readonly name: Sql;
  readonly tableName: Sql;
  readonly command: keyof typeof COMMANDS;
  readonly isPermissive: boolean;
  readonly roles: readonly Sql[];
  readonly condition: string | null;
  readonly check: string | null;
}
