import type { EntityMetadata } from '@mikro-orm/core';
import { onceForEntities } from '../tenant/once-for-entities.js';

/** The entities of each table. */
export const entitiesByTable = onceForEntities((metas): ReadonlyMap<string, readonly EntityMetadata[]> => {
  const tables = new Map<string, EntityMetadata[]>();

  for (const meta of metas) {
    if (meta.schema !== undefined) {
      tables.set(meta.tableName, [...(tables.get(meta.tableName) ?? []), meta]);
    }
  }

  return tables;
});
