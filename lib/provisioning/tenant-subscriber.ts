import {
  FlushMode,
  LockMode,
  wrap,
  type ChangeSet,
  type EntityManager,
  type EventArgs,
  type EventSubscriber,
  type FilterQuery,
  type FlushEventArgs,
} from '@mikro-orm/core';
import { tellChanges } from '../database/tell-changes.js';
import { provision } from './provision.js';
import { dropSchema, renameSchema } from './schemas.js';
import { checkFlushOfTenants } from './tenant-changes.js';
import { TenantDatabase } from '../database/tenant-database.js';
import { NOT_CACHED } from '../database/tenants-table.js';
import { TenantRules } from '../scope/tenant-rules.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { guardFlush } from '../entities/flush-guard.js';
import { assignSchemaToNewItems } from '../entities/new-items.js';

type Tenant = TenantMixin<unknown>;

/**
 * Makes the rows of the tenant entity and their schemas one thing: what a flush does to a row it does to the schema, in the
 * same transaction. Everything that can be refused is refused in `onFlush`, before the transaction begins.
 */
export class TenantSubscriber implements EventSubscriber<Tenant> {
  /**
   * The schema names in the rows that the flush is about to change. What the entity was loaded with may be out of date, or may
   * not have been loaded, and the schema that it names may be another tenant's by now.
   */
  readonly #storedNames = new WeakMap<Tenant, string>();

  beforeFlush({ uow, em }: FlushEventArgs): void {
    assignSchemaToNewItems(uow, em.schema);
  }

  onFlush({ uow, em }: FlushEventArgs): void {
    const flush = { uow, em, rules: TenantRules.of(em.config) };
    checkFlushOfTenants(flush);
    guardFlush(flush, () => {
      // with no other subscriber nothing has changed since
      if ([...em.getEventManager().getSubscribers()].some(subscriber => subscriber !== this && 'onFlush' in subscriber)) {
        checkFlushOfTenants(flush);
      }
    });
  }

  async afterCreate({ entity, em, meta }: EventArgs<Tenant>): Promise<void> {
    const database = TenantDatabase.of(em.config);

    if (!database.rules.isTenantClass(meta)) {
      return;
    }

    if (!database.rules.isPublicTenant(entity) && database.rules.settingOf(entity, 'autoCreateSchema')) {
      await provision(database, entity, em.getTransactionContext());
    }

    await tellChanges(database, [entity.schemaName], em.getTransactionContext());
  }

  async beforeUpdate({ entity, em, meta, changeSet }: EventArgs<Tenant>): Promise<void> {
    const isRenamed = entity.schemaName !== undefined && entity.schemaName !== changeSet?.originalEntity?.schemaName;

    if (isRenamed && TenantRules.of(em.config).isTenantClass(meta)) {
      await this.#readStoredName(entity, em);
    }
  }

  async afterUpdate({ entity, em, meta, changeSet }: EventArgs<Tenant>): Promise<void> {
    const stored = this.#takeStoredName(entity);
    const database = TenantDatabase.of(em.config);

    if (stored !== undefined && stored !== entity.schemaName) {
      await renameSchema(database, stored, entity.schemaName, em.getTransactionContext());
    }

    if (database.rules.isTenantClass(meta)) {
      // others hold it by the name in the row, which another process may have changed since the entity was loaded
      const now = await storedName(entity, em);
      await tellChanges(database, [stored ?? formerName(changeSet) ?? now, now], em.getTransactionContext());
    }
  }

  async beforeDelete({ entity, em, meta }: EventArgs<Tenant>): Promise<void> {
    if (TenantRules.of(em.config).isTenantClass(meta)) {
      await this.#readStoredName(entity, em);
    }
  }

  async afterDelete({ entity, em, meta, changeSet }: EventArgs<Tenant>): Promise<void> {
    const stored = this.#takeStoredName(entity);
    const database = TenantDatabase.of(em.config);

    if (database.rules.isTenantClass(meta)) {
      await tellChanges(database, [stored ?? formerName(changeSet)], em.getTransactionContext());
    }

    if (
      stored !== undefined &&
      database.rules.settingOf(entity, 'autoDropSchema') &&
      !database.rules.isPublicTenant({ schemaName: stored })
    ) {
      await dropSchema(database, stored, em.getTransactionContext());
    }
  }

  async #readStoredName(entity: Tenant, em: EntityManager): Promise<void> {
    // the lock keeps the name until the transaction ends
    const name = await storedName(entity, em, { lockMode: LockMode.PESSIMISTIC_WRITE });

    if (name === undefined) {
      this.#storedNames.delete(entity);
    } else {
      this.#storedNames.set(entity, name);
    }
  }

  #takeStoredName(entity: Tenant): string | undefined {
    const stored = this.#storedNames.get(entity);
    this.#storedNames.delete(entity);

    return stored;
  }
}

/** The schema name in the tenant's row, past the flush's identity map. */
async function storedName(entity: Tenant, em: EntityManager, options: { readonly lockMode?: LockMode } = {}): Promise<string | undefined> {
  const registry = em.fork({ keepTransactionContext: true, disableContextResolution: true, flushMode: FlushMode.COMMIT });
  const key = wrap(entity, true).getPrimaryKey() as FilterQuery<Tenant>;
  const row = await registry.findOne(TenantRules.of(em.config).tenantMeta.class, key, {
    fields: ['schemaName'],
    filters: false,
    // outside a transaction too it is what was just written, and not what a replica has
    connectionType: 'write',
    ...NOT_CACHED,
    ...options,
  });

  return row?.schemaName;
}

// of an entity that was not loaded it is not known
function formerName(change: ChangeSet<Tenant> | undefined): string | undefined {
  const name: unknown = change?.originalEntity?.schemaName;

  return typeof name === 'string' ? name : undefined;
}
