import type { EntityClass, EntityMetadata } from '@mikro-orm/core';
import { DomainMixin } from './domain-mixin.js';
import { isTenantEntity } from './entity-kinds.js';

/** Gives the entity of domains its relation to the tenants, which the mixin cannot declare. Call this before relations are resolved. */
export function ensureTenantRelation(meta: EntityMetadata, tenant: EntityClass): void {
  if (Object.hasOwn(meta.properties, 'tenant')) {
    return;
  }

  meta.addProperty({ name: 'tenant', kind: 'm:1', entity: () => tenant, deleteRule: 'cascade', updateRule: 'cascade' } as never);
}

/** What is wrong with the option `domains`, before the entities are known. */
export function domainOptionProblems(domains: unknown): string[] {
  if (domains === undefined || (typeof domains === 'function' && domains.prototype instanceof DomainMixin)) {
    return [];
  }

  const name = typeof domains === 'function' ? domains.name : JSON.stringify(domains);

  return [`\`domains\` is ${name}, which does not extend DomainMixin. Declare it as \`class Domain extends DomainMixin<Client>\`.`];
}

/** What is wrong with the entity of domains. */
export function domainEntityProblems(
  entities: readonly EntityMetadata[],
  {
    domains,
    tenant,
    publicSchema,
  }: { readonly domains: EntityClass | undefined; readonly tenant: EntityClass; readonly publicSchema: string },
): string[] {
  if (domains === undefined) {
    return [];
  }

  const meta = entities.find(entity => entity.class === domains);

  if (meta === undefined) {
    return [`The entity of domains ${domains.name} is not in \`entities\`. Add it.`];
  }

  const targetMeta = meta.relations.find(({ name }) => name === 'tenant')?.targetMeta;

  return [
    ...(isTenantEntity(meta) || meta.schema !== publicSchema
      ? [
          `The entity of domains ${meta.className} is not in the public schema ${JSON.stringify(publicSchema)}, where hosts are looked up. Remove its \`schema\`.`,
        ]
      : []),
    ...(targetMeta?.class === tenant
      ? []
      : [
          `${meta.className}.tenant does not refer to the tenant entity ${tenant.name}. Remove it, and it is added, or make it a many-to-one to ${tenant.name}.`,
        ]),
  ];
}
