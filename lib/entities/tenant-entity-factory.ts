import { EntityFactory, helper, type Configuration } from '@mikro-orm/core';
import { currentScope, innermostScope, withScope, type Scope } from '../scope/scope.js';
import type { ScopedEm } from '../scope/tenant-of-em.js';
import { TenantRules } from '../scope/tenant-rules.js';
import type { OfClass } from '../tenant/entity-kinds.js';
import type { Others } from '../tenant/other-arguments.js';
import { mayHoldEntities, refuseForeignEntities } from './foreign-entities.js';
import { giveSchema } from './tenant-unit-of-work.js';
import { schemaOfRemoved } from './removed-entities.js';
import { refuseSchemaOfShared } from './schema-of-shared.js';

/** Gives the entity factory of an EntityManager that EntityManager's tenant, as fast as `giveTenantTo` does. */
export function giveTenantToFactory(entityFactory: EntityFactory, owner: Owner): void {
  const factory = entityFactory as unknown as OpenEntityFactory & { owner: Owner };
  const own = TenantEntityFactory.prototype;
  factory.owner = owner;
  /* oxlint-disable typescript/unbound-method -- they become methods of another object */
  factory.create = own.create;
  factory.createReference = own.createReference;
  factory.mergeData = own.mergeData;
  /* oxlint-enable typescript/unbound-method */
}

/**
 * An entity factory that knows the tenant where MikroORM names none: for `ref()`, `rel()` and `Reference.createFromPK()`, and for `em.upsert()`
 * of an entity that is managed.
 */
export class TenantEntityFactory extends (EntityFactory as unknown as OpenEntityFactoryClass) {
  declare readonly owner: Owner;

  override create(
    entityName: Args<'create'>[0],
    data: Args<'create'>[1],
    options?: Args<'create'>[2],
    ...rest: Others<Args<'create'>, 3>
  ): object {
    const outerConfig = madeConfig;
    const outerSchema = madeSchema;
    madeConfig = this.owner.config;
    madeSchema = options?.schema ?? this.owner.schema;

    try {
      const made = super.create(entityName, data, options, ...rest);

      // no unit of work gives a schema to what is not stored
      if ((made as OfClass).__meta.virtual === true) {
        giveSchema(made, this.owner as Parameters<typeof giveSchema>[1]);
      }

      return made;
    } finally {
      madeConfig = outerConfig;
      madeSchema = outerSchema;
    }
  }

  override createReference(
    entityName: Args<'createReference'>[0],
    id: Args<'createReference'>[1],
    options: Args<'createReference'>[2] = {},
    ...rest: Others<Args<'createReference'>, 3>
  ): object {
    if (options.schema !== undefined) {
      refuseOtherSchema(this.owner, entityName, options.schema);

      // every row comes here, and most keys are values
      if (typeof id === 'object') {
        refuseForeignKey(this.owner, { entityName, id, schema: options.schema });
      }

      return super.createReference(entityName, id, options, ...rest);
    }

    // A reference that is not merged belongs to no EntityManager, and the factory that makes it for `ref()` is nobody's. Any other one
    // belongs to the EntityManager, whose identity map must not hold another tenant's entities.
    const schema =
      options.merge === false ? (schemaHere(this.owner, entityName) ?? this.owner.schema) : (this.owner.schema ?? schemaOfRemoved());

    if (typeof id === 'object') {
      refuseForeignKey(this.owner, { entityName, id, schema });
    }

    const given = schema === undefined ? options : { ...options, schema };

    return options.merge === false
      ? asOfOrm(this.owner, entityName, () => super.createReference(entityName, id, given, ...rest))
      : super.createReference(entityName, id, given, ...rest);
  }

  override mergeData(
    meta: Args<'mergeData'>[0],
    entity: Args<'mergeData'>[1],
    data: Args<'mergeData'>[2],
    options: Args<'mergeData'>[3] = {},
    ...rest: Others<Args<'mergeData'>, 4>
  ): void {
    const schema = options.schema ?? helper(entity).__schema;
    super.mergeData(meta, entity, data, schema === undefined || schema === options.schema ? options : { ...options, schema }, ...rest);
  }
}

// what MikroORM makes while it loads a tenant's rows has the schema of that tenant
function refuseOtherSchema({ config, schema: own }: Owner, entityName: Args<'createReference'>[0], schema: string): void {
  const rules = schema === own ? undefined : TenantRules.find(config);

  if (rules !== undefined) {
    refuseSchemaOfShared(rules.metadata.get(entityName), { schema, own, mayNameTenant: true, rules, scope: rules.scope });
  }
}

/**
 * Refuses a key that is made of another tenant's entities: MikroORM takes their keys, and the reference would be to a row of the own tenant. Most
 * keys, and those of all rows that are read, are values.
 *
 * @throws CrossTenantError `CROSS_TENANT`
 */
function refuseForeignKey({ config }: Owner, { entityName, id, schema }: KeyOfReference): void {
  if (!mayHoldEntities(id)) {
    return;
  }

  const rules = TenantRules.find(config);

  if (rules !== undefined) {
    refuseForeignEntities([id], schema, { rules, scope: rules.scope, entity: rules.metadata.find(entityName)?.className });
  }
}

/**
 * The schema of the entity whose constructor is running, else of the scope. The factory that makes a reference for `ref()` is that of the ORM which
 * was opened last, and another ORM may have the same classes: it takes what is being made, or the innermost scope of an ORM that has the class.
 */
function schemaHere({ config, schema }: Owner, entityName: Args<'createReference'>[0]): string | undefined {
  const isNobodys = schema === undefined;
  const made = isNobodys || madeConfig === config ? madeSchema : undefined;
  const scope = isNobodys ? scopeFor(entityName, config) : currentScope(config);

  return made ?? (scope?.kind === 'tenant' ? scope.schemaName : undefined);
}

// around the scope of the ORM that it is for there may be one of the ORM whose factory this is, which would refuse the tenant
function asOfOrm<Result>({ config, schema }: Owner, entityName: Args<'createReference'>[0], make: () => Result): Result {
  const scope = schema === undefined ? scopeFor(entityName, config) : undefined;

  if (scope?.kind !== 'tenant' || scope.config === config) {
    return make();
  }

  const { schemaName, identity } = scope;

  return withScope({ kind: 'tenant', config: scope.config, outer: undefined, tenant: undefined, schemaName, identity }, make);
}

function scopeFor(entityName: Args<'createReference'>[0], config: Configuration): Scope | undefined {
  let scope = innermostScope();

  while (scope !== undefined && scope.config !== config && TenantRules.find(scope.config)?.metadata.find(entityName) === undefined) {
    scope = scope.outer;
  }

  return scope;
}

/** What is being made. A class may have properties that `ref()` initialises. No work is interleaved with a constructor. */
let madeConfig: Configuration | undefined;
let madeSchema: string | undefined;

interface KeyOfReference {
  readonly entityName: Args<'createReference'>[0];
  readonly id: Args<'createReference'>[1];
  readonly schema: string | undefined;
}

interface Owner extends ScopedEm {
  readonly config: Configuration;
}

/** Without type parameters, which an override could not repeat. */
type OpenEntityFactoryClass = new (...args: ConstructorParameters<typeof EntityFactory>) => OpenEntityFactory;

interface OpenEntityFactory extends Omit<EntityFactory, keyof OverriddenMethods>, OverriddenMethods {}

type Args<Name extends keyof OverriddenMethods> = Parameters<OverriddenMethods[Name]>;

interface OverriddenMethods {
  create(...args: Parameters<EntityFactory['create']>): object;
  createReference(...args: Parameters<EntityFactory['createReference']>): object;
  mergeData(...args: Parameters<EntityFactory['mergeData']>): void;
}
