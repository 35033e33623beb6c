import type { EntityMetadata, MetadataStorage, TriggerDef } from '@mikro-orm/core';
import { quoteIdentifier } from '../postgres/schema-name.js';
import { ALL_TENANTS, channelOf } from './change-channel.js';

/**
 * Adds a trigger to the tenants' table that notifies of every change. It becomes part of the public migration set: MikroORM 7 reads an
 * entity's triggers from its metadata whenever it compares them with the database or the snapshot.
 */
export function addTrigger(storage: MetadataStorage, tenant: EntityMetadata, publicSchema: string): void {
  const { root } = tenant;
  const channel = channelOf(publicSchema, root.tableName);
  const notify = (payload: string): string => `perform pg_catalog.pg_notify('${channel.replaceAll("'", "''")}', ${payload})`;
  const column = quoteIdentifier(root.properties['schemaName']?.fieldNames[0] ?? '');
  add(root, 'row', [
    `if tg_op <> 'INSERT' then ${notify(`old.${column}`)}; end if;`,
    `if tg_op <> 'DELETE' then ${notify(`new.${column}`)}; end if;`,
    'return null',
  ]);

  // if tenants are stored in several tables, only the root table has the schema name
  for (const meta of storage.getAll().values()) {
    if (meta.root === root && meta !== root && meta.inheritanceType === 'tpt') {
      add(meta, 'statement', [`${notify(`'${ALL_TENANTS}'`)};`, 'return null']);
    }
  }
}

function add(meta: EntityMetadata, forEach: 'row' | 'statement', body: readonly string[]): void {
  const trigger: TriggerDef = { name: TRIGGER, timing: 'after', events: ['insert', 'update', 'delete'], forEach, body: body.join(' ') };

  // the same metadata may be discovered more than once
  if (!meta.triggers.some(({ name }) => name === TRIGGER)) {
    meta.triggers.push(trigger);
  }
}

const TRIGGER = 'landlord_directory';
