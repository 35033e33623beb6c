import { Collection, helper, Reference, Utils, type AnyEntity } from '@mikro-orm/core';
import { TestError } from '../errors/testing-errors.js';
import { innermostScope } from '../scope/scope.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import type { TenantNames } from './clients.js';

/**
 * Fails if the calling code is in a scope: what runs between two pieces of work, such as a worker's loop, must not keep that of the last one.
 *
 * @throws TestError `TEST_LEAK`
 */
export function expectNoScope(): void {
  const scope = innermostScope();

  if (scope !== undefined) {
    const whose = scope.kind === 'tenant' ? `the scope of "${scope.schemaName}"` : 'the public scope';
    throw TestError.leak(nameOfTest(), [`this code runs in ${whose}, and was to run in none`]);
  }
}

/**
 * Fails if the value has an entity of another tenant: itself, in an array or an object, or in a loaded relation. Shared entities belong to all.
 *
 * @throws TestError `TEST_LEAK`
 */
export function expectTenantOf(value: unknown, tenant: Pick<TenantNames, 'schemaName'>): void {
  const foreign = [...entitiesIn(value, new Set())]
    .filter(entity => isTenantEntity(helper(entity).__meta))
    .map(entity => ({ entity, schema: helper(entity).__schema }))
    .filter(({ schema }) => schema !== tenant.schemaName)
    .map(({ entity, schema }) => `${helper(entity).__meta.className} ${JSON.stringify(helper(entity).getPrimaryKey())} is of "${schema}"`);

  if (foreign.length > 0) {
    throw TestError.leak(nameOfTest(), [`something of "${tenant.schemaName}" was expected, and ${foreign.join(', ')}`]);
  }
}

/** Says which test is running, for messages. Set by the kit. */
export function setTestName(name: string | undefined): void {
  running = name;
}

/** The name of the running test. */
export function nameOfTest(): string {
  return running ?? 'outside of a test';
}

let running: string | undefined;

function* entitiesIn(value: any, seen: Set<unknown>): Generator<AnyEntity> {
  if (typeof value !== 'object' || value === null || seen.has(value)) {
    return;
  }

  seen.add(value);

  if (Utils.isEntity(value)) {
    yield value;

    for (const prop of helper(value as AnyEntity).__meta.relations) {
      yield* entitiesIn((value as Record<string, unknown>)[prop.name], seen);
    }
  } else if (value instanceof Collection) {
    yield* value.isInitialized() ? entitiesIn(value.getItems(false), seen) : [];
  } else if (value instanceof Reference) {
    yield* entitiesIn(value.unwrap(), seen);
  } else if (Array.isArray(value) || Utils.isPlainObject(value)) {
    for (const each of Object.values(value)) {
      yield* entitiesIn(each, seen);
    }
  }
}
