import { helper, Utils, type EntityName } from '@mikro-orm/core';
import { TenantWriteRefusedError } from '../errors/index.js';
import { refuseForeignRelations } from '../entities/foreign-entities.js';
import { giveSchema } from '../entities/tenant-unit-of-work.js';
import { refuseSettingsInData } from '../entities/settings-in-data.js';
import { ownCopy } from '../entities/own-copies.js';
import { asData, upserting } from '../entities/upserted-entities.js';
import { updateTenants } from '../query/update-tenants.js';
import { isName, isTenantEntity } from '../tenant/entity-kinds.js';
import type { Others } from '../tenant/other-arguments.js';
import { TenantRules } from '../scope/tenant-rules.js';
import { isPlain, metaOf, refuseForeignArguments, refuseLoadedOfOther, type GuardedEntityManager } from './given-entities.js';
import type { Args, OpenEntityManagerClass } from './open-entity-manager.js';

/**
 * The methods of an EntityManager that write entities or create them. None accepts an entity of another tenant. The methods that bypass the
 * unit of work refuse to write tenants, because no schema would be created, renamed or dropped with the row.
 */
export function guardWrites(EntityManagerOfMikro: OpenEntityManagerClass): OpenEntityManagerClass {
  return class GuardedWrites extends EntityManagerOfMikro {
    override async insert(...[entity, data, options, ...rest]: Args<'insert'>) {
      refuseTenantWrite(this, 'em.insert()', 'em.persistAndFlush(…)', entity);

      if (isPlain(this, data ?? entity, options?.schema)) {
        return super.insert(entity, data, options, ...rest);
      }

      refuseForeignArguments(this, asData(data ?? entity), options?.schema, entity);
      refuseForeignNew(this, [data ?? entity]);

      return super.insert(entity, ownCopy(data), options, ...rest);
    }

    override async insertMany(...[entities, data, options, ...rest]: Args<'insertMany'>) {
      refuseTenantWrite(this, 'em.insertMany()', 'em.persistAndFlush([…])', entities);

      if (isPlain(this, data ?? entities, options?.schema)) {
        return super.insertMany(entities, data, options, ...rest);
      }

      refuseForeignArguments(this, asData(data ?? entities), options?.schema, entities);
      refuseForeignNew(this, data ?? entities);

      return super.insertMany(entities, ownCopy(data), options, ...rest);
    }

    override async upsert(...[entity, data, options, ...rest]: Args<'upsert'>) {
      refuseTenantWrite(this, 'em.upsert()', 'em.findOne() and em.persistAndFlush(…)', entity);

      if (isPlain(this, data ?? entity, options?.schema)) {
        return super.upsert(entity, data, options, ...rest);
      }

      refuseForeignArguments(this, asData(data ?? entity), options?.schema, entity);
      giveSchemaTo(data ?? entity, this, options);

      return upserting(data ?? entity, options?.schema, async () => super.upsert(entity, ownCopy(data), options, ...rest));
    }

    override async upsertMany(...[entities, data, options, ...rest]: Args<'upsertMany'>) {
      refuseTenantWrite(this, 'em.upsertMany()', 'em.find() and em.persistAndFlush([…])', entities);

      if (isPlain(this, data ?? entities, options?.schema)) {
        return super.upsertMany(entities, data, options, ...rest);
      }

      refuseForeignArguments(this, asData(data ?? entities), options?.schema, entities);

      for (const each of options?.schema === undefined ? [] : (data ?? (entities as object[]))) {
        giveSchemaTo(each, this, options);
      }

      return upserting(data ?? entities, options?.schema, async () => super.upsertMany(entities, ownCopy(data), options, ...rest));
    }

    override async clone(...args: Args<'clone'>) {
      const [entity, ...rest] = args;
      const options: SchemaOption | undefined = rest[isName(entity) ? 2 : 1];
      refuseTenantWrite(this, 'em.clone()', 'em.persistAndFlush(…)', entity);
      refuseForeignArguments(this, [entity, rest[0], rest[1]], options?.schema, entity);

      return super.clone(...args);
    }

    override async nativeDelete(...args: Args<'nativeDelete'>) {
      refuseTenantWrite(this, 'em.nativeDelete()', 'em.removeAndFlush(…)', args[0]);

      return super.nativeDelete(...args);
    }

    override async nativeUpdate(...[entity, where, data, options = {}, ...rest]: Args<'nativeUpdate'>) {
      const isTenants = isTenantsEntity(this, entity);

      if (!isTenants && isPlain(this, data, options.schema)) {
        return super.nativeUpdate(entity, where, data, options, ...rest);
      }

      refuseForeignArguments(this, [data], options.schema, entity);

      if (!isTenants) {
        return super.nativeUpdate(entity, where, ownCopy(data), options, ...rest);
      }

      if (TenantRules.of(this.config).hasIdentity(data)) {
        throw new TenantWriteRefusedError('em.nativeUpdate()', 'em.flush() on the loaded tenant');
      }

      return updateTenants(this.getContext(false), options, ctx =>
        super.nativeUpdate(entity, where, ownCopy(data), { ...options, ctx }, ...rest),
      );
    }

    override merge(...args: Args<'merge'>) {
      const entity = args[0];
      const isNamed = isName(entity);
      const options: SchemaOption | undefined = args[isNamed ? 2 : 1];
      refuseForeignArguments(this, isNamed ? [args[1]] : [entity, args[1]], options?.schema, entity);
      refuseLoadedOfOther(this, entity, options?.schema);
      giveSchemaTo(isNamed ? args[1] : entity, this, options);

      return super.merge(...args);
    }

    override create(
      entityName: Args<'create'>[0],
      data: Args<'create'>[1],
      options?: Args<'create'>[2],
      ...rest: Others<Args<'create'>, 3>
    ) {
      refuseForeignArguments(this, [data], options?.schema, entityName);
      refuseSettingsInData(data, this.getMetadata().find(entityName), TenantRules.of(this.config));

      return super.create(entityName, data, options as Args<'create'>[2], ...rest);
    }

    override assign(entity: Args<'assign'>[0], data: Args<'assign'>[1], options?: Args<'assign'>[2], ...rest: Others<Args<'assign'>, 3>) {
      const { __meta: meta, __schema: schema } = helper(entity);
      refuseForeignArguments(this, [data], schema, entity);
      refuseSettingsInData(data, meta, TenantRules.of(this.config));

      return super.assign(
        entity,
        data,
        isTenantEntity(meta.root) ? options : withOwnSchema(options, this.getContext(false).schema),
        ...rest,
      );
    }
  };
}

/** What data for a shared entity makes of tenants' entities is the EntityManager's: MikroORM would make it in the schema of the shared one. */
function withOwnSchema<Options extends SchemaOption>(options: Options | undefined, schema: string | undefined): Options | undefined {
  return schema === undefined || options?.schema !== undefined ? options : ({ ...options, schema } as Options);
}

/** Puts a new entity into the tenant that the options name. One of the EntityManager's own tenant gets its schema from its unit of work. */
function giveSchemaTo(entity: unknown, em: GuardedEntityManager, options: SchemaOption | undefined): void {
  if (options?.schema !== undefined && Utils.isEntity<object>(entity)) {
    giveSchema(entity, { config: em.config, schema: options.schema, getMetadata: () => em.getMetadata() });
  }
}

/** What `refuseForeignArguments` does not look at: new entities in an EntityManager without a tenant. */
function refuseForeignNew(em: GuardedEntityManager, entities: unknown): void {
  if (em.getContext(false).schema === undefined && Array.isArray(entities)) {
    entities.forEach(each => refuseForeignRelations(each, em.config));
  }
}

function refuseTenantWrite(
  em: GuardedEntityManager,
  method: string,
  instead: string,
  entity: EntityName | object | readonly object[],
): void {
  if (isTenantsEntity(em, entity)) {
    throw new TenantWriteRefusedError(method, instead);
  }
}

function isTenantsEntity(em: GuardedEntityManager, entity: EntityName | object | readonly object[]): boolean {
  const first: object | undefined = Array.isArray(entity) ? entity[0] : entity;
  const meta = first === undefined ? undefined : metaOf(em, first);

  return meta !== undefined && TenantRules.of(em.config).isTenantClass(meta);
}

interface SchemaOption {
  readonly schema?: string | undefined;
}
