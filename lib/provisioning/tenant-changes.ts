import { ChangeSetType, type ChangeSet, type UnitOfWork } from '@mikro-orm/core';
import { checkFlush, type Flush } from '../entities/flush-check.js';
import { InvalidDomainError, PublicContextRequiredError, ReservedDomainError, TenantWriteRefusedError } from '../errors/index.js';
import type { TenantRules } from '../scope/tenant-rules.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';

type Tenant = TenantMixin<unknown>;

/**
 * Refuses a flush that is not of one tenant, and what it may not do to tenants. Stores their hosts in canonical form. To be called before
 * the flush's transaction begins.
 */
export function checkFlushOfTenants(flush: Flush): void {
  const { uow, em, rules } = flush;
  checkFlush(flush);

  for (const change of [...changesOf(uow, rules), ...postponedChangesOf(uow, rules)]) {
    checkChange(change, rules);

    // where MikroORM is told to begin no transactions, the flush is in one only if the caller has begun it
    if (isOfSchema(change) && !em.isInTransaction() && !em.config.get('implicitTransactions')) {
      throw TenantWriteRefusedError.withoutTransaction(wordFor(change));
    }
  }
}

function changesOf(uow: UnitOfWork, rules: TenantRules): TenantChange[] {
  return uow
    .getChangeSets()
    .filter(({ meta }) => rules.isTenantClass(meta))
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

function checkChange(change: TenantChange, rules: TenantRules): void {
  const { action, schemaName, domainUrl, former } = change;
  const { scope } = rules;

  if (scope?.kind === 'tenant' && isOfSchema(change)) {
    throw new PublicContextRequiredError(wordFor(change), scope.schemaName);
  }

  if (action === 'deleted') {
    return;
  }

  const isPublic = (schemaName ?? former) === rules.publicSchema;

  if (isRenamed(change) || (action === 'created' && !isPublic)) {
    rules.checkSchemaName(schemaName);
  }

  if (action === 'created' || domainUrl !== undefined) {
    change.writeDomain(checkDomain(domainUrl, isPublic, rules));
  }
}

/** Whether the change is one of the tenant's schema too. */
function isOfSchema(change: TenantChange): boolean {
  return change.action !== 'updated' || isRenamed(change);
}

function wordFor({ action }: TenantChange): string {
  return action === 'updated' ? 'renamed' : action;
}

function isRenamed({ action, schemaName, former }: TenantChange): boolean {
  return action === 'updated' && schemaName !== undefined && schemaName !== former;
}

function checkDomain(domainUrl: unknown, isPublic: boolean, rules: TenantRules): string {
  const canonical = typeof domainUrl === 'string' ? rules.canonicalHost(domainUrl) : undefined;

  if (canonical === undefined) {
    throw new InvalidDomainError(domainUrl);
  }

  if (rules.isPublicHost(canonical) && !isPublic) {
    throw new ReservedDomainError(canonical);
  }

  return canonical;
}

/** What a flush is about to do to one tenant. */
interface TenantChange {
  readonly entity: Tenant;
  readonly action: 'created' | 'updated' | 'deleted';
  /** The schema name in the rules, of a row that is there. */
  readonly former: string | undefined;
  /** What is about to be written; what is not written is undefined. */
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
