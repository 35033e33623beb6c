import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { quoteLiteral } from '../../postgres/quote-literal.js';
import type { Node } from './node.js';
import { unqualified } from './unqualified.js';
import { jsonRows, objectsOf, type Sql } from './rows.js';

/** The statements that make the functions, procedures, aggregates and operators of a schema. */
export async function readRoutines(
  database: TenantDatabase,
  { oid, schemaName }: { readonly oid: string; readonly schemaName: string },
  ctx: Transaction,
): Promise<Node[]> {
  const functions = await jsonRows<{ oid: string; name: string; definition: string }>(database, FUNCTIONS(oid), ctx);
  const aggregates = await jsonRows<AggregateRow>(database, AGGREGATES(oid), ctx);
  const operators = await jsonRows<OperatorRow>(database, OPERATORS(oid), ctx);

  return [
    ...functions.map(({ oid: id, name, definition }) => ({
      id: `pg_proc ${id}`,
      sql: [
        unqualified(definition, { schemaName, name })
          .replace(/^CREATE OR REPLACE /, 'CREATE ')
          .trimEnd(),
      ],
    })),
    ...aggregates.map(row => ({ id: `pg_proc ${row.oid}`, sql: [aggregateSql(row)] })),
    ...operators.map(row => ({ id: `pg_operator ${row.oid}`, sql: [operatorSql(row)] })),
  ];
}

function aggregateSql(row: AggregateRow): string {
  const options = [
    `sfunc = ${row.transition}`,
    `stype = ${row.state}`,
    ...(row.space > 0 ? [`sspace = ${row.space}`] : []),
    ...optional('finalfunc', row.final),
    ...(row.final !== null && row.finalExtra ? ['finalfunc_extra'] : []),
    ...(row.final === null ? [] : [`finalfunc_modify = ${MODIFIES[row.finalModifies]}`]),
    ...optional('combinefunc', row.combine),
    ...optional('serialfunc', row.serial),
    ...optional('deserialfunc', row.deserial),
    ...(row.initial === null ? [] : [`initcond = ${quoteLiteral(row.initial)}`]),
    ...optional('msfunc', row.movingTransition),
    ...optional('minvfunc', row.movingInverse),
    ...(row.movingState === null ? [] : [`mstype = ${row.movingState}`]),
    ...optional('mfinalfunc', row.movingFinal),
    ...(row.movingFinal !== null && row.movingFinalExtra ? ['mfinalfunc_extra'] : []),
    ...(row.movingFinal === null ? [] : [`mfinalfunc_modify = ${MODIFIES[row.movingFinalModifies]}`]),
    ...(row.movingInitial === null ? [] : [`minitcond = ${quoteLiteral(row.movingInitial)}`]),
    ...(row.sort === null ? [] : [`sortop = ${row.sort}`]),
    ...(row.parallel === 'u' ? [] : [`parallel = ${row.parallel === 's' ? 'safe' : 'restricted'}`]),
    ...(row.kind === 'h' ? ['hypothetical'] : []),
  ];

  return `create aggregate ${row.name}(${row.arguments === '' ? '*' : row.arguments}) (${options.join(', ')})`;
}

function operatorSql(row: OperatorRow): string {
  const options = [
    `function = ${row.function}`,
    ...optional('leftarg', row.left),
    ...optional('rightarg', row.right),
    ...(row.commutator === null ? [] : [`commutator = ${row.commutator}`]),
    ...(row.negator === null ? [] : [`negator = ${row.negator}`]),
    ...optional('restrict', row.restriction),
    ...optional('join', row.join),
    ...(row.canHash ? ['hashes'] : []),
    ...(row.canMerge ? ['merges'] : []),
  ];

  return `create operator ${row.name} (${options.join(', ')})`;
}

function optional(name: string, value: Sql | null): string[] {
  return value === null ? [] : [`${name} = ${value}`];
}

const MODIFIES = { r: 'read_only', s: 'shareable', w: 'read_write' } as const;

const FUNCTIONS = (oid: string): string => `with ${objectsOf(oid)}
  select p.oid::text as oid, p.proname as name, pg_get_functiondef(p.oid) as definition
  from objects o join pg_proc p on p.oid = o.objid where o.classid = 'pg_proc'::regclass and p.prokind <> 'a'
    -- those that make values of a range come with its type
    and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'i')
  order by p.oid`;

const procedure = (column: string): string => `case when a.${column} <> 0 then a.${column}::regproc::text end`;

const AGGREGATES = (oid: string): string => `with ${objectsOf(oid)}
  select p.oid::text as oid, quote_ident(p.proname) as name, pg_get_function_arguments(p.oid) as arguments, a.aggkind as kind,
    a.aggtransfn::regproc::text as transition, format_type(a.aggtranstype, null) as state, a.aggtransspace as space,
    ${procedure('aggfinalfn')} as final, a.aggfinalextra as "finalExtra", a.aggfinalmodify as "finalModifies",
    ${procedure('aggcombinefn')} as combine, ${procedure('aggserialfn')} as serial, ${procedure('aggdeserialfn')} as deserial,
    a.agginitval as initial, ${procedure('aggmtransfn')} as "movingTransition", ${procedure('aggminvtransfn')} as "movingInverse",
    case when a.aggmtranstype <> 0 then format_type(a.aggmtranstype, null) end as "movingState", ${procedure('aggmfinalfn')} as "movingFinal",
    a.aggmfinalextra as "movingFinalExtra", a.aggmfinalmodify as "movingFinalModifies", a.aggminitval as "movingInitial",
    case when a.aggsortop <> 0 then 'operator(' || (select quote_ident(n.nspname) || '.' || s.oprname from pg_operator s
      join pg_namespace n on n.oid = s.oprnamespace where s.oid = a.aggsortop and n.oid <> ${oid}) || ')' end as sort,
    p.proparallel as parallel
  from objects o join pg_proc p on p.oid = o.objid join pg_aggregate a on a.aggfnoid = p.oid
  where o.classid = 'pg_proc'::regclass and p.prokind = 'a' order by p.oid`;

const related = (column: string): string => `(select case when r.oprnamespace = ${oidOfRow} then r.oprname
    else 'operator(' || quote_ident(n.nspname) || '.' || r.oprname || ')' end
  from pg_operator r join pg_namespace n on n.oid = r.oprnamespace where r.oid = p.${column} and r.oprcode <> 0)`;

const oidOfRow = 'p.oprnamespace';

const OPERATORS = (oid: string): string => `with ${objectsOf(oid)}
  select p.oid::text as oid, p.oprname as name, p.oprcode::regproc::text as function,
    case when p.oprleft <> 0 then format_type(p.oprleft, null) end as left, case when p.oprright <> 0 then format_type(p.oprright, null) end as right,
    ${related('oprcom')} as commutator, ${related('oprnegate')} as negator,
    case when p.oprrest <> 0 then p.oprrest::regproc::text end as restriction, case when p.oprjoin <> 0 then p.oprjoin::regproc::text end as join,
    p.oprcanhash as "canHash", p.oprcanmerge as "canMerge"
  from objects o join pg_operator p on p.oid = o.objid where o.classid = 'pg_operator'::regclass and p.oprcode <> 0 order by p.oid`;

interface AggregateRow {
  readonly oid: string;
  readonly name: Sql;
  readonly arguments: string;
  readonly kind: 'n' | 'o' | 'h';
  readonly transition: Sql;
  readonly state: Sql;
  readonly space: number;
  readonly final: Sql | null;
  readonly finalExtra: boolean;
  readonly finalModifies: keyof typeof MODIFIES;
  readonly combine: Sql | null;
  readonly serial: Sql | null;
  readonly deserial: Sql | null;
  readonly initial: string | null;
  readonly movingTransition: Sql | null;
  readonly movingInverse: Sql | null;
  readonly movingState: Sql | null;
  readonly movingFinal: Sql | null;
  readonly movingFinalExtra: boolean;
  readonly movingFinalModifies: keyof typeof MODIFIES;
  readonly movingInitial: string | null;
  readonly sort: Sql | null;
  readonly parallel: 's' | 'r' | 'u';
}

interface OperatorRow {
  readonly oid: string;
  readonly name: Sql;
  readonly function: Sql;
  readonly left: Sql | null;
  readonly right: Sql | null;
  readonly commutator: Sql | null;
  readonly negator: Sql | null;
  readonly restriction: Sql | null;
  readonly join: Sql | null;
  readonly canHash: boolean;
  readonly canMerge: boolean;
}
