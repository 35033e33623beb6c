import { loadModule, parseSync } from 'libpg-query';

/** The names in a statement that PostgreSQL looks up on the path, told by its own grammar. Undefined where that does not take the SQL. */
export function namesOnPath(sql: string): readonly string[] | undefined {
  const found: string[] = [];
  const tree = parsed(sql);
  visit(tree?.stmts ?? [], found);

  return tree === undefined ? undefined : (tree.stmts ?? []).length > 1 ? [...found, 'several statements'] : found;
}

/** Has to be awaited before `namesOnPath` is called. */
export const loadGrammar = loadModule;

/** The statements of the SQL, each with its kind and what the grammar says of it. Undefined where that does not take the SQL. */
export function statementsOf(sql: string): readonly (readonly [kind: string, statement: Dictionary])[] | undefined {
  return parsed(sql)?.stmts?.map(({ stmt }) => Object.entries(stmt)[0] as [string, Dictionary]);
}

function parsed(sql: string): { readonly stmts?: readonly { readonly stmt: object }[] } | undefined {
  try {
    return parseSync(sql) as ReturnType<typeof parsed>;
  } catch {
    return undefined;
  }
}

// a stack of its own, as a statement may be nested more deeply than calls
function visit(root: unknown, found: string[]): void {
  const open: unknown[] = [root];

  while (open.length > 0) {
    const node = open.pop();

    if (typeof node !== 'object' || node === null) {
      continue;
    }

    for (const [key, value] of Object.entries(node)) {
      // tables that are named by their aliases
      if (key === 'lockedRels') {
        continue;
      }

      const name = NAMES[key]?.(value as Node) ?? (NAMES_IN[key] === undefined ? undefined : NAMES_IN[key](value as Parts));

      if (name !== undefined) {
        found.push(`${key} ${name}`);
      }

      open.push(value);
    }
  }
}

/** By the kind of node. Undefined where it has no name that is looked up. */
const NAMES: Readonly<Record<string, (node: Node) => string | undefined>> = {
  RangeVar: ({ schemaname, relname }) => (schemaname === undefined ? String(relname) : undefined),
  FuncCall: ({ funcname, args }) => alone(funcname, FUNCTIONS) ?? configurationOf(funcname, args),
  TypeName: ({ names }) => alone(names, TYPES),
  typeName: ({ names }) => alone(names, TYPES),
  A_Expr: ({ kind, name }) => (BY_SYNTAX.has(String(kind)) ? undefined : alone(name, OPERATORS)),
  SQLValueFunction: ({ op }) => (op === 'SVFOP_CURRENT_SCHEMA' ? 'current_schema' : undefined),
  CollateClause: ({ collname }) => alone(collname),
  IndexElem: ({ opclass, collation }) => alone(opclass) ?? alone(collation),
};

const NAMES_IN: Readonly<Record<string, (parts: Parts) => string | undefined>> = {
  operName: parts => alone(parts, OPERATORS),
  useOp: parts => alone(parts, OPERATORS),
};

function alone(parts: Parts | undefined, known: ReadonlySet<string> = new Set()): string | undefined {
  const name = parts?.length === 1 ? String(parts[0]?.String?.sval) : undefined;

  return name === undefined || known.has(name) ? undefined : name;
}

function configurationOf(funcname: Parts | undefined, args: Node['args']): string | undefined {
  const name = String(funcname?.at(-1)?.String?.sval);
  const first = args?.[0]?.A_Const?.sval?.sval;

  return CONFIGURED.has(name) && args?.length === 2 && (first === undefined || !CONFIGURATIONS.has(first))
    ? `${name}('${first}')`
    : undefined;
}

const BY_SYNTAX: ReadonlySet<string> = new Set(
  'AEXPR_LIKE AEXPR_ILIKE AEXPR_SIMILAR AEXPR_BETWEEN AEXPR_NOT_BETWEEN AEXPR_BETWEEN_SYM AEXPR_NOT_BETWEEN_SYM'.split(' '),
);

// what is in `pg_catalog`, and needs no path
const FUNCTIONS: ReadonlySet<string> = new Set(
  (
    'count sum avg min max lower upper length concat round abs now json_agg jsonb_agg json_build_object jsonb_build_object array_agg ' +
    'string_agg unnest to_tsvector plainto_tsquery websearch_to_tsquery row_number rank dense_rank lag lead first_value last_value bool_and ' +
    'bool_or jsonb_array_elements jsonb_array_elements_text json_array_elements json_array_elements_text jsonb_array_length json_array_length ' +
    'jsonb_each jsonb_each_text jsonb_object_keys jsonb_typeof jsonb_set to_json to_jsonb row_to_json jsonb_object_agg json_object_agg ' +
    'json_build_array jsonb_build_array array_length cardinality date_trunc date_part to_char to_date to_timestamp floor ceil substr ' +
    'char_length md5 gen_random_uuid generate_series'
  ).split(' '),
);

const TYPES: ReadonlySet<string> = new Set(
  'text int2 int4 int8 float4 float8 bool uuid json jsonb date timestamptz timetz bytea'.split(' '),
);

const OPERATORS: ReadonlySet<string> = new Set(
  '= <> < > <= >= + - * / || -> ->> #> #>> @> <@ ? ?| ?& && @@ ~ ~* !~ !~* ~~ ~~* !~~ !~~*'.split(' '),
);

const CONFIGURED: ReadonlySet<string> = new Set(['to_tsvector', 'plainto_tsquery', 'websearch_to_tsquery']);

const CONFIGURATIONS: ReadonlySet<string> = new Set(['simple', 'english', 'german', 'french']);

interface Node {
  readonly schemaname?: string;
  readonly relname?: string;
  readonly kind?: string;
  readonly op?: string;
  readonly names?: Parts;
  readonly name?: Parts;
  readonly funcname?: Parts;
  readonly collname?: Parts;
  readonly opclass?: Parts;
  readonly collation?: Parts;
  readonly args?: readonly { readonly A_Const?: { readonly sval?: { readonly sval?: string } } }[];
}

type Parts = readonly { readonly String?: { readonly sval?: string } }[];

type Dictionary = Readonly<Record<string, any>>;
