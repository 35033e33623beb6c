import { LockMode, wrap, type EntityMetadata } from '@mikro-orm/core';
import type { TenantDatabase } from '../database/tenant-database.js';
import { NOT_CACHED } from '../database/tenants-table.js';
import { PublicContextRequiredError, TenantConflictError, TenantError, UnknownTenantError } from '../errors/index.js';
import type { TenantEntityManager } from '../orm/tenant-entity-manager.js';
import { isDeletedName } from '../postgres/schema-name.js';
import { isDeadlock } from '../postgres/sql-state.js';
import { publicScope } from '../scope/make-scope.js';
import { refuseRowOfOther } from '../scope/same-database.js';
import type { TenantRules } from '../scope/tenant-rules.js';
import type { WrappedOrm } from '../scope/wrapped-orm.js';
import type { Tenancy } from '../tenancy.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';

/** What all parts of the tenant service use: the tenant's row under lock, and the public scope. */
export abstract class ServiceBase {
  /** @internal */
  protected readonly tenancy: Tenancy;
  /** @internal */
  protected readonly database: TenantDatabase;

  /** For `tenants()`, which makes it. */
  constructor(tenancy: Tenancy) {
    this.tenancy = tenancy;
    this.database = tenancy.database;
  }

  /** @internal The metadata of the tenants' entity. */
  get tenantMeta(): EntityMetadata<TenantMixin<unknown>> {
    return this.database.rules.tenantMeta;
  }

  /** @internal All entities that have a class of the user's. */
  get entities(): readonly EntityMetadata[] {
    return [...this.database.rules.metadata.getAll().values()].filter(meta => meta.pivotTable !== true && meta.abstract !== true);
  }

  /** @internal */
  get rules(): TenantRules {
    return this.database.rules;
  }

  /** @internal */
  get orm(): WrappedOrm {
    return this.database.orm;
  }

  /**
   * Loads the tenant's row and locks it until the transaction ends. An entity is looked up by its key, because its other values may be
   * outdated, or changed but not stored.
   *
   * @internal
   */
  protected async loadLocked(em: TenantEntityManager, tenant: TenantMixin<unknown> | string): Promise<TenantMixin<unknown>> {
    const where = typeof tenant === 'string' ? { schemaName: tenant } : this.#keyOf(tenant);
    const options = { lockMode: LockMode.PESSIMISTIC_WRITE, filters: false, ...NOT_CACHED } as const;
    // an entity that was never stored may have no key yet
    const row = where == null ? null : await em.findOne(this.database.options.tenant, where, options);

    if (row === null || isDeletedName(row.schemaName)) {
      throw new UnknownTenantError([typeof tenant === 'string' ? tenant : tenant.schemaName]);
    }

    return row;
  }

  /**
   * The schema name of a tenant as it is stored.
   *
   * @internal
   */
  protected async schemaNameOf(tenant: TenantMixin<unknown> | string): Promise<string> {
    const where = typeof tenant === 'string' ? { schemaName: tenant } : this.#keyOf(tenant);
    const [row] = where == null ? [] : await this.database.tenants.findAll(where);

    if (row === undefined) {
      throw new UnknownTenantError([typeof tenant === 'string' ? tenant : tenant.schemaName]);
    }

    return row.schemaName;
  }

  #keyOf(tenant: TenantMixin<unknown>): object | null | undefined {
    refuseRowOfOther(tenant, this.rules.config);

    return wrap(tenant, true).getPrimaryKey() as object | null | undefined;
  }

  /**
   * Runs a transaction that changes a tenant. Where it and another one have waited for each other it is tried again, as nothing of it is stored. The caller's
   * own transaction has failed then.
   *
   * @internal
   */
  protected inTransaction<Result>(action: string, fn: (tx: TenantEntityManager) => Promise<Result>): Promise<Result> {
    return this.tried(() => this.inPublic(action, em => em.transactional(fn)));
  }

  /**
   * The same of what begins its transaction by itself.
   *
   * @internal
   */
  protected async tried<Result>(run: () => Promise<Result>): Promise<Result> {
    const attempts = this.database.isInTransaction ? 1 : ATTEMPTS;

    for (let attempt = 1; ; attempt += 1) {
      try {
        return await run();
      } catch (error) {
        if (!isDeadlock(error)) {
          throw error;
        }

        if (attempt === attempts) {
          throw error instanceof TenantError ? error : new TenantConflictError({ cause: error });
        }
      }
    }
  }

  /** @internal */
  protected inPublic<Result>(action: string, fn: (em: TenantEntityManager) => Promise<Result>): Promise<Result> {
    const { rules } = this.tenancy;
    const { scope } = rules;

    if (scope?.kind === 'tenant') {
      throw new PublicContextRequiredError(action, scope.schemaName);
    }

    return rules.failures.during(() => this.tenancy.enter(publicScope(rules), fn));
  }
}

/** How often a change is tried that waits for others which wait for it. */
const ATTEMPTS = 5;
