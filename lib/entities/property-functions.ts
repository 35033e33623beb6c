import { helper, type EntityManager, type EntityMetadata, type EntityProperty } from '@mikro-orm/core';
import { TenantRules } from '../scope/tenant-rules.js';
import { mayHoldEntities, refuseForeignEntities } from './foreign-entities.js';

/**
 * Makes the functions that give properties their values check what they return. Not all that MikroORM does with it is looked at later: `em.upsert()` of
 * data, and Kysely, turn it into what is stored at once. `onUpdate` also replaces a value that is about to be stored, and what is stored is the old
 * one where the new one is that of the row: so that is checked as well.
 */
export function guardPropertyFunctions(meta: EntityMetadata): void {
  for (const property of meta.props as WritableProperty[]) {
    if (property.onCreate !== undefined) {
      property.onCreate = guardedFunction(property.onCreate, property, meta);
    }

    if (property.onUpdate !== undefined) {
      property.onUpdate = guardedFunction(property.onUpdate, property, meta);
    }
  }
}

function guardedFunction(make: MakeValue, { name }: WritableProperty, { className }: EntityMetadata): MakeValue {
  if (guarded.has(make)) {
    return make;
  }

  const guardedMake: MakeValue = (entity, em) => {
    const before = (entity as Readonly<Record<string, unknown>> | undefined)?.[name];
    const value = make(entity, em);

    // most are dates, texts and numbers
    if (mayHoldEntities(before) || mayHoldEntities(value)) {
      refuseForeignValues([{ [name]: before }, { [name]: value }], { entity, em, className });
    }

    return value;
  };
  guarded.add(guardedMake);

  return guardedMake;
}

/** @throws CrossTenantError `CROSS_TENANT` */
function refuseForeignValues(values: readonly object[], { entity, em, className }: Made): void {
  // the class may be an entity of an ORM without tenants too
  const rules = TenantRules.find(em.config);

  if (rules !== undefined) {
    // most are made for data, or for what is in an entity
    const wrapped = entity === undefined ? undefined : (helper(entity) as ReturnType<typeof helper> | undefined);
    refuseForeignEntities(values, em.schema ?? wrapped?.__schema, { rules, scope: rules.scope, entity: className });
  }
}

const guarded = new WeakSet<MakeValue>();

type MakeValue = (entity: object | undefined, em: EntityManager) => unknown;

type WritableProperty = Omit<EntityProperty, 'onCreate' | 'onUpdate'> & { onCreate?: MakeValue; onUpdate?: MakeValue };

interface Made {
  readonly entity: object | undefined;
  readonly em: EntityManager;
  readonly className: string;
}
