import { helper, JsonType, Reference, ReferenceKind, Utils, type EntityProperty } from '@mikro-orm/core';
import type { TenantEntityManager } from '../orm/tenant-entity-manager.js';
import type { IdentifiedTenant } from '../scope/make-scope.js';
import type { TenantIdentity } from '../scope/tenant-identity.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import type { HeldTenant } from './directory.js';

/**
 * A tenant as the directory holds it: the data of its row, of no EntityManager. Nobody is given the data itself: each request that looks at
 * its tenant gets an entity of its own, so nothing that one does to it is seen by another.
 */
export interface HeldRow extends HeldTenant {
  /** Which tenant it is, whoever has its name later. */
  readonly identity: TenantIdentity | undefined;

  /** A new entity, managed by a fork of its own. */
  copy(): TenantMixin<unknown>;
}

/** Takes the data of a loaded tenant. `fork` gives an EntityManager that nobody else has, for a copy. */
export function holdRow({ row, identity }: IdentifiedTenant, fork: () => TenantEntityManager): HeldRow {
  const data = dataOf(row, fork(), new Set());
  // most rows have few values or none that can be changed in place
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
    copy: () =>
      fork()
        .getEntityFactory()
        .create(TenantClass as never, copyOfData(), { merge: true, convertCustomTypes: true }),
  };
}

/**
 * What MikroORM makes the entity of, in the form that the database has it in: the values themselves may be of classes that nobody but their
 * custom type can copy. Relies on MikroORM 7's comparator giving that form, as it does for the snapshot that a flush is compared with.
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

    // the driver gives JSON as what it means
    if (property.customType instanceof JsonType && typeof stored === 'string' && platform.convertsJsonAutomatically()) {
      data[property.name] = JSON.parse(stored);
    }
  }

  return data;
}

// what is not stored is not in a snapshot
function isComputed({ kind, persist, formula }: EntityProperty): boolean {
  return kind === ReferenceKind.SCALAR && (persist === false || formula !== undefined);
}
