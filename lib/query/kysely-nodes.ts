/** Says for which tenants a query was built that is a node of another one. */
export function setTenantsOfNode(node: object, tenants: readonly string[]): void {
  tenantsOfNode.set(node, tenants);
}

/** The tenants whose instances built the queries in this one, before any plugin has copied their nodes. */
export function builtFor(node: unknown, found: ReadonlySet<string> = NONE): ReadonlySet<string> {
  let all = found;

  if (Array.isArray(node)) {
    for (const item of node) {
      all = builtFor(item, all);
    }
  } else if (isNode(node)) {
    const tenants = tenantsOfNode.get(node);
    // most queries have no other in them
    all = tenants === undefined ? all : new Set([...all, ...tenants]);

    for (const key of Object.keys(node)) {
      all = builtFor((node as unknown as Readonly<Record<string, unknown>>)[key], all);
    }
  }

  return all;
}

/** Whether it is a node: the nodes of a query are plain objects that say their kind, and everything else in it is a value. */
export function isNode(value: unknown): value is OperationNode {
  return typeof value === 'object' && value !== null && typeof (value as { readonly kind?: unknown }).kind === 'string';
}

const NONE: ReadonlySet<string> = new Set();

const tenantsOfNode = new WeakMap<object, readonly string[]>();

export interface OperationNode {
  readonly kind: string;
  readonly schema?: { readonly kind?: string; readonly name: string };
  readonly identifier?: { readonly name: string };
  readonly table?: OperationNode;
  readonly setSchema?: { readonly name: string };
  readonly with?: WithNode;
  readonly parameters?: readonly unknown[];
}

export interface WithNode {
  readonly expressions: readonly { readonly name: { readonly table: OperationNode }; readonly expression: unknown }[];
  readonly recursive?: boolean;
}
