import {
  ChangeSetType,
  FlushMode,
  LockMode,
  wrap,
  type ChangeSet,
  type EntityManager,
  type EventArgs,
  type EventSubscriber,
  type FilterQuery,
  type FlushEventArgs,
  type UnitOfWork,
} from '@mikro-orm/core';
import { tellChanges } from '../database/tell-changes.js';
import { InvalidDomainError, PublicContextRequiredError, ReservedDomainError, TenantWriteRefusedError } from '../errors/index.js';
import { provision } from './provision.js';
import { dropSchema, renameSchema } from './schemas.js';
import { NOT_CACHED, Tenancy } from '../tenancy.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { checkFlush, type Flush } from '../entities/flush-check.js';
import { guardFlush } from '../entities/flush-guard.js';
import { placeNewItems } from '../entities/new-items.js';

type Tenant = TenantMixin<unknown>;

/**
 * Keeps tenant rows and their schemas in step: a flush that creates, renames or deletes a row does the same to the schema, in the same
 * transaction. As many errors as possible are found in `onFlush`, before the transaction begins.
 */
export class TenantSubscriber implements EventSubscriber<Tenant> {
  /**
   * The schema names in the database, for the rows that the flush is about to change. The name in the entity may be out of date or not
   * loaded, and may belong to another tenant by now.
   */
  readonly #storedNames = new WeakMap<Tenant, string>();

  beforeFlush({ uow, em }: FlushEventArgs): void {
    placeNewItems(uow, em.schema);
  }

  onFlush({ uow, em }: FlushEventArgs): void {
    const flush = { uow, em, tenancy: Tenancy.of(em.config) };
    checkChanges(flush);
    guardFlush(flush, () => {
      // other subscribers may have changed entities since the check
      if ([...em.getEventManager().getSubscribers()].some(subscriber => subscriber !== this && 'onFlush' in subscriber)) {
        checkChanges(flush);
      }
    });
  }

  async afterCreate({ entity, em, meta }: EventArgs<Tenant>): Promise<void> {
    const tenancy = Tenancy.of(em.config);

    if (!tenancy.isTenantClass(meta)) {
      return;
    }

    if (!tenancy.isPublicTenant(entity) && tenancy.settingOf(entity, 'autoCreateSchema')) {
      await provision(tenancy, entity, em.getTransactionContext());
    }

    await tellChanges(tenancy, [entity.schemaName], em.getTransactionContext());
  }

  async beforeUpdate({ entity, em, meta, changeSet }: EventArgs<Tenant>): Promise<void> {
    const isRenamed = entity.schemaName !== undefined && entity.schemaName !== changeSet?.originalEntity?.schemaName;

    if (isRenamed && Tenancy.of(em.config).isTenantClass(meta)) {
      await this.#readStoredName(entity, em);
    }
  }

  async afterUpdate({ entity, em, meta, changeSet }: EventArgs<Tenant>): Promise<void> {
    const stored = this.#takeStoredName(entity);
    const tenancy = Tenancy.of(em.config);

    if (stored !== undefined && stored !== entity.schemaName) {
      await renameSchema(tenancy, stored, entity.schemaName, em.getTransactionContext());
    }

    if (tenancy.isTenantClass(meta)) {
      // other processes cache the tenant under the name in the row, which may have changed since the entity was loaded
      const now = await storedName(entity, em);
      await tellChanges(tenancy, [stored ?? formerName(changeSet) ?? now, now], em.getTransactionContext());
    }
  }

  async beforeDelete({ entity, em, meta }: EventArgs<Tenant>): Promise<void> {
    const tenancy = Tenancy.of(em.config);

    if (tenancy.isTenantClass(meta)) {
      await this.#readStoredName(entity, em);
    }
  }

  async afterDelete({ entity, em, meta, changeSet }: EventArgs<Tenant>): Promise<void> {
    const stored = this.#takeStoredName(entity);
    const tenancy = Tenancy.of(em.config);

    if (tenancy.isTenantClass(meta)) {
      await tellChanges(tenancy, [stored ?? formerName(changeSet)], em.getTransactionContext());
    }

    if (stored !== undefined && tenancy.settingOf(entity, 'autoDropSchema') && !tenancy.isPublicTenant({ schemaName: stored })) {
      await dropSchema(tenancy, stored, em.getTransactionContext());
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

/** The schema name in the tenant's row, read from the database and not from the identity map of the flush. */
async function storedName(entity: Tenant, em: EntityManager, options: { readonly lockMode?: LockMode } = {}): Promise<string | undefined> {
  const registry = em.fork({ keepTransactionContext: true, disableContextResolution: true, flushMode: FlushMode.COMMIT });
  const key = wrap(entity, true).getPrimaryKey() as FilterQuery<Tenant>;
  const row = await registry.findOne(Tenancy.of(em.config).tenantMeta.class, key, {
    fields: ['schemaName'],
    filters: false,
    // outside a transaction MikroORM would read from a replica, which may not have the write yet
    connectionType: 'write',
    ...NOT_CACHED,
    ...options,
  });

  return row?.schemaName;
}

/** A change that a flush is about to make to one tenant. */
interface TenantChange {
  readonly entity: Tenant;
  readonly action: 'created' | 'updated' | 'deleted';
  /** The schema name that an existing row was loaded with. */
  readonly former: string | undefined;
  /** The new value. Undefined if it is not written. */
  readonly schemaName: unknown;
  readonly domainUrl: unknown;
  writeDomain(canonical: string): void;
}

function checkChanges(flush: Flush): void {
  const { uow, em, tenancy } = flush;
  checkFlush(flush);

  for (const change of [...changesOf(uow, tenancy), ...postponedChangesOf(uow, tenancy)]) {
    checkChange(change, tenancy);

    // with `implicitTransactions: false`, the flush is in a transaction only if the caller began one
    if (changesSchema(change) && !em.isInTransaction() && !em.config.get('implicitTransactions')) {
      throw TenantWriteRefusedError.withoutTransaction(pastTenseOf(change));
    }
  }
}

function changesOf(uow: UnitOfWork, tenancy: Tenancy): TenantChange[] {
  return uow
    .getChangeSets()
    .filter(({ meta }) => tenancy.isTenantClass(meta))
    .map(({ entity, type, payload, originalEntity }: ChangeSet<any>) => ({
      entity,
      action: ACTIONS[type],
      former: originalEntity?.['schemaName'],
      schemaName: payload['schemaName'],
      domainUrl: payload['domainUrl'],
      writeDomain: canonical => {
        entity.domainUrl = canonical;
        payload['domainUrl'] = canonical;
      },
    }));
}

/**
 * When several tenants change a unique property in one flush, MikroORM removes the value from the entity and the change set, and writes it
 * last. Until then, only the extra updates of the unit of work contain it.
 */
function postponedChangesOf(uow: UnitOfWork, tenancy: Tenancy): TenantChange[] {
  const postponed: TenantChange[] = [];

  for (const [entity, names, values, changeSet] of uow.getExtraUpdates()) {
    if (changeSet === undefined || !tenancy.isTenantClass(changeSet.meta) || !Array.isArray(names) || !Array.isArray(values)) {
      continue;
    }

    const written: unknown[] = values;
    const value = (name: string): unknown => written[names.indexOf(name)];
    postponed.push({
      entity: entity as Tenant,
      action: 'updated',
      former: changeSet.originalEntity?.['schemaName'],
      schemaName: value('schemaName'),
      domainUrl: value('domainUrl'),
      writeDomain: canonical => {
        written[names.indexOf('domainUrl')] = canonical;
      },
    });
  }

  return postponed;
}

function checkChange(change: TenantChange, tenancy: Tenancy): void {
  const { action, schemaName, domainUrl, former } = change;
  const { scope } = tenancy;

  if (scope?.kind === 'tenant' && changesSchema(change)) {
    throw new PublicContextRequiredError(pastTenseOf(change), scope.schemaName);
  }

  if (action === 'deleted') {
    return;
  }

  const isPublic = (schemaName ?? former) === tenancy.publicSchema;

  if (isRenamed(change) || (action === 'created' && !isPublic)) {
    tenancy.checkSchemaName(schemaName);
  }

  if (action === 'created' || domainUrl !== undefined) {
    change.writeDomain(checkDomain(domainUrl, isPublic, tenancy));
  }
}

/** Whether the change also affects the tenant's schema. */
function changesSchema(change: TenantChange): boolean {
  return change.action !== 'updated' || isRenamed(change);
}

function pastTenseOf({ action }: TenantChange): string {
  return action === 'updated' ? 'renamed' : action;
}

// undefined for an entity that was not loaded
function formerName(change: ChangeSet<Tenant> | undefined): string | undefined {
  const name: unknown = change?.originalEntity?.schemaName;

  return typeof name === 'string' ? name : undefined;
}

function isRenamed({ action, schemaName, former }: TenantChange): boolean {
  return action === 'updated' && schemaName !== undefined && schemaName !== former;
}

function checkDomain(domainUrl: unknown, isPublic: boolean, tenancy: Tenancy): string {
  const canonical = typeof domainUrl === 'string' ? tenancy.canonicalHost(domainUrl) : undefined;

  if (canonical === undefined) {
    throw new InvalidDomainError(domainUrl);
  }

  if (tenancy.isPublicHost(canonical) && !isPublic) {
    throw new ReservedDomainError(canonical);
  }

  return canonical;
}

const ACTIONS: Record<ChangeSetType, TenantChange['action']> = {
  [ChangeSetType.CREATE]: 'created',
  [ChangeSetType.UPDATE]: 'updated',
  [ChangeSetType.UPDATE_EARLY]: 'updated',
  [ChangeSetType.DELETE]: 'deleted',
  [ChangeSetType.DELETE_EARLY]: 'deleted',
};
