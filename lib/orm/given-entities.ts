import type { EntityManager, EntityMetadata, EntityName } from '@mikro-orm/core';
import { CrossTenantError } from '../errors/index.js';
import { holdsOnlyOwn, mayHoldEntities, refuseForeignEntities, type OwnTenant, type WantedTenant } from '../entities/foreign-entities.js';
import { belongsTo } from '../entities/relations.js';
import { refuseSchemaOfShared } from '../entities/schema-of-shared.js';
import { isInnermost } from '../scope/scope.js';
import { isName, isTenantEntity } from '../tenant/entity-kinds.js';
import type { ScopedEm } from '../scope/tenant-of-em.js';
import { TenantRules } from '../scope/tenant-rules.js';

/**
 * Refuses arguments of an EntityManager's method that contain an entity of another tenant. `schema` is the schema in the options of the call.
 * `entity` is the entity that the arguments describe: for the message, and because a shared one has one schema alone.
 *
 * @throws CrossTenantError `CROSS_TENANT` or SharedSchemaError `SHARED_SCHEMA`
 */
export function refuseForeignArguments(
  em: GuardedEntityManager,
  given: readonly unknown[],
  schema: string | undefined,
  entity?: EntityName | object,
  { isRead = false }: { readonly isRead?: boolean } = {},
): void {
  const namesSchema = namesOther(em, schema);

  if (!namesSchema) {
    const wanted = new WantedOf(em);

    // nothing more is made for what is the tenant's own, as most that is given is
    if (holdsOnlyOwn(given, wanted, GIVEN_DEPTH) || wanted.find().schemaName === undefined) {
      return;
    }
  }

  const rules = TenantRules.of(em.config);
  const { scope } = rules;
  const own = em.getContext(false).schema;
  const meta = entity === undefined ? undefined : metaOf(em, entity);

  if (namesSchema && meta !== undefined) {
    // MikroORM reads what a tenant's row refers to with the schema of that tenant
    refuseSchemaOfShared(meta, { schema, own, mayNameTenant: isRead, rules, scope });
  }

  refuseForeignEntities(given, schema ?? own, { rules, scope, entity: meta?.className });
}

/** Whether what is given to a call holds no entity, and no other schema is named. Most data is such, and need not be looked at closer. */
export function isPlain(em: GuardedEntityManager, given: unknown, schema: string | undefined): boolean {
  return !namesOther(em, schema) && !mayHoldEntities(given);
}

/**
 * Refuses an entity that an EntityManager of another tenant than the scope's has loaded already. The identity map answers without SQL, so the driver
 * is not asked for a schema.
 *
 * @throws CrossTenantError `CROSS_TENANT`
 */
export function refuseLoadedOfOther(em: GuardedEntityManager, entity: EntityName | object, schema: string | undefined): void {
  const context = em.getContext(false);
  const asked = schema ?? context.schema;

  // as for nearly all that is read
  if (asked === undefined || isInnermost(context.boundScope, em.config)) {
    return;
  }

  const rules = TenantRules.of(em.config);
  const { scope } = rules;

  if (scope?.kind !== 'tenant' || asked === rules.publicSchema || (asked === scope.schemaName && belongsTo(context, scope))) {
    return;
  }

  const meta = metaOf(em, entity);

  if (meta !== undefined && isTenantEntity(meta)) {
    throw CrossTenantError.otherSchema(meta.className, asked, scope.schemaName);
  }
}

/** Whether a call names another schema than the EntityManager's. */
export function namesOther(em: GuardedEntityManager, schema: string | undefined): boolean {
  return schema !== undefined && schema !== em.schema;
}

/** The metadata of an entity or an entity name. */
export function metaOf(em: GuardedEntityManager, entity: EntityName | object): EntityMetadata | undefined {
  return em.getMetadata().find(isName(entity) ? entity : entity.constructor);
}

/** Finds the tenant of an EntityManager when it is first asked for: most data has no entity. */
class WantedOf implements WantedTenant {
  readonly #em: GuardedEntityManager;
  #found: OwnTenant | undefined;

  constructor(em: GuardedEntityManager) {
    this.#em = em;
  }

  find(): OwnTenant {
    return (this.#found ??= this.ask());
  }

  private ask(): OwnTenant {
    const rules = TenantRules.of(this.#em.config);
    const context = this.#em.getContext(false);
    const { scope } = rules;
    const tenant = scope?.kind === 'tenant' ? scope.schemaName : context.schema;

    return {
      schemaName: tenant === rules.publicSchema ? undefined : tenant,
      config: this.#em.config,
      known: belongsTo(context, scope) ? context : undefined,
    };
  }
}

/** What is given is in a list. */
const GIVEN_DEPTH = 9;

/** The parts of an EntityManager that are used here. */
export interface GuardedEntityManager extends Pick<EntityManager, 'config'> {
  /** That of its context. */
  readonly schema: string | undefined;

  getContext(validate: false): ScopedEm;
  getMetadata(): { find(entityName: EntityName): EntityMetadata | undefined };
}
