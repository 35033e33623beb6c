import { helper, Utils, type EntityManager, type EntityName } from '@mikro-orm/core';
import { BasePostgreSqlEntityManager, type SqlEntityManager } from '@mikro-orm/sql';
import { readInScope, readThere } from '../scope/read-in-scope.js';
import { currentScope, type Scope } from '../scope/scope.js';
import { TenantWriteRefusedError } from '../errors/index.js';
import type { TenantEntityManagerMethods } from '../scope/wrapped-orm.js';
import { TenantRules } from '../scope/tenant-rules.js';
import { explainFlushError } from '../entities/flush-errors.js';
import { refuseForeign } from '../entities/foreign-entities.js';
import { isName, isTenantEntity } from '../tenant/entity-kinds.js';
import { guardKysely } from '../query/kysely-schemas.js';
import { contextBeside } from './other-orms.js';
import { extendFilters } from './filtering-entity-manager.js';
import { extendLoading } from './loading-entity-manager.js';
import { loaderOfSchema, withAskingSchema, refuseForeignCollections } from '../entities/shared-relations.js';
import { forTenant } from '../connection/sql-target.js';
import { tenantOfEm } from '../scope/tenant-of-em.js';
import { tenantSchema } from '../scope/tenant-schema.js';
import { updateTenants } from '../query/update-tenants.js';
import { cacheNameOf, fromCache, tenantsOfCacheKey, type CacheConfig } from '../query/result-cache.js';

/**
 * The EntityManager that results from `withTenants`. A fork belongs to the scope it was made in, and stays with it: an entity,
 * a query or a stream that outlives the scope goes on with its own tenant or is refused, and is never served by another's.
 */
export function extendEntityManager<Base extends new (...args: any[]) => SqlEntityManager>(
  EntityManagerClass: Base,
): Base & (new (...args: any[]) => TenantEntityManagerMethods) {
  class ScopedEntityManager extends extendLoading(extendFilters(EntityManagerClass)) implements TenantEntityManagerMethods {
    // no private field: the base constructor asks for the context before fields are there
    declare boundScope: Scope | undefined;

    bindToScope(scope: Scope): void {
      this.boundScope = scope;
      this.schema = scope.kind === 'tenant' ? scope.schemaName : undefined;
    }

    async persistAndFlush(entities: object | Iterable<object>): Promise<void> {
      await this.persist(entities).flush();
    }

    async removeAndFlush(entities: object | Iterable<object>): Promise<void> {
      await this.remove(entities).flush();
    }

    // every method of MikroORM's asks here which EntityManager is to answer
    override getContext(validate = true): this {
      const found = super.getContext(validate);
      // contexts go by name, and two ORMs may have one
      const em = found.config === this.config ? found : contextBeside(this, validate);

      return this.global || em.boundScope === this.boundScope ? em : this;
    }

    override fork(options: Parameters<EntityManager['fork']>[0] = {}): this {
      const em = options.disableContextResolution === true ? this : this.getContext(false);
      const fork = super.fork(options);
      fork.boundScope = em.boundScope;

      return fork;
    }

    override async flush(): Promise<void> {
      try {
        await forTenant(TenantRules.of(this.config), tenantOfEm(this.getContext(false)), () => super.flush());
      } catch (error) {
        throw explainFlushError(error, TenantRules.of(this.config));
      }
    }

    // the EntityManager of now, as the query may be built or run in another scope
    override createQueryBuilder(...args: any[]): any {
      const em = this.getContext(false);

      return em === this ? (super.createQueryBuilder as any)(...args) : (em.createQueryBuilder as any)(...args);
    }

    // a generator starts at its first read, which may be in another scope or in none
    override stream(...args: any[]): any {
      const em = this.getContext(false);

      if (em !== this) {
        return (em.stream as any)(...args);
      }

      const rules = TenantRules.of(this.config);

      return forTenant(rules, tenantOfEm(em), () => readThere(readInScope((super.stream as any)(...args), currentScope(this.config))));
    }

    override async execute(query: any, params: any = [], methodOrOptions: any = 'all', loggerContext?: any): Promise<any> {
      const em = this.getContext(false);

      if (em.schema === undefined) {
        return super.execute(query, params, methodOrOptions, loggerContext);
      }

      const rules = TenantRules.of(this.config);
      tenantSchema('Raw SQL', em.schema, rules.scope, rules);

      return forTenant(rules, tenantOfEm(em), () => super.execute(query, params, methodOrOptions, loggerContext));
    }

    // what reads or writes without a query builder of the user's comes here; there may be raw SQL among its values
    override async withSessionContext(...args: any[]): Promise<any> {
      return forTenant(TenantRules.of(this.config), tenantOfEm(this.getContext(false)), () => (super.withSessionContext as any)(...args));
    }

    override getKysely(options?: any): any {
      const em = this.getContext(false);
      const rules = TenantRules.of(this.config);

      return guardKysely(super.getKysely(options), { schema: em.schema, boundScope: em.boundScope }, { rules, scope: rules.scope });
    }

    // `Collection.matching()` comes here with the caller's options, and takes them to the driver without a schema
    override async preparePopulate(entityName: any, options: any, validate?: boolean): Promise<any> {
      options.schema = this.#ofTenant(entityName, options).schema ?? this.getContext(false).schema;
      const populate = await super.preparePopulate(entityName, options, validate);
      this.#refuseForeignCollections(entityName, populate, options.schema);

      return populate;
    }

    override getEntityLoader(): any {
      return loaderOfSchema(super.getEntityLoader(), this.getContext(false).schema);
    }

    // a cached result is an answer like the database's: refused where that would be, and never one tenant's for another
    override async tryCache(entityName: any, config: any, key: any, refresh?: boolean, merge?: boolean): Promise<any> {
      const { publicSchema } = TenantRules.of(this.config);
      const asked: CacheConfig = config ?? this.config.get('resultCache').global;
      const tenants = asked === undefined || asked === false ? [] : tenantsOfCacheKey(key, this.getContext(false).schema, publicSchema);
      const meta = this.metadata.find(entityName);
      const schema = tenants[0];

      if (meta !== undefined && asked !== undefined && asked !== false) {
        this.getDriver().getSchemaName(meta, schema === undefined ? {} : { schema });
      }

      const named = Array.isArray(asked) ? [cacheNameOf(asked[0], tenants), asked[1]] : config;
      const cached = await super.tryCache<any, any>(entityName, named, key, refresh, false);

      if (merge !== true || typeof cached?.data !== 'object' || cached.data === null) {
        return cached;
      }

      const data = fromCache(this.getContext(), entityName, cached.data, refresh, schema);
      await this.getUnitOfWork().dispatchOnLoadEvent();

      return { key: cached.key, data };
    }

    override async clearCache(name: string): Promise<void> {
      const { schema } = this.getContext(false);
      await super.clearCache(cacheNameOf(name, []));

      if (schema !== undefined) {
        await super.clearCache(cacheNameOf(name, [schema]));
      }
    }

    override async insert(entity: any, data?: any, options: any = {}): Promise<any> {
      this.#refuseTenants('em.insert()', 'em.persistAndFlush(…)', entity);
      this.#refuseForeign([entity, data], options.schema, entity);
      return super.insert(entity, data, options);
    }

    override async insertMany(entity: any, data?: any, options: any = {}): Promise<any> {
      this.#refuseTenants('em.insertMany()', 'em.persistAndFlush([…])', entity);
      this.#refuseForeign([entity, data], options.schema, entity);
      return super.insertMany(entity, data, options);
    }

    override async upsert(entity: any, data?: any, options: any = {}): Promise<any> {
      this.#refuseTenants('em.upsert()', 'em.findOne() and em.persistAndFlush(…)', entity);
      this.#refuseForeign([entity, data], options.schema, entity);
      return super.upsert(entity, data, options);
    }

    override async upsertMany(entity: any, data?: any, options: any = {}): Promise<any> {
      this.#refuseTenants('em.upsertMany()', 'em.find() and em.persistAndFlush([…])', entity);
      this.#refuseForeign([entity, data], options.schema, entity);
      return super.upsertMany(entity, data, options);
    }

    override async clone(entity: any, ...rest: any[]): Promise<any> {
      this.#refuseTenants('em.clone()', 'em.persistAndFlush(…)', entity);
      this.#refuseForeign([entity, rest[0], rest[1]], rest[isName(entity) ? 2 : 1]?.schema, entity);
      return (super.clone as any)(entity, ...rest);
    }

    override async nativeDelete(entity: any, ...rest: any[]): Promise<any> {
      this.#refuseTenants('em.nativeDelete()', 'em.removeAndFlush(…)', entity);
      return (super.nativeDelete as any)(entity, ...rest);
    }

    override async nativeUpdate(entity: any, where: any, data: any, options: any = {}): Promise<any> {
      if (TenantRules.of(this.config).hasIdentity(data)) {
        this.#refuseTenants('em.nativeUpdate()', 'em.flush() on the loaded tenant', entity);
      }

      this.#refuseForeign([data], options.schema, entity);
      const update = (given: object): Promise<number> => super.nativeUpdate(entity, where, data, { ...options, ...given });

      return this.#isOfTenants(entity) ? updateTenants(this.getContext(false), options, ctx => update({ ctx })) : update({});
    }

    // each condition of a read, an update or a delete comes here before it is reduced to keys
    override async processWhere(entityName: any, where: any, options: any, type: any): Promise<any> {
      this.#refuseForeign([where, options.populateWhere, options.filters], options.schema, entityName);
      return super.processWhere(entityName, where, options, type);
    }

    // an entity that is in the identity map is found without a condition
    override async findOne(entityName: any, where: any, options: any = {}): Promise<any> {
      this.#refuseForeign([where], options.schema, entityName);
      const meta = this.metadata.find(entityName);
      // where the identity map has a shared entity, whichever tenant's EntityManager asks
      const schema = meta === undefined || isTenantEntity(meta.root) ? undefined : meta.schema;

      return super.findOne(entityName, where, schema === undefined ? options : { schema, ...options });
    }

    override async populate(entities: any, populate: any, options: any = {}): Promise<any> {
      this.#refuseForeign([entities], options.schema);
      const [first]: object[] = Utils.asArray(entities);
      const ofTenant = first === undefined ? options : this.#ofTenant(first.constructor, options);

      if (first !== undefined && ofTenant.schema !== undefined && populate !== false) {
        const { schema, strategy } = ofTenant;
        await this.preparePopulate(first.constructor, { populate, schema, strategy }, ofTenant.validate);
      }

      return super.populate(entities, populate, ofTenant);
    }

    override merge(entity: any, ...rest: any[]): any {
      this.#refuseForeign([entity, rest[0]], rest[isName(entity) ? 1 : 0]?.schema, entity);
      return (super.merge as any)(entity, ...rest);
    }

    override create(entityName: any, data: any, options?: any): any {
      this.#refuseForeign([data], options?.schema, entityName);
      return super.create(entityName, data, options);
    }

    override assign(entity: any, data: any, options?: any): any {
      this.#refuseForeign([data], helper(entity).__schema, entity);
      return super.assign(entity, data, options);
    }

    #ofTenant(entityName: any, options: any): any {
      return withAskingSchema(this.metadata.find(entityName), options, this.getContext(false).schema);
    }

    #refuseForeignCollections(entityName: any, populate: any, wanted: string | undefined): void {
      const own = this.getContext(false).schema;

      if (wanted !== own) {
        const rules = TenantRules.of(this.config);
        refuseForeignCollections(this.metadata.find(entityName), populate, { wanted, own, rules, scope: rules.scope });
      }
    }

    // `entity` names whose data or condition it is, for the message
    #refuseForeign(given: readonly unknown[], schema: string | undefined, entity?: EntityName | object): void {
      const rules = TenantRules.of(this.config);
      const meta = entity === undefined ? undefined : this.metadata.find(isName(entity) ? entity : entity.constructor);
      refuseForeign(given, schema ?? this.getContext(false).schema, { rules, scope: rules.scope, entity: meta?.className });
    }

    #refuseTenants(method: string, instead: string, entity: EntityName | object | readonly object[]): void {
      if (this.#isOfTenants(entity)) {
        throw new TenantWriteRefusedError(method, instead);
      }
    }

    #isOfTenants(entity: EntityName | object | readonly object[]): boolean {
      const first: object | undefined = Array.isArray(entity) ? entity[0] : entity;
      const known = first === undefined ? undefined : this.metadata.find(isName(first) ? first : first.constructor);

      return known !== undefined && TenantRules.of(this.config).isTenantClass(known);
    }
  }

  return ScopedEntityManager;
}

/** MikroORM's EntityManager for PostgreSQL, with tenants. */
export class TenantEntityManager extends extendEntityManager(BasePostgreSqlEntityManager) {}
