import { ChangeSetType, type ChangeSet, type EntityManager, type EntityMetadata, type UnitOfWork } from '@mikro-orm/core';
import { checkFlush, type Flush } from '../entities/flush-check.js';
import { PublicContextRequiredError, TenantConflictError, TenantError, TenantWriteRefusedError } from '../errors/index.js';
import { flushesInTransaction } from '../orm/mikro-context.js';
import { isDeadlock } from '../postgres/sql-state.js';
import { refuseRowOfOther } from '../scope/same-database.js';
import type { TenantRules } from '../scope/tenant-rules.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { checkHost } from './check-host.js';
import { checkDomains, checkPostponedDomains } from './domain-changes.js';

type Tenant = TenantMixin<unknown>;

/**
 * Refuses a flush that mixes tenants or changes tenants in a forbidden way. Also puts their hosts into canonical form. Call it before the
 * transaction of the flush begins.
 */
export function checkFlushOfTenants(flush: Flush): void {
  const { uow, em, rules } = flush;
  const changeSets = uow.getChangeSets();
  checkFlush(flush, changeSets);

  for (const change of [...changesOf(changeSets, rules), ...postponedChangesOf(uow, rules)]) {
    refuseRowOfOther(change.entity, rules.config);
    checkChange(change, rules, { isComplete: change.action !== 'created' || !hasCreateHooks(em, change.meta) });

    // with `implicitTransactions: false`, the flush is in a transaction only if the caller began one
    if (changesSchema(change) && !flushesInTransaction(em)) {
      throw TenantWriteRefusedError.withoutTransaction(pastTenseOf(change));
    }
  }

  if (rules.options.domains !== undefined) {
    checkDomains(changeSets, rules, { isComplete: false });
    checkPostponedDomains(uow, rules);
  }
}

/** Checks what is about to be written, after the hooks of the entities: they may have set or changed names and hosts. */
export function checkWrites(changeSets: readonly ChangeSet<object>[], rules: TenantRules): void {
  for (const change of changesOf(changeSets, rules)) {
    refuseRowOfOther(change.entity, rules.config);
    checkChange(change, rules, { isComplete: true });
  }

  if (rules.options.domains !== undefined) {
    checkDomains(changeSets, rules, { isComplete: true });
  }
}

/** What a deadlock of a flush that creates, renames or deletes tenants is to the caller. Any other error as it is. */
export function explainTenantConflict(error: unknown, changeSets: readonly ChangeSet<object>[], { rules }: Flush): unknown {
  return changesOf(changeSets, rules).some(changesSchema) ? explainConflict(error) : error;
}

/** What a deadlock is to whoever changes a tenant. Any other error as it is, and one that is explained already. */
export function explainConflict(error: unknown): unknown {
  return isDeadlock(error) && !(error instanceof TenantError) ? new TenantConflictError({ cause: error }) : error;
}

/** Whether a hook of the user's own may set what a new tenant lacks. */
function hasCreateHooks(em: EntityManager, { hooks }: EntityMetadata): boolean {
  return (
    (hooks.beforeCreate?.length ?? 0) > 0 || [...em.getEventManager().getSubscribers()].some(subscriber => 'beforeCreate' in subscriber)
  );
}

function changesOf(changeSets: readonly ChangeSet<any>[], rules: TenantRules): readonly TenantChange[] {
  const changes: TenantChange[] = [];

  for (const { entity, meta, type, payload, originalEntity } of changeSets) {
    if (!rules.isTenantClass(meta)) {
      continue;
    }

    changes.push({
      entity,
      meta,
      action: ACTIONS[type],
      former: originalEntity?.['schemaName'],
      schemaName: payload['schemaName'],
      domainUrl: payload['domainUrl'],
      writeDomain: canonical => {
        entity.domainUrl = canonical;
        payload['domainUrl'] = canonical;
      },
    });
  }

  return changes;
}

/**
 * When several tenants change a unique property in one flush, MikroORM removes the value from the entity and the change set, and writes it
 * last. Until then, only the extra updates of the unit of work contain it.
 */
function postponedChangesOf(uow: UnitOfWork, rules: TenantRules): TenantChange[] {
  const postponed: TenantChange[] = [];

  for (const [entity, names, values, changeSet] of uow.getExtraUpdates()) {
    if (changeSet === undefined || !rules.isTenantClass(changeSet.meta) || !Array.isArray(names) || !Array.isArray(values)) {
      continue;
    }

    const written: unknown[] = values;
    const value = (name: string): unknown => written[names.indexOf(name)];
    postponed.push({
      entity: entity as Tenant,
      meta: changeSet.meta,
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

function checkChange(change: TenantChange, rules: TenantRules, { isComplete }: { readonly isComplete: boolean }): void {
  const { action, schemaName, domainUrl, former } = change;
  const { scope } = rules;

  if (scope?.kind === 'tenant' && changesSchema(change)) {
    throw new PublicContextRequiredError(pastTenseOf(change), scope.schemaName);
  }

  if (action === 'deleted') {
    return;
  }

  const isPublic = (schemaName ?? former) === rules.publicSchema;

  const mayBeSetLater = (value: unknown): boolean => !isComplete && value == null;

  if (isRenamed(change) || (action === 'created' && !isPublic && !mayBeSetLater(schemaName))) {
    rules.checkSchemaName(schemaName);
  }

  if ((action === 'created' && !mayBeSetLater(domainUrl)) || domainUrl !== undefined) {
    change.writeDomain(checkHost(domainUrl, rules, { isPublic }));
  }
}

/** Whether the change also affects the tenant's schema. */
function changesSchema(change: TenantChange): boolean {
  return change.action !== 'updated' || isRenamed(change);
}

function pastTenseOf({ action }: TenantChange): string {
  return action === 'updated' ? 'renamed' : action;
}

function isRenamed({ action, schemaName, former }: TenantChange): boolean {
  return action === 'updated' && schemaName !== undefined && schemaName !== former;
}

/** A change that a flush is about to make to one tenant. */
interface TenantChange {
  readonly entity: Tenant;
  readonly meta: EntityMetadata;
  readonly action: 'created' | 'updated' | 'deleted';
  /** The schema name that an existing row was loaded with. */
  readonly former: string | undefined;
  /** The new value. Undefined if it is not written. */
  readonly schemaName: unknown;
  readonly domainUrl: unknown;
  writeDomain(canonical: string): void;
}

const ACTIONS: Record<ChangeSetType, TenantChange['action']> = {
  [ChangeSetType.CREATE]: 'created',
  [ChangeSetType.UPDATE]: 'updated',
  [ChangeSetType.UPDATE_EARLY]: 'updated',
  [ChangeSetType.DELETE]: 'deleted',
  [ChangeSetType.DELETE_EARLY]: 'deleted',
};
