import type { EntityMetadata } from '@mikro-orm/core';
import { forTenant } from '../connection/sql-target.js';
import { guardKysely } from '../query/kysely-schemas.js';
import { readInScope } from '../scope/read-in-scope.js';
import { currentScope } from '../scope/scope.js';
import { tenantSchema } from '../scope/tenant-schema.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import { TenantRules } from '../scope/tenant-rules.js';
import type { Args, OpenEntityManagerClass, Result } from './open-entity-manager.js';
import { callOnPath, refreshViewSql } from './tenant-routines.js';

/** The methods of an EntityManager that run the user's SQL or build the user's queries. Both are for the EntityManager's own tenant. */
export function guardSql(EntityManagerOfMikro: OpenEntityManagerClass): OpenEntityManagerClass {
  return class GuardedSql extends EntityManagerOfMikro {
    // the EntityManager of now, as the query may be built or run in another scope
    override createQueryBuilder(...args: Args<'createQueryBuilder'>): Result<'createQueryBuilder'> {
      const em = this.getContext(false);

      return em === this ? super.createQueryBuilder(...args) : em.createQueryBuilder(...args);
    }

    // a generator starts at its first read, which may be in another scope or in none
    override stream(...args: Args<'stream'>): Result<'stream'> {
      const em = this.getContext(false);

      return em === this
        ? readInScope(super.stream(...args) as Generated<Result<'stream'>>, currentScope(TenantRules.of(this.config)))
        : em.stream(...args);
    }

    override async execute(...args: Args<'execute'>) {
      const em = this.getContext(false);

      if (em.schema === undefined) {
        return super.execute(...args);
      }

      const rules = TenantRules.of(this.config);
      const schemaName = tenantSchema('Raw SQL', em.schema, rules.scope, rules);

      return forTenant(rules, schemaName, () => super.execute(...args));
    }

    // what reads or writes without a query builder of the user's comes here; there may be raw SQL among its values
    override async withSessionContext(...args: Args<'withSessionContext'>) {
      return forTenant(TenantRules.of(this.config), this.getContext(false).schema, () => super.withSessionContext(...args));
    }

    override getKysely(...args: Args<'getKysely'>) {
      const em = this.getContext(false);
      const rules = TenantRules.of(this.config);

      return guardKysely(super.getKysely(...args), { schema: em.schema }, { rules, scope: rules.scope });
    }

    override async callRoutine(...args: Args<'callRoutine'>) {
      const [routine, given] = args;
      const em = this.getContext(false);
      const readsNoTenant = em.schema === undefined && !isTenantEntity(routine as Pick<EntityMetadata, 'schema'>);

      return readsNoTenant || !this.config.hasRoutine(routine) ? super.callRoutine(...args) : callOnPath(em, routine, given);
    }

    // not every EntityManager of MikroORM's has it
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

/** MikroORM declares its streams as iterators; each is a generator. */
type Generated<Stream> = Stream extends AsyncIterableIterator<infer Item> ? AsyncGenerator<Item> : never;
