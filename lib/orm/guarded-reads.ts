import { helper, Utils, type EntityMetadata, type EntityName } from '@mikro-orm/core';
import { SqlEntityManager } from '@mikro-orm/postgresql';
import { guardCollections, guardLoader, loadInSchema, refreshInSchema, refuseUnlessLoaded, schemaOf } from '../entities/lazy-loading.js';
import { anyMayHoldEntities, mayHoldEntities } from '../entities/foreign-entities.js';
import { ownCopy } from '../entities/own-copies.js';
import { withTenantSchema, refuseForeignCollections, type PopulateHint } from '../entities/shared-relations.js';
import { giveSchema } from '../entities/tenant-unit-of-work.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import { TenantRules } from '../scope/tenant-rules.js';
import type { Others } from '../tenant/other-arguments.js';
import { namesOther, refuseForeignArguments, refuseLoadedOfOther, type GuardedEntityManager } from './given-entities.js';
import { addsFiltersAsMikro, mayHaveFilters } from './guarded-filters.js';
import type { Args, OpenEntityManagerClass, Result } from './open-entity-manager.js';

/** The methods of an EntityManager that read entities, by a condition or from loaded entities. */
export function guardReads(EntityManagerOfMikro: OpenEntityManagerClass): OpenEntityManagerClass {
  guardCollections();

  const isAddingOnlyFilters = addsOnlyFilters(EntityManagerOfMikro);

  return class GuardedReads extends EntityManagerOfMikro {
    // MikroORM calls this for every condition of a read, an update or a delete, before it replaces entities by their keys
    override processWhere(
      entityName: Args<'processWhere'>[0],
      where: Args<'processWhere'>[1],
      options: Args<'processWhere'>[2],
      type: Args<'processWhere'>[3],
      ...rest: Others<Args<'processWhere'>, 4>
    ): Result<'processWhere'> {
      let condition = where;

      try {
        // any option may hold a condition, an order or a fragment
        if (namesOther(this, options.schema) || mayHoldEntities(where) || anyMayHoldEntities(options)) {
          condition = ownCopy(where);
          refuseForeignArguments(this, [where, ...Object.values(options)], options.schema, entityName, type === 'read' ? READ : WRITE);
        }
      } catch (error) {
        return Promise.reject(error);
      }

      const processing = super.processWhere(entityName, condition, options, type, ...rest);

      // without a filter, it is what was looked at already
      if (isAddingOnlyFilters && !mayHaveFilters(this, entityName)) {
        return processing;
      }

      return lookAgain(this, processing, options.schema, entityName);
    }

    // an entity in the identity map is found without a call of `processWhere()`
    override findOne(
      entityName: Args<'findOne'>[0],
      where: Args<'findOne'>[1],
      options?: Args<'findOne'>[2],
      ...rest: Others<Args<'findOne'>, 3>
    ): Result<'findOne'> {
      try {
        if (namesOther(this, options?.schema) || mayHoldEntities(where)) {
          refuseForeignArguments(this, [where], options?.schema, entityName, READ);
        }

        refuseLoadedOfOther(this, entityName, options?.schema);
      } catch (error) {
        return Promise.reject(error);
      }

      return super.findOne(entityName, where, options, ...rest);
    }

    // `Collection.matching()` calls this with the caller's options, and then passes them to the driver without a schema
    override preparePopulate(
      entityName: Args<'preparePopulate'>[0],
      given: Args<'preparePopulate'>[1],
      validates?: Args<'preparePopulate'>[2],
      ...rest: Others<Args<'preparePopulate'>, 3>
    ): Result<'preparePopulate'> {
      const options = given as SchemaOption;
      const own = this.schema;

      // most calls name none
      if (options.schema === undefined || options.schema === own) {
        options.schema = own;

        return super.preparePopulate(entityName, given, validates, ...rest);
      }

      const meta = this.getMetadata().find(entityName);
      options.schema = withTenantSchema(meta, options, own).schema ?? own;

      return options.schema === own
        ? super.preparePopulate(entityName, given, validates, ...rest)
        : populateOfOther(super.preparePopulate(entityName, given, validates, ...rest), TenantRules.of(this.config), {
            meta,
            own,
            schema: options.schema,
          });
    }

    override async populate(...[entities, populate, given = {}, ...rest]: Args<'populate'>) {
      const all: object[] = Utils.asArray(entities);
      refuseForeignArguments(this, all, given.schema);
      const em = this.getContext();
      const [first] = all;
      const options = first === undefined ? given : withTenantSchema(this.getMetadata().find(first.constructor), given, em.schema);

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

      if (options.schema === undefined) {
        giveSchema(entity, em);
      }

      const { __meta, __schema } = helper(entity);
      const hasOtherSchema = isTenantEntity(__meta.root) && (options.schema ?? __schema) !== em.schema;

      return hasOtherSchema ? refreshInSchema(em, entity, options) : super.refresh(...args);
    }

    override getEntityLoader(...args: Args<'getEntityLoader'>) {
      return guardLoader(super.getEntityLoader(...args), this.getContext());
    }

    override async getDataLoader(...args: Args<'getDataLoader'>) {
      return loadInSchema(await super.getDataLoader(...args), this.getContext());
    }
  };
}

/** Whether nothing but filters adds to a condition. An EntityManager class of the user's own may add anything. */
export function addsOnlyFilters(EntityManagerOfMikro: OpenEntityManagerClass): boolean {
  return (
    ADDING.every(name => Reflect.get(EntityManagerOfMikro.prototype, name) === Reflect.get(SqlEntityManager.prototype, name)) &&
    addsFiltersAsMikro(EntityManagerOfMikro)
  );
}

// now with the conditions that filters have added
async function lookAgain<Where>(
  em: GuardedEntityManager,
  processing: Promise<Where>,
  schema: string | undefined,
  entityName: EntityName,
): Promise<Where> {
  const processed = await processing;

  if (namesOther(em, schema) || mayHoldEntities(processed)) {
    refuseForeignArguments(em, [processed], schema, entityName, READ);
  }

  return processed;
}

// not a private method, which would make every EntityManager slower to make
async function populateOfOther<Populate extends readonly PopulateHint[]>(
  preparing: Promise<Populate>,
  rules: TenantRules,
  {
    meta,
    own,
    schema,
  }: { readonly meta: EntityMetadata | undefined; readonly own: string | undefined; readonly schema: string | undefined },
): Promise<Populate> {
  const populate = await preparing;
  refuseForeignCollections(meta, populate, { schema, own, rules, scope: rules.scope });

  return populate;
}

const READ = { isRead: true };

const WRITE = { isRead: false };

/** The methods through which a condition passes, beside that of filters. */
const ADDING = ['processWhere', 'applyDiscriminatorCondition'] as const;

interface SchemaOption {
  schema?: string | undefined;
}
