import { PLACEHOLDER_SCHEMA } from '../postgres/schema-name.js';
import { hasParts, isNode, type OperationNode, type Parts, type WithNode } from './kysely-nodes.js';

/** Puts what a scope says into a query in which Kysely has marked the names without a schema with a placeholder. */
export function qualify(query: object, tables: Tables): object {
  return qualifyNode(query, { ...tables, ctes: NONE, hidden: NONE, aliases: NONE, defines: false });
}

/**
 * Leaves of a table that a `withSchema` of the user's has left without a schema, in `json_agg(person)` or `for update of person`, its name alone.
 * Kysely's next `withSchema` would fail of it.
 */
export function withoutBareTables<T extends object>(node: T): T {
  if (Array.isArray(node)) {
    return node.map((part: unknown) => (isPart(part) ? withoutBareTables(part) : part)) as unknown as T;
  }

  if (!hasParts(node) || isValue(node)) {
    return node;
  }

  const { kind, table } = node;

  if (kind === 'TableNode' && table?.kind === 'IdentifierNode') {
    return table as T;
  }

  return Object.fromEntries(Object.entries(node).map(([key, part]) => [key, isPart(part) ? withoutBareTables(part) : part])) as T;
}

function isPart(part: unknown): part is object {
  return typeof part === 'object' && part !== null;
}

// what a value looks like is the user's affair
function isValue({ kind }: OperationNode): boolean {
  return kind === 'ValueNode' || kind === 'PrimitiveValueListNode';
}

function qualifyNode<T extends object>(node: T, names: Names): T {
  if (Array.isArray(node)) {
    return qualifyAll(node, names) as unknown as T;
  }

  if (!hasParts(node) || isValue(node)) {
    return node;
  }

  const { kind, schema, identifier, table } = node;

  if (kind === 'SchemableIdentifierNode' && schema !== undefined && identifier !== undefined) {
    const asked = schema.name === PLACEHOLDER_SCHEMA ? undefined : schema.name;
    const resolved = names.resolve(identifier.name, asked, names.defines);
    const { schema: _, ...unqualified } = node;

    return (resolved === undefined ? unqualified : { ...node, schema: { ...schema, name: resolved } }) as T;
  }

  if (kind === 'TableNode') {
    // to Kysely it is nothing that has a schema, and what reads the node a second time fails of it
    if (table?.kind === 'IdentifierNode') {
      return table as T;
    }

    if (names.hidden.has(tableOf(node) ?? '')) {
      return qualifyNode(withPlaceholder(node), { ...names, hidden: NONE }) as T;
    }
  }

  // Kysely takes it for the table of that name which the query reads elsewhere
  if (
    kind === 'ReferenceNode' &&
    table?.table?.schema?.name === PLACEHOLDER_SCHEMA &&
    names.aliases.has(table.table.identifier?.name ?? '')
  ) {
    const { schema: _, ...alias } = table.table;

    return { ...node, table: { ...table, table: alias } };
  }

  const target = node.setSchema ?? (SCHEMA_NODES.has(kind) ? node.schema : undefined);
  const schemaName = (target as OperationNode | undefined)?.identifier?.name ?? target?.name;

  if (schemaName !== undefined) {
    names.refuseSchema(schemaName);
  }

  const inner = namesIn(node, names);
  const parts = node as unknown as Parts;
  let changed: Record<string, unknown> | undefined;

  // what has no table in it stays the node that it is
  for (const key in parts) {
    const part = parts[key];

    // texts and what is absent, as most parts are
    if (typeof part !== 'object' || part === null) {
      continue;
    }

    const qualified = key === 'with' ? qualifyCtes(part as WithNode, names) : qualifyNode(part, inner);

    if (qualified !== part) {
      changed ??= { ...parts };
      changed[key] = qualified;
    }
  }

  return (changed ?? node) as T;
}

function qualifyAll(nodes: readonly unknown[], names: Names): readonly unknown[] {
  let changed: unknown[] | undefined;

  for (let index = 0; index < nodes.length; index += 1) {
    const node = nodes[index];
    const qualified = typeof node === 'object' && node !== null ? qualifyNode(node, names) : node;

    if (qualified !== node) {
      changed ??= [...nodes];
      changed[index] = qualified;
    }
  }

  return changed ?? nodes;
}

function qualifyCtes(node: WithNode, outer: Names): WithNode {
  const all = cteNames(node);

  return {
    ...node,
    expressions: node.expressions.map((cte, index) => {
      const there = node.recursive === true ? all : all.slice(0, index);
      const ctes = new Set([...outer.ctes, ...there]);
      const hidden = new Set([...outer.hidden, ...all].filter(name => !ctes.has(name)));

      return { ...cte, expression: qualifyNode(cte.expression, { ...outer, ctes, hidden }) };
    }),
  };
}

function namesIn(node: OperationNode, names: Names): Names {
  // a column's table is named as the query that reads it does
  if (node.kind === 'ReferenceNode') {
    return names.hidden === NONE ? names : { ...names, hidden: NONE };
  }

  if (node.kind === 'RawNode') {
    const tables = (node.parameters ?? []).map(tableOf).filter(name => name !== undefined);

    return { ...names, hidden: new Set([...names.hidden, ...tables.filter(name => names.isKnown(name) && !names.ctes.has(name))]) };
  }

  const inner = DEFINITIONS.has(node.kind)
    ? { ...names, defines: node.temporary !== true }
    : QUERIES.has(node.kind)
      ? inQuery(node, names)
      : names;

  if (node.with === undefined) {
    return inner;
  }

  const own = cteNames(node.with);

  return { ...inner, ctes: new Set([...names.ctes, ...own]), hidden: new Set([...names.hidden].filter(name => !own.includes(name))) };
}

function inQuery(node: OperationNode, names: Names): Names {
  const read = tablesIn(node);
  const aliases = read.map(({ alias }) => alias?.name).filter(name => name !== undefined);

  if (aliases.length === 0 && names.aliases === NONE && !names.defines) {
    return names;
  }

  const tables = read.map(({ table }) => table?.identifier?.name);

  return { ...names, defines: false, aliases: new Set([...[...names.aliases].filter(name => !tables.includes(name)), ...aliases]) };
}

/** What a query reads or writes: tables, and what has an alias. */
function tablesIn({ from, joins, using, table, into }: OperationNode): readonly OperationNode[] {
  return [...(from?.froms ?? []), ...(joins ?? []), using, table, into].flatMap(each => (each === undefined ? [] : itemsOf(each)));
}

function itemsOf(node: OperationNode): readonly OperationNode[] {
  switch (node.kind) {
    case 'JoinNode':
      return node.table === undefined ? [] : itemsOf(node.table);
    case 'UsingNode':
      return (node.tables ?? []).flatMap(itemsOf);
    case 'ListNode':
      return (node.items ?? []).flatMap(itemsOf);
    default:
      return [node];
  }
}

function cteNames(node: WithNode): readonly string[] {
  return node.expressions.map(({ name }) => tableOf(name.table) ?? '');
}

// the name of a table that is not qualified
function tableOf(node: unknown): string | undefined {
  return isNode(node) && node.kind === 'TableNode' && node.table?.schema === undefined ? node.table?.identifier?.name : undefined;
}

function withPlaceholder(node: OperationNode): OperationNode {
  return {
    ...node,
    table: { ...node.table, kind: 'SchemableIdentifierNode', schema: { kind: 'IdentifierNode', name: PLACEHOLDER_SCHEMA } },
  };
}

const NONE: ReadonlySet<string> = new Set();

const SCHEMA_NODES: ReadonlySet<string> = new Set(['CreateSchemaNode', 'DropSchemaNode']);

const QUERIES: ReadonlySet<string> = new Set(['Select', 'Insert', 'Update', 'Delete', 'Merge'].map(name => `${name}QueryNode`));

/** What the schema builder makes, changes or drops. */
const DEFINITIONS: ReadonlySet<string> = new Set([
  'AlterTableNode',
  'AlterTypeNode',
  'CreateIndexNode',
  'CreateTableNode',
  'CreateTypeNode',
  'CreateViewNode',
  'DropIndexNode',
  'DropTableNode',
  'DropTypeNode',
  'DropViewNode',
  'RefreshMaterializedViewNode',
]);

/** What the names of tables stand for. */
interface Tables {
  /** The schema of a table, or undefined for one that PostgreSQL is to look up. */
  readonly resolve: (name: string, asked: string | undefined, isDefined: boolean) => string | undefined;
  readonly isKnown: (table: string) => boolean;
  readonly refuseSchema: (name: string) => void;
}

interface Names extends Tables {
  /** The CTEs that may be read here. */
  readonly ctes: ReadonlySet<string>;
  /** What has the name of a CTE that cannot be read here, and is a table therefore. */
  readonly hidden: ReadonlySet<string>;
  /** What stands for something else here than a table of that name. */
  readonly aliases: ReadonlySet<string>;
  /** Whether it is something that is made, changed or dropped for longer than the session. */
  readonly defines: boolean;
}
