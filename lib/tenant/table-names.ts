import type { EntityMetadata } from '@mikro-orm/core';
import { PLACEHOLDER_SCHEMA } from '../postgres/schema-name.js';
import { isTenantEntity } from './entity-kinds.js';

/**
 * Gives the callbacks of checks, policies, triggers and generated columns a table whose schema is a placeholder. MikroORM calls them once,
 * with the schema `*` for a tenant entity, which could not be told from any other `*` in their SQL. Call this before it does.
 */
export function nameOwnTables(meta: EntityMetadata): void {
  const { checks, policies, triggers, properties } = meta as unknown as Partial<Record<string, readonly Declared[]>> & {
    readonly properties: Record<string, Declared>;
  };

  for (const declared of [...(checks ?? []), ...(policies ?? []), ...(triggers ?? []), ...Object.values(properties)]) {
    for (const name of CALLBACKS) {
      const callback = declared[name];

      if (typeof callback === 'function' && !NAMED.has(callback)) {
        const named: Callback = (columns, table) => callback(columns, ownTable(table));
        NAMED.add(named);
        declared[name] = named;
      }
    }
  }
}

// a base class may give its declarations to entities of both kinds
function ownTable(table: Table): Table {
  if (!isTenantEntity(table)) {
    return table;
  }

  const qualifiedName = `${PLACEHOLDER_SCHEMA}.${table.name}`;

  return { name: table.name, schema: PLACEHOLDER_SCHEMA, qualifiedName, toString: () => qualifiedName };
}

const CALLBACKS = ['expression', 'using', 'check', 'body', 'generated'] as const;

const NAMED = new WeakSet<Callback>();

type Declared = { [Name in (typeof CALLBACKS)[number]]?: Callback };

type Callback = (columns: unknown, table: Table) => unknown;

interface Table {
  readonly name: string;
  readonly schema: string;
  readonly qualifiedName: string;
  toString(): string;
}
