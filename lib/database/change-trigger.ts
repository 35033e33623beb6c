import type { EntityMetadata, MetadataStorage, TriggerDef } from '@mikro-orm/core';
import { quoteIdentifier } from '../postgres/schema-name.js';
import { ALL_TENANTS, channelOf } from './change-channel.js';

/**
 * Gives the tenants' table a trigger that tells of every change to it, so that the public set has it. Relies on MikroORM 7 taking the
 * triggers of an entity from its metadata whenever it compares them with the database or the snapshot.
 */
export function addTrigger(storage: MetadataStorage, tenant: EntityMetadata, publicSchema: string): void {
  const { root } = tenant;
  const channel = channelOf(publicSchema, root.tableName);
  const tell = (payload: string): string => `perform pg_catalog.pg_notify('${channel.replaceAll("'", "''")}', ${payload})`;
  const column = quoteIdentifier(root.properties['schemaName']?.fieldNames[0] ?? '');
  add(root, 'row', [
    `if tg_op <> 'INSERT' then ${tell(`old.${column}`)}; end if;`,
    `if tg_op <> 'DELETE' then ${tell(`new.${column}`)}; end if;`,
    'return null',
  ]);

  // the other tables of a tenant that is in several have no schema name
  for (const meta of storage.getAll().values()) {
    if (meta.root === root && meta !== root && meta.inheritanceType === 'tpt') {
      add(meta, 'statement', [`${tell(`'${ALL_TENANTS}'`)};`, 'return null']);
    }
  }
}

function add(meta: EntityMetadata, forEach: 'row' | 'statement', body: readonly string[]): void {
  const trigger: TriggerDef = { name: TRIGGER, timing: 'after', events: ['insert', 'update', 'delete'], forEach, body: body.join(' ') };

  // metadata may be discovered more than once
  if (!meta.triggers.some(({ name }) => name === TRIGGER)) {
    meta.triggers.push(trigger);
  }
}

const TRIGGER = 'landlord_directory';
