import {
  FlushMode,
  LockMode,
  wrap,
  type ChangeSet,
  type EntityClass,
  type EntityManager,
  type EventArgs,
  type EventSubscriber,
  type FilterQuery,
  type FlushEventArgs,
  type Transaction,
} from '@mikro-orm/core';
import { explainDomainConflict, lockTenantsOfDomains } from './domain-locks.js';
import { callInTransaction, callOnCommit } from '../orm/tenant-hooks.js';
import { noticeText, publishChanges, tellChanges } from '../database/tell-changes.js';
import { provision, provisionFilled } from './provision.js';
import { consentFor } from './consent.js';
import { adoptSchema, dropSchema, refuseExisting, renameSchema } from './schemas.js';
import { checkFlushOfTenants, checkWrites, explainConflict, explainTenantConflict } from './tenant-changes.js';
import { TenantDatabase } from '../database/tenant-database.js';
import { NOT_CACHED } from '../database/tenants-table.js';
import { TenantRules } from '../scope/tenant-rules.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { guardFlush, type FlushChecks } from '../entities/flush-guard.js';
import { assignSchemaToNewItems } from '../entities/new-items.js';

type Tenant = TenantMixin<unknown>;

/** Checks each flush. As many errors as possible are found in `onFlush`, before the transaction begins. */
export class FlushSubscriber implements EventSubscriber {
  readonly #checks: FlushChecks = {
    beforeTransaction: flush => {
      // other subscribers may have changed entities since the check
      for (const subscriber of flush.em.getEventManager().getSubscribers()) {
        if (subscriber !== this && 'onFlush' in subscriber) {
          checkFlushOfTenants(flush);

          return;
        }
      }
    },
    beforeWrite: (changeSets, flush) => {
      checkWrites(changeSets, flush.rules);

      return flush.rules.options.domains === undefined ? undefined : lockTenantsOfDomains(changeSets, flush);
    },
    explain: (error, changeSets, flush) => explainTenantConflict(explainDomainConflict(error, changeSets, flush), changeSets, flush),
  };

  beforeFlush({ uow, em }: FlushEventArgs): void {
    assignSchemaToNewItems(uow, em);
  }

  onFlush({ uow, em }: FlushEventArgs): void {
    const flush = { uow, em, rules: TenantRules.of(em.config) };
    checkFlushOfTenants(flush);
    guardFlush(flush, this.#checks);
  }
}

/**
 * Keeps tenant rows and their schemas in step: a flush that creates, renames or deletes a row does the same to the schema, in the same
 * transaction.
 *
 * It subscribes to the tenants' classes alone. For an entity that anybody subscribes to, MikroORM compares what it was before a hook with what
 * it is after.
 */
export class TenantSubscriber implements EventSubscriber<Tenant> {
  readonly #classes: Iterable<EntityClass<Tenant>>;
  /**
   * The schema names in the database, for the rows that the flush is about to change. The name in the entity may be out of date or not
   * loaded, and may belong to another tenant by now.
   */
  readonly #storedNames = new WeakMap<Tenant, string>();

  /** `classes` are those of the tenants' inheritance tree, and are read when an ORM is made. */
  constructor(classes: Iterable<EntityClass<Tenant>>) {
    this.#classes = classes;
  }

  getSubscribedEntities(): EntityClass<Tenant>[] {
    return [...this.#classes];
  }

  afterCreate(args: EventArgs<Tenant>): Promise<void> {
    return explained(args, () => this.#create(args));
  }

  async beforeUpdate(args: EventArgs<Tenant>): Promise<void> {
    const { entity, em, meta, changeSet } = args;
    const isRenamed = entity.schemaName !== undefined && entity.schemaName !== changeSet?.originalEntity?.schemaName;

    if (isRenamed && TenantRules.of(em.config).isTenantClass(meta)) {
      await explained(args, () => this.#readStoredName(entity, em));
    }
  }

  afterUpdate(args: EventArgs<Tenant>): Promise<void> {
    return explained(args, () => this.#update(args));
  }

  async beforeDelete(args: EventArgs<Tenant>): Promise<void> {
    const { entity, em, meta } = args;

    if (TenantRules.of(em.config).isTenantClass(meta)) {
      await explained(args, () => this.#readStoredName(entity, em));
    }
  }

  afterDelete(args: EventArgs<Tenant>): Promise<void> {
    return explained(args, () => this.#delete(args));
  }

  async #create({ entity, em, meta }: EventArgs<Tenant>): Promise<void> {
    const database = TenantDatabase.of(em.config);

    if (!database.rules.isTenantClass(meta)) {
      return;
    }

    const ctx = em.getTransactionContext();

    if (database.rules.isPublicTenant(entity) || !(await createSchema(database, entity, ctx))) {
      await tellChanges(database, [entity.schemaName], ctx);
    }

    const { by } = consentFor(entity).created ?? { by: 'create' };
    callOnCommit(database, ctx, { kind: 'created', schemaName: entity.schemaName, by, tenant: entity });
  }

  async #update({ entity, em, meta, changeSet }: EventArgs<Tenant>): Promise<void> {
    const stored = this.#takeStoredName(entity);
    const database = TenantDatabase.of(em.config);

    if (stored !== undefined && stored !== entity.schemaName) {
      const ctx = em.getTransactionContext();
      await renameSchema(database, { from: stored, to: entity.schemaName, ctx, tenant: entity, ...consentFor(entity) });
      callOnCommit(database, ctx, { kind: 'renamed', schemaName: entity.schemaName, from: stored, tenant: entity });
    }

    if (database.rules.isTenantClass(meta)) {
      // other processes cache the tenant under the name in the row, which may have changed since the entity was loaded
      const now = await storedName(entity, em);
      await tellChanges(database, [stored ?? formerName(changeSet) ?? now, now], em.getTransactionContext());
    }
  }

  async #delete({ entity, em, meta, changeSet }: EventArgs<Tenant>): Promise<void> {
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
      await dropSchema(database, stored, { ctx: em.getTransactionContext(), tenant: entity });
    }

    if (stored !== undefined && database.rules.isTenantClass(meta)) {
      callOnCommit(database, em.getTransactionContext(), { kind: 'deleted', schemaName: stored, tenant: entity });
    }
  }

  async #readStoredName(entity: Tenant, em: EntityManager): Promise<void> {
    // the lock keeps the name unchanged until the transaction ends
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

/** What is done for a row has its locks when its flush has others, so it can wait for who waits for the flush. */
async function explained({ em }: EventArgs<Tenant>, fn: () => Promise<void>): Promise<void> {
  try {
    await fn();
  } catch (error) {
    const conflict = explainConflict(error);
    TenantRules.of(em.config).failures.pass(error, conflict);
    throw conflict;
  }
}

/**
 * Gives a tenant whose row was just stored its schema: creates it, adopts the existing one if the caller asked for it, or leaves it for later.
 * Returns whether it was created, and the other processes were told with the same message.
 */
async function createSchema(database: TenantDatabase, tenant: Tenant, ctx: Transaction): Promise<boolean> {
  const { schemaName } = tenant;
  const { fill, adoptSchema: isAdopted, hasSchema, created, take } = consentFor(tenant);

  if (hasSchema === true) {
    return false;
  }

  if (fill !== undefined) {
    await provisionFilled(database, tenant, { ctx, fill, created: created ?? { by: 'create' } });
  } else if (isAdopted === true) {
    await take?.(ctx);
    await (created === undefined ? undefined : callInTransaction(database, 'beforeCreate', { ctx, schemaName, tenant, ...created }));
    await adoptSchema(database, schemaName, ctx);
  } else if (!database.rules.settingOf(tenant, 'autoCreateSchema')) {
    await refuseExisting(database, schemaName, ctx);
  } else {
    await provision(database, tenant, { ctx, after: [noticeText(database, [schemaName])] });
    publishChanges(database, [schemaName], ctx);

    return true;
  }

  return false;
}

/** The schema name in the tenant's row, read from the database and not from the identity map of the flush. */
async function storedName(entity: Tenant, em: EntityManager, options: { readonly lockMode?: LockMode } = {}): Promise<string | undefined> {
  const registry = em.fork({ keepTransactionContext: true, disableContextResolution: true, flushMode: FlushMode.COMMIT });
  const key = wrap(entity, true).getPrimaryKey() as FilterQuery<Tenant>;
  const row = await registry.findOne(TenantRules.of(em.config).tenantMeta.class, key, {
    fields: ['schemaName'],
    filters: false,
    // outside a transaction MikroORM would read from a replica, which may not have the write yet
    connectionType: 'write',
    ...NOT_CACHED,
    ...options,
  });

  return row?.schemaName;
}

// undefined for an entity that was not loaded
function formerName(change: ChangeSet<Tenant> | undefined): string | undefined {
  const name: unknown = change?.originalEntity?.schemaName;

  return typeof name === 'string' ? name : undefined;
}
