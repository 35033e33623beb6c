import { helper, type EntityLoader, type EntityMetadata, type EntityName } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import { guardCollections, guardLoader, loadInSchema, refreshInSchema, refuseUnlessLoaded, schemaOf } from '../entities/lazy-loading.js';
import { callOnPath, refreshViewSql } from './tenant-routines.js';

type EntityManagerClass = new (...args: any[]) => SqlEntityManager;

/** The part of the EntityManager with tenants that loads what belongs to entities which are there already, and what is no entity's. */
export function extendLoading<Base extends EntityManagerClass>(EntityManagerOfMikro: Base): Base {
  class LoadingEntityManager extends EntityManagerOfMikro {
    override async populate(entities: any, populate: any, options: any = {}): Promise<any> {
      const em = this.getContext();
      const schema = options.schema ?? em.schema ?? schemaOf(entities);
      refuseUnlessLoaded(em, entities, { populate, schema });

      return super.populate(entities, populate, { ...options, schema });
    }

    override async refresh(entity: any, options: any = {}): Promise<any> {
      const em = this.getContext();
      const { __meta, __schema } = helper(entity);
      const isElsewhere = isTenantEntity(__meta.root) && (options.schema ?? __schema) !== em.schema;

      return isElsewhere ? refreshInSchema(em, entity, options) : super.refresh(entity, options);
    }

    override getEntityLoader(): EntityLoader {
      return guardLoader(super.getEntityLoader(), this.getContext());
    }

    override async getDataLoader(type: any): Promise<any> {
      return loadInSchema(await super.getDataLoader(type), this.getContext());
    }

    override async callRoutine(routine: any, args: any): Promise<any> {
      const em = this.getContext(false);
      const readsNoTenant = em.schema === undefined && !isTenantEntity(routine as EntityMetadata);

      return readsNoTenant || !this.config.hasRoutine(routine) ? super.callRoutine(routine, args) : callOnPath(em, routine, args);
    }

    // not every EntityManager of MikroORM's has it
    async refreshMaterializedView(entityName: EntityName, options?: { readonly concurrently?: boolean }): Promise<void> {
      const meta = this.getMetadata(entityName);

      if (!isTenantEntity(meta) || meta.materialized !== true) {
        return (super['refreshMaterializedView' as never] as any)(entityName, options);
      }

      await this.execute(refreshViewSql(this.getContext(false), meta, options?.concurrently));
    }
  }

  guardCollections();

  return LoadingEntityManager;
}
