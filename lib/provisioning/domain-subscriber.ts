import { helper, type EntityClass, type EventArgs, type EventSubscriber } from '@mikro-orm/core';
import { publishChanges } from '../database/tell-changes.js';
import { TenantDatabase } from '../database/tenant-database.js';
import type { DomainMixin } from '../tenant/domain-mixin.js';

/** Has this process see at once the domains that it writes itself. Other processes are told by the database. */
export class DomainSubscriber implements EventSubscriber<DomainMixin> {
  readonly #domains: EntityClass<DomainMixin>;

  constructor(domains: EntityClass<DomainMixin>) {
    this.#domains = domains;
  }

  getSubscribedEntities(): EntityClass<DomainMixin>[] {
    return [this.#domains];
  }

  afterCreate(args: EventArgs<DomainMixin>): void {
    publish(args);
  }

  afterUpdate(args: EventArgs<DomainMixin>): void {
    publish(args);
  }

  afterDelete(args: EventArgs<DomainMixin>): void {
    publish(args);
  }
}

function publish({ entity: { tenant }, em, changeSet }: EventArgs<DomainMixin>): void {
  // the former tenant of a domain that is moved is not loaded
  const isKnown = tenant !== undefined && helper(tenant).isInitialized() && changeSet?.originalEntity?.tenant === undefined;
  publishChanges(TenantDatabase.of(em.config), [isKnown ? tenant.schemaName : undefined], em.getTransactionContext());
}
