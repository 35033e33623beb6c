import { helper, Reference, Utils, type Collection } from '@mikro-orm/core';
import { CrossTenantError } from '../errors.js';
import { isTenantEntity } from './entity-kinds.js';
import type { QueryGuard } from './tenant-query-builder.js';

/**
 * Refuses data and conditions that hold an entity of another tenant. MikroORM takes its key alone, and the key would be that of
 * whichever row of the own tenant has it. `wanted` is the schema that is asked for where the scope says none.
 *
 * @throws CrossTenantError `CROSS_TENANT`
 */
export function refuseForeign(given: readonly unknown[], wanted: string | undefined, { tenancy, scope }: QueryGuard): void {
  const own = scope?.kind === 'tenant' ? scope.schemaName : wanted;

  // an EntityManager that has no tenant is refused for what it reads or writes
  if (own === undefined || own === tenancy.publicSchema) {
    return;
  }

  for (const entity of entitiesIn(given, new Set())) {
    const { __meta: meta, __schema: schema } = helper(entity);

    if (isTenantEntity(meta.root) && schema !== undefined && schema !== own) {
      throw CrossTenantError.givenEntity(meta.className, schema, own);
    }
  }
}

/** What an entity refers to, one step far: as many entities as its row has foreign keys, and what its loaded collections hold. */
export function referredOf(entity: object): object[] {
  return helper(entity).__meta.relations.flatMap(({ name }) => {
    const value = Reference.unwrapReference((entity as Record<string, object>)[name] as object);

    return Utils.isCollection(value) ? value.getItems(false) : Utils.isEntity<object>(value) ? [value] : [];
  });
}

function* entitiesIn(given: unknown, seen: Set<object>): Generator<object> {
  if (typeof given !== 'object' || given === null || seen.has(given)) {
    return;
  }

  seen.add(given);
  const value = Reference.unwrapReference(given);

  if (Utils.isEntity<object>(value)) {
    yield value;
    yield* referredOf(value);
  } else if (Utils.isCollection(value)) {
    yield* (value as Collection<object>).getItems(false);
  } else if (Array.isArray(value) || Utils.isPlainObject(value)) {
    for (const item of Object.values(value)) {
      yield* entitiesIn(item, seen);
    }
  }
}
