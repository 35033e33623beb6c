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
import { flushesInTransaction } from '../orm/mikro-context.js';
import { TenantDatabase } from '../database/tenant-database.js';
import { NOT_CACHED } from '../database/tenants-table.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { checkFlush, type Flush } from '../entities/flush-check.js';
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
    const flush = { uow, em, database: TenantDatabase.of(em.config) };
    checkAll(flush);
    guardFlush(flush, () => {
      // with no other subscriber nothing has changed since
      if ([...em.getEventManager().getSubscribers()].some(subscriber => subscriber !== this && 'onFlush' in subscriber)) {
        checkAll(flush);
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

    if (isRenamed && TenantDatabase.of(em.config).isTenantClass(meta)) {
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
    const database = TenantDatabase.of(em.config);

    if (database.rules.isTenantClass(meta)) {
      await this.#readStoredName(entity, em);
    }
  }

  async afterDelete({ entity, em, meta, changeSet }: EventArgs<Tenant>): Promise<void> {
    const stored = this.#takeStoredName(entity);
    const database = TenantDatabase.of(em.config);

    if (database.rules.isTenantClass(meta)) {
      await tellChanges(database, [stored ?? formerName(changeSet)], em.getTransactionContext());
    }

    if (stored !== undefined && database.rules.settingOf(entity, 'autoDropSchema') && !database.rules.isPublicTenant({ schemaName: stored })) {
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
  const row = await registry.findOne(TenantDatabase.of(em.config).tenantMeta.class, key, {
    fields: ['schemaName'],
    filters: false,
    // outside a transaction too it is what was just written, and not what a replica has
    connectionType: 'write',
    ...NOT_CACHED,
    ...options,
  });

  return row?.schemaName;
}

/** What a flush is about to do to one tenant. */
interface TenantChange {
  readonly entity: Tenant;
  readonly action: 'created' | 'updated' | 'deleted';
  /** The schema name in the database, of a row that is there. */
  readonly former: string | undefined;
  /** What is about to be written; what is not written is undefined. */
  readonly schemaName: unknown;
  readonly domainUrl: unknown;
  writeDomain(canonical: string): void;
}

function checkAll(flush: Flush): void {
  const { uow, em, database } = flush;
  checkFlush(flush);

  for (const change of [...changesOf(uow, database), ...postponedChangesOf(uow, database)]) {
    checkChange(change, database);

    // where MikroORM is told to begin no transactions, the flush is in one only if the caller has begun it
    if (isOfSchema(change) && !flushesInTransaction(em)) {
      throw TenantWriteRefusedError.withoutTransaction(wordFor(change));
    }
  }
}

function changesOf(uow: UnitOfWork, database: TenantDatabase): TenantChange[] {
  return uow
    .getChangeSets()
    .filter(({ meta }) => database.rules.isTenantClass(meta))
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
 * Where several tenants change a unique property in one flush, MikroORM takes it off the entity and its change set, and writes it
 * after the others; until then it stands in the unit of work's extra updates alone.
 */
function postponedChangesOf(uow: UnitOfWork, database: TenantDatabase): TenantChange[] {
  const postponed: TenantChange[] = [];

  for (const [entity, names, values, changeSet] of uow.getExtraUpdates()) {
    if (changeSet === undefined || !database.rules.isTenantClass(changeSet.meta) || !Array.isArray(names) || !Array.isArray(values)) {
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

function checkChange(change: TenantChange, database: TenantDatabase): void {
  const { action, schemaName, domainUrl, former } = change;
  const { scope } = database;

  if (scope?.kind === 'tenant' && isOfSchema(change)) {
    throw new PublicContextRequiredError(wordFor(change), scope.schemaName);
  }

  if (action === 'deleted') {
    return;
  }

  const isPublic = (schemaName ?? former) === database.publicSchema;

  if (isRenamed(change) || (action === 'created' && !isPublic)) {
    database.rules.checkSchemaName(schemaName);
  }

  if (action === 'created' || domainUrl !== undefined) {
    change.writeDomain(checkDomain(domainUrl, isPublic, database));
  }
}

/** Whether the change is one of the tenant's schema too. */
function isOfSchema(change: TenantChange): boolean {
  return change.action !== 'updated' || isRenamed(change);
}

function wordFor({ action }: TenantChange): string {
  return action === 'updated' ? 'renamed' : action;
}

// of an entity that was not loaded it is not known
function formerName(change: ChangeSet<Tenant> | undefined): string | undefined {
  const name: unknown = change?.originalEntity?.schemaName;

  return typeof name === 'string' ? name : undefined;
}

function isRenamed({ action, schemaName, former }: TenantChange): boolean {
  return action === 'updated' && schemaName !== undefined && schemaName !== former;
}

function checkDomain(domainUrl: unknown, isPublic: boolean, database: TenantDatabase): string {
  const canonical = typeof domainUrl === 'string' ? database.rules.canonicalHost(domainUrl) : undefined;

  if (canonical === undefined) {
    throw new InvalidDomainError(domainUrl);
  }

  if (database.rules.isPublicHost(canonical) && !isPublic) {
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
