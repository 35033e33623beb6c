import { helper, Utils } from '@mikro-orm/core';
import { guardCollections, guardLoader, loadInSchema, refreshInSchema, refuseUnlessLoaded, schemaOf } from '../entities/lazy-loading.js';
import { withAskingSchema, refuseForeignCollections } from '../entities/shared-relations.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import { TenantRules } from '../scope/tenant-rules.js';
import { refuseGiven } from './given-entities.js';
import type { Args, OpenEntityManagerClass } from './open-entity-manager.js';

/** The methods of an EntityManager that read entities, by a condition or by entities that are loaded already. */
export function guardReads(EntityManagerOfMikro: OpenEntityManagerClass): OpenEntityManagerClass {
  guardCollections();

  return class GuardedReads extends EntityManagerOfMikro {
    // each condition of a read, an update or a delete comes here before it is reduced to keys
    override async processWhere(...args: Args<'processWhere'>) {
      const [entityName, where, options] = args;
      refuseGiven(this, [where, options.populateWhere, options.filters], options.schema, entityName);

      return super.processWhere(...args);
    }

    // an entity that is in the identity map is found without a condition
    override async findOne(...[entityName, where, options = {}, ...rest]: Args<'findOne'>) {
      refuseGiven(this, [where], options.schema, entityName);
      const meta = this.getMetadata().find(entityName);
      // where the identity map has a shared entity, whichever tenant's EntityManager asks
      const schema = meta === undefined || isTenantEntity(meta.root) ? undefined : meta.schema;

      return super.findOne(entityName, where, schema === undefined ? options : { schema, ...options }, ...rest);
    }

    // `Collection.matching()` comes here with the caller's options, and takes them to the driver without a schema
    override async preparePopulate(...args: Args<'preparePopulate'>) {
      const [entityName, options] = args as [Args<'preparePopulate'>[0], SchemaOption];
      const own = this.getContext(false).schema;
      const meta = this.getMetadata().find(entityName);
      options.schema = withAskingSchema(meta, options, own).schema ?? own;
      const populate = await super.preparePopulate(...args);

      if (options.schema !== own) {
        const rules = TenantRules.of(this.config);
        refuseForeignCollections(meta, populate, { wanted: options.schema, own, rules, scope: rules.scope });
      }

      return populate;
    }

    override async populate(...[entities, populate, given = {}, ...rest]: Args<'populate'>) {
      refuseGiven(this, [entities], given.schema);
      const em = this.getContext();
      const [first]: object[] = Utils.asArray(entities);
      const options = first === undefined ? given : withAskingSchema(this.getMetadata().find(first.constructor), given, em.schema);

      if (first !== undefined && options.schema !== undefined && populate !== false) {
        const { schema, strategy } = options;
        await this.preparePopulate(first.constructor, { populate, schema, strategy } as Args<'preparePopulate'>[1], options.validate);
      }

      const schema = options.schema ?? em.schema ?? schemaOf(entities);
      refuseUnlessLoaded(em, entities, { populate, schema });

      return super.populate(entities, populate, schema === undefined ? options : { ...options, schema }, ...rest);
    }

    override async refresh(...args: Args<'refresh'>) {
      const [entity, options = {}] = args;
      const em = this.getContext();
      const { __meta, __schema } = helper(entity);
      const isElsewhere = isTenantEntity(__meta.root) && (options.schema ?? __schema) !== em.schema;

      return isElsewhere ? refreshInSchema(em, entity, options) : super.refresh(...args);
    }

    override getEntityLoader(...args: Args<'getEntityLoader'>) {
      return guardLoader(super.getEntityLoader(...args), this.getContext());
    }

    override async getDataLoader(...args: Args<'getDataLoader'>) {
      return loadInSchema(await super.getDataLoader(...args), this.getContext());
    }
  };
}

interface SchemaOption {
  schema?: string | undefined;
}
