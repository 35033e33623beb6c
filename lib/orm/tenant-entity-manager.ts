import { EntityManager as MikroEntityManager } from '@mikro-orm/core';
import { BasePostgreSqlEntityManager, SqlEntityManager } from '@mikro-orm/postgresql';
import { forTenant } from '../connection/statements/sql-target.js';
import { explainFlushError } from '../entities/flush-errors.js';
import { giveTenantToFactory } from '../entities/tenant-entity-factory.js';
import { giveTenantTo } from '../entities/tenant-unit-of-work.js';
import type { Scope } from '../scope/scope.js';
import type { TenantEntityManagerMethods } from '../scope/wrapped-orm.js';
import { tenantOfEm } from '../scope/tenant-of-em.js';
import { TenantRules } from '../scope/tenant-rules.js';
import type { Others } from '../tenant/other-arguments.js';
import { presentAs } from './entity-manager-class.js';
import { OF_ITSELF } from './fork-options.js';
import { contextBeside, explainGlobal, hiddenByOther, ofScope } from './other-orms.js';
import { guardCache } from './guarded-cache.js';
import { guardFilters } from './guarded-filters.js';
import { guardReads } from './guarded-reads.js';
import { guardSql } from './guarded-sql.js';
import { guardWrites } from './guarded-writes.js';
import { explainLostTenant } from './lost-tenants.js';
import type { Args, OpenEntityManagerClass } from './open-entity-manager.js';

/**
 * The EntityManager of `withTenants`. A fork belongs to the scope that it was created in. An entity, a query or a stream that is used after
 * that scope still works for its own tenant, or is refused. It never uses another tenant's EntityManager.
 */
export function extendEntityManager<Base extends new (...args: never[]) => SqlEntityManager>(
  EntityManagerClass: Base,
  // `any[]`: TypeScript lets a class extend an intersection of constructors only with this signature
): Base & (new (...args: any[]) => TenantEntityManagerMethods) {
  const Guarded = guardCache(guardSql(guardWrites(guardReads(guardFilters(EntityManagerClass as unknown as OpenEntityManagerClass)))));

  // one of the user's own may find another
  const isMikroContext = Guarded.prototype.getContext === MikroEntityManager.prototype.getContext;

  class ScopedEntityManager extends Guarded implements TenantEntityManagerMethods {
    // not a private field: the base constructor calls `getContext()` before fields exist
    declare boundScope: Scope | undefined;
    /** The filters that it has been given, and its parameters for filters. */
    declare given: unknown;
    declare isMade: true | undefined;
    /** Whether it is always its own context. */
    declare isOwnContext: boolean;
    /** Whether it is the only EntityManager of its scope. Then no context can have another one that it would give way to. */
    declare isOnlyOfScope: boolean;

    constructor(...args: ConstructorParameters<OpenEntityManagerClass>) {
      super(...args);
      giveTenantTo(this.getUnitOfWork(false), this);
      giveTenantToFactory(this.getEntityFactory(), this);
      // all that a fork is given later, so that it stays of one shape
      this.given = undefined;
      this.boundScope = undefined;
      this.isMade = true;
      this.isOnlyOfScope = false;
      this.isOwnContext = args[USE_CONTEXT] === false && isMikroContext;
    }

    bindToScope(scope: Scope): void {
      const first = scope.em as ScopedEntityManager | undefined;
      this.boundScope = scope;
      this.isOnlyOfScope = isMikroContext && first === undefined;

      if (first !== undefined) {
        first.isOnlyOfScope = false;
      }

      this.schema = scope.kind === 'tenant' ? scope.schemaName : undefined;
    }

    async persistAndFlush(entities: object | Iterable<object>): Promise<void> {
      await this.persist(entities).flush();
    }

    async removeAndFlush(entities: object | Iterable<object>): Promise<void> {
      await this.remove(entities).flush();
    }

    // every method of MikroORM calls this for the EntityManager to use
    override getContext(validate?: Args<'getContext'>[0], ...rest: Others<Args<'getContext'>, 1>): this & BasePostgreSqlEntityManager {
      // what it is made of is its own, whatever the context that it is made in
      if (this.isMade === undefined || ((this.isOwnContext || this.isOnlyOfScope) && !this.global)) {
        return this as typeof this & BasePostgreSqlEntityManager;
      }

      const own = this.global && isMikroContext ? ofScope(this as unknown as BasePostgreSqlEntityManager) : undefined;

      if (own !== undefined) {
        return own as typeof this & BasePostgreSqlEntityManager;
      }

      const hidden = this.global ? hiddenByOther(this as unknown as BasePostgreSqlEntityManager) : undefined;

      if (hidden !== undefined) {
        return hidden as typeof this & BasePostgreSqlEntityManager;
      }

      let found: this & BasePostgreSqlEntityManager;

      try {
        found = super.getContext(validate, ...rest);
      } catch (error) {
        throw explainGlobal(error);
      }

      // contexts are found by name, and two ORMs may have the same
      const em =
        found.config === this.config
          ? found
          : (contextBeside(this as unknown as BasePostgreSqlEntityManager, validate ?? true) as typeof found);

      return this.global || em.boundScope === this.boundScope ? em : (this as typeof em);
    }

    override fork(options?: Args<'fork'>[0], ...rest: Others<Args<'fork'>, 1>) {
      const isResolved = options?.disableContextResolution === true;
      const em = isResolved ? this : this.getContext(false);
      const schema = options?.schema;
      // asked once, where MikroORM and each guard would ask again
      const given =
        isResolved || em !== (this as object)
          ? options
          : options === undefined
            ? OF_ITSELF
            : { ...options, disableContextResolution: true };
      // a context may have the fork in its place
      em.isOnlyOfScope = false;

      if (schema !== undefined && schema !== em.schema) {
        refuseSharedSchema(schema, TenantRules.of(this.config));
      }

      const fork = forkGuarded(() => super.fork(given, ...rest));
      fork.boundScope = em.boundScope;

      return fork;
    }

    // MikroORM writes into the options which transaction they were used in first, and would begin the next one in that, whosever it is
    override async transactional(...[work, options, ...rest]: Args<'transactional'>) {
      const { failures } = TenantRules.of(this.config);
      const run = (): Promise<any> => super.transactional(work, { ...options }, ...rest);

      try {
        // its commit may be what fails
        return await (failures.tell === undefined ? run() : failures.during(run));
      } catch (error) {
        throw await explainLostTenant(() => this.getContext(false), error);
      }
    }

    override async flush(...args: Args<'flush'>) {
      try {
        const rules = TenantRules.of(this.config);
        const flush = (): Promise<void> => forTenant(rules, tenantOfEm(this.getContext(false)), () => super.flush(...args));
        await (rules.failures.tell === undefined ? flush() : rules.failures.during(flush));
      } catch (error) {
        const explained = explainFlushError(error, TenantRules.of(this.config));
        throw explained === error ? await explainLostTenant(() => this.getContext(false), error) : explained;
      }
    }
  }

  const forkGuarded = presentAs(ScopedEntityManager, EntityManagerClass);

  return ScopedEntityManager as never;
}

/** The index of `useContext` in the arguments of an EntityManager's constructor. */
const USE_CONTEXT = 3;

/** The schema of a fork names a tenant. */
function refuseSharedSchema(schema: string, rules: TenantRules): void {
  if (schema !== rules.publicSchema && rules.sharedSchemas.has(schema)) {
    rules.checkSchemaName(schema);
  }
}

/** MikroORM's EntityManager for PostgreSQL, with tenants. The EntityManagers of every ORM with tenants are instances of it. */
export class TenantEntityManager extends extendEntityManager(BasePostgreSqlEntityManager) {}

// they extend the class of MikroORM's or the user's that the config names, and not this one
Object.defineProperty(TenantEntityManager, Symbol.hasInstance, {
  value(this: object, value: unknown): boolean {
    // a class that extends this one has this method too
    return this === TenantEntityManager
      ? value instanceof SqlEntityManager && 'bindToScope' in value
      : Function.prototype[Symbol.hasInstance].call(this, value);
  },
});
