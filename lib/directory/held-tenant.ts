import { helper, JsonType, Reference, ReferenceKind, Utils, type EntityProperty } from '@mikro-orm/core';
import type { TenantEntityManager } from '../orm/tenant-entity-manager.js';
import type { IdentifiedTenant } from '../scope/make-scope.js';
import type { TenantIdentity } from '../scope/tenant-identity.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { stateOf, type TenantState } from '../tenant/tenant-state.js';
import type { HeldTenant } from './directory.js';

/**
 * A tenant in the directory: the data of its row, not managed by an EntityManager. Each request that reads its tenant gets an entity of its
 * own. So no request sees the changes of another.
 */
export interface HeldRow extends HeldTenant {
  /** Which tenant it is, whoever has its name later. */
  readonly identity: TenantIdentity | undefined;

  readonly state: TenantState;

  /** Creates an entity in a fork of its own. */
  copy(): TenantMixin<unknown>;
}

/** Stores the data of a loaded tenant. `fork` creates a new EntityManager for each copy. */
export function holdRow({ row, identity }: IdentifiedTenant, fork: () => TenantEntityManager): HeldRow {
  const data = dataOf(row, fork(), new Set());
  // only objects have to be copied, and most rows have few or none
  const objects = Object.keys(data).filter(name => typeof data[name] === 'object' && data[name] !== null);
  const copyOfData = (): Record<string, unknown> => {
    const copy = { ...data };

    for (const name of objects) {
      copy[name] = Utils.copy(data[name]);
    }

    return copy;
  };
  const TenantClass = row.constructor as typeof TenantMixin;

  return {
    schemaName: row.schemaName,
    identity,
    state: stateOf(row),
    copy: () =>
      fork()
        .getEntityFactory()
        .create(TenantClass as never, copyOfData(), { merge: true, convertCustomTypes: true }),
  };
}

/**
 * The data of an entity in its database form. The entity's own values cannot be copied in general: they may be objects that only their
 * custom type understands. Relies on MikroORM 7's comparator, which returns this form for the snapshots of the unit of work.
 */
function dataOf(entity: object, em: TenantEntityManager, seen: Set<object>): Record<string, unknown> {
  seen.add(entity);
  const { props } = helper(entity).__meta;
  const platform = em.getPlatform();
  const data: Record<string, unknown> = { ...em.getComparator().prepareEntity(entity) };

  for (const property of props) {
    const value: unknown = Reference.unwrapReference((entity as Record<string, object>)[property.name] as object);

    if (Utils.isCollection(value)) {
      const items = value.isInitialized() ? value.getItems().filter(item => !seen.has(item)) : [];

      if (items.length > 0) {
        data[property.name] = items.map(item => dataOf(item, em, seen));
      }
    } else if (Utils.isEntity<object>(value) && helper(value).isInitialized() && !seen.has(value)) {
      data[property.name] = dataOf(value, em, seen);
    } else if (isComputed(property) && value !== undefined) {
      data[property.name] = property.customType?.convertToDatabaseValue(value, platform) ?? value;
    }

    const stored = data[property.name];

    // the driver returns JSON as parsed values
    if (property.customType instanceof JsonType && typeof stored === 'string' && platform.convertsJsonAutomatically()) {
      data[property.name] = JSON.parse(stored);
    }
  }

  return data;
}

// a snapshot contains only stored properties
function isComputed({ kind, persist, formula }: EntityProperty): boolean {
  return kind === ReferenceKind.SCALAR && (persist === false || formula !== undefined);
}
