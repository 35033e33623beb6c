import type { EntityMetadata } from '@mikro-orm/core';
import type { TenantRules } from '../scope/tenant-rules.js';

/** The entities of each table, as they are now: `orm.discoverEntity()` adds some later, and replaces some. */
export function entitiesByTable(rules: Pick<TenantRules, 'metadata'>): Tables {
  const metas = rules.metadata.getAll();
  let known = tablesOfOrm.get(rules);

  if (known === undefined || !isSameList(known.metas, metas)) {
    known = { metas: [...metas.values()], tables: byTable(metas) };
    tablesOfOrm.set(rules, known);
  }

  return known.tables;
}

function byTable(metas: ReadonlyMap<unknown, EntityMetadata>): Map<string, EntityMetadata[]> {
  const tables = new Map<string, EntityMetadata[]>();

  for (const meta of metas.values()) {
    if (meta.schema !== undefined) {
      tables.set(meta.tableName, [...(tables.get(meta.tableName) ?? []), meta]);
    }
  }

  return tables;
}

function isSameList(known: readonly EntityMetadata[], metas: ReadonlyMap<unknown, EntityMetadata>): boolean {
  let index = 0;

  for (const meta of metas.values()) {
    if (known[index++] !== meta) {
      return false;
    }
  }

  return index === known.length;
}

const tablesOfOrm = new WeakMap<object, { readonly metas: readonly EntityMetadata[]; readonly tables: Tables }>();

type Tables = ReadonlyMap<string, readonly EntityMetadata[]>;
