import { helper, type Collection, type UnitOfWork } from '@mikro-orm/core';
import { CrossTenantError } from '../errors.js';
import type { Tenancy } from '../tenancy.js';
import { isTenantEntity } from './entity-kinds.js';
import { referredOf } from './foreign-entities.js';

/**
 * Refuses a flush that is not of one tenant, before its transaction begins: by what it writes, and by what that refers to. A
 * foreign key holds no schema, so a reference to another tenant's row would be stored as one to whichever row of the own tenant
 * has that key.
 *
 * @throws TenantContextRequiredError `TENANT_CONTEXT_REQUIRED` or CrossTenantError `CROSS_TENANT`
 */
export function checkFlush(uow: UnitOfWork, tenancy: Tenancy): void {
  const driver = tenancy.orm.em.getDriver();
  const schemaNames = new Set<string>();
  const add = (entity: object): void => {
    const { __meta: meta, __schema: schema } = helper(entity);

    if (isTenantEntity(meta.root) && schema !== undefined) {
      schemaNames.add(schema);
    }
  };

  for (const { entity, meta, schema } of uow.getChangeSets()) {
    if (isTenantEntity(meta.root)) {
      schemaNames.add(driver.getSchemaName(meta, schema === undefined ? {} : { schema }) as string);
      referredOf(entity).forEach(add);
    }
  }

  for (const collection of uow.getCollectionUpdates() as readonly Collection<object>[]) {
    add(collection.owner);
    collection.getItems(false).forEach(add);
  }

  if (schemaNames.size > 1) {
    throw CrossTenantError.mixedFlush([...schemaNames]);
  }
}
