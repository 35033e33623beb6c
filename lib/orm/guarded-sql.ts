import { forTenant } from '../connection/statements/sql-target.js';
import { asData, currentUpsert } from '../entities/upserted-entities.js';
import { guardKysely } from '../query/kysely-schemas.js';
import { readInScope } from '../scope/read-in-scope.js';
import type { TenantRef } from '../scope/tenant-identity.js';
import { scopedEm, tenantOfEm } from '../scope/tenant-of-em.js';
import { isInnermost } from '../scope/scope.js';
import { tenantSchema } from '../scope/tenant-schema.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import { TenantRules } from '../scope/tenant-rules.js';
import type { Others } from '../tenant/other-arguments.js';
import { connectionForTenant } from './connection-of-em.js';
import { refuseForeignArguments } from './given-entities.js';
import type { Args, OpenEntityManager, OpenEntityManagerClass, Result } from './open-entity-manager.js';
import { callInTenant, isOfTenants, refreshViewSql } from './tenant-routines.js';

/** The methods of an EntityManager that run SQL or build queries of the user. All of them run for the EntityManager's own tenant. */
export function guardSql(EntityManagerOfMikro: OpenEntityManagerClass): OpenEntityManagerClass {
  return class GuardedSql extends EntityManagerOfMikro {
    // uses the current EntityManager, because the query may be run in another scope
    override createQueryBuilder(...args: Args<'createQueryBuilder'>): Result<'createQueryBuilder'> {
      const em = this.getContext(false);

      return em === this ? super.createQueryBuilder(...args) : em.createQueryBuilder(...args);
    }

    // a generator starts at its first read, which may happen in another scope or outside any scope
    override stream(...args: Args<'stream'>): Result<'stream'> {
      const em = this.getContext(false);

      if (em !== this) {
        return em.stream(...args);
      }

      const rules = TenantRules.of(this.config);
      const [entityName, options, ...rest] = args;
      // MikroORM passes the EntityManager to the function of a virtual entity when it finds, but not when it streams
      const given = this.getMetadata().find(entityName)?.virtual === true ? ({ ...options, em } as typeof options) : options;

      return forTenant(rules, tenantOfEm(em), () =>
        readInScope(super.stream(entityName, given, ...rest) as Generated<Result<'stream'>>, rules.scope),
      );
    }

    // all reads and writes without a query builder of the user call this. Their values may contain raw SQL
    override withSessionContext(
      ctx: Args<'withSessionContext'>[0],
      work: Args<'withSessionContext'>[1],
      ...rest: Others<Args<'withSessionContext'>, 2>
    ): Result<'withSessionContext'> {
      const tenant = tenantOfEm(this.getContext(false));
      const upsert = currentUpsert();

      try {
        if (upsert !== undefined) {
          refuseForeignArguments(this, asData(upsert.entities), upsert.schema, upsert.entities[0]);
        }
      } catch (error) {
        return Promise.reject(error);
      }

      // most are run in the scope that they are for, where nothing has to be set
      if (isInnermost(tenant, this.config)) {
        return super.withSessionContext(ctx, work, ...rest);
      }

      // oxlint-disable-next-line typescript/unbound-method -- it is called on this EntityManager
      return runFor(this, tenant, super.withSessionContext, [ctx, work, ...rest]);
    }

    // `em.execute()` sends with it, and each transaction begins with it
    override getConnection(...args: Args<'getConnection'>): Result<'getConnection'> {
      const connection = super.getConnection(...args);
      const em = this.getContext(false);
      const tenant = tenantOfEm(em);

      if (tenant === undefined || isInnermost(tenant, this.config)) {
        return connection;
      }

      const rules = TenantRules.of(this.config);

      return connectionForTenant(connection, scopedEm(em), { rules, scope: rules.scope });
    }

    override getKysely(...args: Args<'getKysely'>) {
      const em = this.getContext(false);
      const rules = TenantRules.of(this.config);

      return guardKysely(super.getKysely(...args), scopedEm(em), { rules, scope: rules.scope });
    }

    // `withSessionContext` says on whose path its body is run
    override async callRoutine(...args: Args<'callRoutine'>) {
      const [routine, given] = args;
      const em = this.getContext(false);
      const rules = TenantRules.of(this.config);

      if (em.schema !== undefined) {
        tenantSchema('Raw SQL', em.schema, rules.scope, rules);
      }

      return isOfTenants(routine) && this.config.hasRoutine(routine)
        ? em.withSessionContext(em.getTransactionContext(), ctx => callInTenant(em, routine, { given, ctx }))
        : super.callRoutine(...args);
    }

    // only some of MikroORM's EntityManagers have this method
    override async refreshMaterializedView(...args: Args<'refreshMaterializedView'>) {
      const [entityName, options] = args;
      const meta = this.getMetadata(entityName);

      if (!isTenantEntity(meta) || meta.materialized !== true) {
        return super.refreshMaterializedView(...args);
      }

      await this.execute(refreshViewSql(this.getContext(false), meta, options?.concurrently));
    }
  };
}

// a closure in the method itself would cost every call something
function runFor<Given extends unknown[], Answer>(
  em: OpenEntityManager,
  tenant: TenantRef | undefined,
  method: (...args: Given) => Answer,
  args: Given,
): Answer {
  return forTenant(TenantRules.of(em.config), tenant, () => method.apply(em, args));
}

/** MikroORM declares its streams as iterators; each is a generator. */
type Generated<Stream> = Stream extends AsyncIterableIterator<infer Item> ? AsyncGenerator<Item> : never;
