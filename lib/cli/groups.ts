import { count } from './output.js';

/** Tenants that have something in common. */
export interface Group<Item> {
  readonly key: string;
  readonly first: Item;
  readonly items: Item[];
  readonly names: string[];
}

/** The items by what they have in common, in the order of the first of each. */
export function groupsOf<Item extends { readonly schemaName: string }>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
): Group<Item>[] {
  const groups = new Map<string, Group<Item>>();

  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key) ?? { key, first: item, items: [], names: [] };
    group.items.push(item);
    group.names.push(item.schemaName);
    groups.set(key, group);
  }

  return [...groups.values()];
}

/** One name alone, else how many there are and the first names, or all of them. */
export function tenantsNamed(names: readonly string[], all = false): string {
  const shown = all ? names : names.slice(0, NAMED);

  return names.length === 1
    ? shown.join()
    : `${count(names.length, 'tenant')} (${shown.join(' ')}${names.length > shown.length ? ' …' : ''})`;
}

/** How many tenants are named of those that have something in common. */
const NAMED = 5;
