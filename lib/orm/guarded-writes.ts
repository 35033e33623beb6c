import { helper, type EntityName } from '@mikro-orm/core';
import { TenantWriteRefusedError } from '../errors/index.js';
import { updateTenants } from '../query/update-tenants.js';
import { isName } from '../tenant/entity-kinds.js';
import { TenantRules } from '../scope/tenant-rules.js';
import { metaOf, refuseGiven, type GuardedEntityManager } from './given-entities.js';
import type { Args, OpenEntityManagerClass } from './open-entity-manager.js';

/**
 * The methods of an EntityManager that write entities, or make entities to be written later. None accepts an entity of another tenant.
 * Those that bypass the unit of work refuse to write tenants, whose schemas would not follow their rows.
 */
export function guardWrites(EntityManagerOfMikro: OpenEntityManagerClass): OpenEntityManagerClass {
  return class GuardedWrites extends EntityManagerOfMikro {
    override async insert(...args: Args<'insert'>) {
      const [entity, data, options] = args;
      refuseTenants(this, 'em.insert()', 'em.persistAndFlush(…)', entity);
      refuseGiven(this, [entity, data], options?.schema, entity);

      return super.insert(...args);
    }

    override async insertMany(...args: Args<'insertMany'>) {
      const [entities, data, options] = args;
      refuseTenants(this, 'em.insertMany()', 'em.persistAndFlush([…])', entities);
      refuseGiven(this, [entities, data], options?.schema, entities);

      return super.insertMany(...args);
    }

    override async upsert(...args: Args<'upsert'>) {
      const [entity, data, options] = args;
      refuseTenants(this, 'em.upsert()', 'em.findOne() and em.persistAndFlush(…)', entity);
      refuseGiven(this, [entity, data], options?.schema, entity);

      return super.upsert(...args);
    }

    override async upsertMany(...args: Args<'upsertMany'>) {
      const [entities, data, options] = args;
      refuseTenants(this, 'em.upsertMany()', 'em.find() and em.persistAndFlush([…])', entities);
      refuseGiven(this, [entities, data], options?.schema, entities);

      return super.upsertMany(...args);
    }

    override async clone(...args: Args<'clone'>) {
      const [entity, ...rest] = args;
      const options: SchemaOption | undefined = rest[isName(entity) ? 2 : 1];
      refuseTenants(this, 'em.clone()', 'em.persistAndFlush(…)', entity);
      refuseGiven(this, [entity, rest[0], rest[1]], options?.schema, entity);

      return super.clone(...args);
    }

    override async nativeDelete(...args: Args<'nativeDelete'>) {
      refuseTenants(this, 'em.nativeDelete()', 'em.removeAndFlush(…)', args[0]);

      return super.nativeDelete(...args);
    }

    override async nativeUpdate(...[entity, where, data, options = {}, ...rest]: Args<'nativeUpdate'>) {
      if (TenantRules.of(this.config).hasIdentity(data)) {
        refuseTenants(this, 'em.nativeUpdate()', 'em.flush() on the loaded tenant', entity);
      }

      refuseGiven(this, [data], options.schema, entity);
      const update = (given: object): Promise<number> => super.nativeUpdate(entity, where, data, { ...options, ...given }, ...rest);

      return isOfTenants(this, entity) ? updateTenants(this.getContext(false), options, ctx => update({ ctx })) : update({});
    }

    override merge(...args: Args<'merge'>) {
      const [entity, ...rest] = args;
      const options: SchemaOption | undefined = rest[isName(entity) ? 1 : 0];
      refuseGiven(this, [entity, rest[0]], options?.schema, entity);

      return super.merge(...args);
    }

    override create(...args: Args<'create'>) {
      const [entityName, data, options] = args;
      refuseGiven(this, [data], options?.schema, entityName);

      return super.create(...args);
    }

    override assign(...args: Args<'assign'>) {
      const [entity, data] = args;
      refuseGiven(this, [data], helper(entity).__schema, entity);

      return super.assign(...args);
    }
  };
}

function refuseTenants(em: GuardedEntityManager, method: string, instead: string, entity: EntityName | object | readonly object[]): void {
  if (isOfTenants(em, entity)) {
    throw new TenantWriteRefusedError(method, instead);
  }
}

function isOfTenants(em: GuardedEntityManager, entity: EntityName | object | readonly object[]): boolean {
  const first: object | undefined = Array.isArray(entity) ? entity[0] : entity;
  const meta = first === undefined ? undefined : metaOf(em, first);

  return meta !== undefined && TenantRules.of(em.config).isTenantClass(meta);
}

interface SchemaOption {
  readonly schema?: string | undefined;
}
