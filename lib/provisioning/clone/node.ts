/** One object, the statements that make it, and what has to be there first. */
export interface Node {
  /** The catalog and the number of the object. */
  readonly id: string;
  readonly sql: readonly string[];
  readonly after?: readonly string[];
}

/**
 * The nodes, each after those that it needs, else in their own order. `depends` says what each needs in addition, by the ids of nodes and of what belongs to
 * them (`partOf`).
 *
 * Returns those that need each other in a circle as `stuck`.
 */
export function inOrder(
  nodes: readonly Node[],
  depends: ReadonlyMap<string, readonly string[]>,
): { readonly ordered: readonly Node[]; readonly stuck: readonly Node[] } {
  const byId = new Map(nodes.map(node => [node.id, node]));
  const state = new Map<string, 'open' | 'done'>();
  const ordered: Node[] = [];
  const stuck: Node[] = [];

  // not by recursion: a chain of views may be longer than the stack
  for (const root of nodes) {
    const stack: { readonly node: Node; readonly rest: string[] }[] = [];
    const enter = (node: Node): void => {
      state.set(node.id, 'open');
      stack.push({ node, rest: [...(node.after ?? []), ...(depends.get(node.id) ?? [])].toReversed() });
    };

    if (!state.has(root.id)) {
      enter(root);
    }

    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const next = byId.get(top.rest.pop() ?? '');

      if (next !== undefined && next !== top.node) {
        if (state.get(next.id) === undefined) {
          enter(next);
        } else if (state.get(next.id) === 'open') {
          stuck.push(next);
        }
      } else if (top.rest.length === 0) {
        stack.pop();
        state.set(top.node.id, 'done');
        ordered.push(top.node);
      }
    }
  }

  return { ordered, stuck };
}
