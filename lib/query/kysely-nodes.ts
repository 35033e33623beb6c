/** Says for which tenants a query was built that is a node of another one. */
export function setTenantsOfNode(node: object, tenants: readonly string[]): void {
  if (Object.isExtensible(node)) {
    (node as BuiltNode)[BUILT_FOR] = tenants;
  } else {
    ofFrozen.set(node, tenants);
  }
}

/**
 * Adds the tenants whose instances built the queries in this one, before any plugin has copied their nodes, and the values in it that are objects,
 * before any plugin has made texts of them.
 */
export function addBuiltFor(node: object, found: Set<string>, values: object[]): void {
  if (Array.isArray(node)) {
    for (let index = 0; index < node.length; index += 1) {
      const part: unknown = node[index];

      // most parts are texts, or are absent
      if (typeof part === 'object' && part !== null) {
        addBuiltFor(part, found, values);
      }
    }
  } else if (hasParts(node)) {
    // most queries have no other in them
    ((node as BuiltNode)[BUILT_FOR] ?? ofFrozen.get(node))?.forEach(tenant => found.add(tenant));

    for (const key in node) {
      const part = (node as unknown as Parts)[key];

      if (typeof part === 'object' && part !== null) {
        addBuiltFor(part, found, values);
      }
    }
  } else if (!isNode(node)) {
    values.push(node);
  }
}

/** Whether it is a node: the nodes of a query are plain objects that say their kind, and everything else in it is a value. */
export function isNode(value: unknown): value is OperationNode {
  return typeof value === 'object' && value !== null && typeof (value as { readonly kind?: unknown }).kind === 'string';
}

/** Whether it is a node that may have others in it, which is any whose kind is not known. Kysely writes out none that is in one of these. */
export function hasParts(value: object): value is OperationNode {
  const { kind } = value as { readonly kind?: unknown };

  return typeof kind === 'string' && kind !== 'IdentifierNode' && kind !== 'OperatorNode' && kind !== 'SelectAllNode';
}

/** On the node itself, as a `WeakMap` takes longer than all else that is done with a query. Kysely's own are frozen. */
const BUILT_FOR: unique symbol = Symbol('the tenants that a query of Kysely was built for');

const ofFrozen = new WeakMap<object, readonly string[]>();

interface BuiltNode {
  [BUILT_FOR]?: readonly string[];
}

/** What a node is made of, by name. */
export type Parts = Readonly<Record<string, unknown>>;

export interface OperationNode {
  readonly kind: string;
  readonly schema?: { readonly kind?: string; readonly name: string };
  readonly identifier?: { readonly name: string };
  readonly table?: OperationNode;
  readonly alias?: { readonly name?: string };
  readonly from?: { readonly froms: readonly OperationNode[] };
  readonly joins?: readonly OperationNode[];
  readonly using?: OperationNode;
  readonly into?: OperationNode;
  readonly tables?: readonly OperationNode[];
  readonly items?: readonly OperationNode[];
  readonly temporary?: boolean;
  readonly setSchema?: { readonly name: string };
  readonly with?: WithNode;
  readonly parameters?: readonly unknown[];
}

export interface WithNode {
  readonly expressions: readonly { readonly name: { readonly table: OperationNode }; readonly expression: object }[];
  readonly recursive?: boolean;
}
