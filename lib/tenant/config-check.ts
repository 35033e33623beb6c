import { resolve } from 'node:path';
import { ReferenceKind, type EntityMetadata, type EntityProperty, type MetadataStorage } from '@mikro-orm/core';
import { directoryProblems } from './check-directory-options.js';
import { citusProblems } from './citus-options.js';
import { connectionProblems } from './connection-options.js';
import { DEFAULT_TENANT_MIGRATIONS_PATH, type AnyConfig, type ResolvedTenantsOptions, type TenantsOptions } from './options.js';
import { hookProblems } from './hook-options.js';
import { limitProblems } from './limit-options.js';
import { sqlTagProblems } from './sql-tag-options.js';
import { driverProblems } from './driver-check.js';
import { domainEntityProblems, domainOptionProblems } from './domain-entity.js';
import { isTenantEntity } from './entity-kinds.js';
import { canonicalHostname } from './hostname.js';
import { TENANT_SETTINGS } from './settings.js';
import { TenantMixin } from './tenant-mixin.js';

/** Returns every problem of the config and the options that can be found before the entities are known. */
export function checkConfig(config: AnyConfig, options: TenantsOptions | undefined): string[] {
  return [
    ...driverProblems(config.driver),
    ...clientProblems(config),
    ...optionProblems(options),
    ...folderProblems(config, options),
    ...schemaProblems(config, options),
  ];
}

/** Returns every problem of the entities. */
export function checkEntities(storage: MetadataStorage, options: ResolvedTenantsOptions): string[] {
  const entities = [...storage.getAll().values()].filter(meta => meta.abstract !== true && meta.embeddable !== true);

  return [
    ...tenantProblems(entities, options),
    ...domainEntityProblems(entities, options),
    ...entities.flatMap(meta => relationProblems(meta)),
    ...entities.flatMap(meta => linkProblems(meta, storage)),
    ...entities.flatMap(meta => treeProblems(meta)),
    ...entities.flatMap(meta => enumProblems(meta)),
    ...entities.flatMap(meta => virtualProblems(meta, entities)),
  ];
}

function clientProblems({ driverOptions }: AnyConfig): string[] {
  return typeof driverOptions === 'object' && driverOptions !== null && 'getExecutor' in driverOptions ? [KYSELY_INSTANCE] : [];
}

function optionProblems(options: TenantsOptions | undefined): string[] {
  if (options === undefined || options.tenant === undefined) {
    return ['`tenant` is not set. Pass the entity that has one row per tenant: `{ tenant: Client }`.'];
  }

  if (typeof options.tenant !== 'function' || !(options.tenant.prototype instanceof TenantMixin)) {
    const name = typeof options.tenant === 'function' ? options.tenant.name : JSON.stringify(options.tenant);

    return [
      `\`tenant\` is ${name}, which does not extend TenantMixin. Declare it as \`class ${CLASS_NAME.test(name) ? name : 'Client'} extends TenantMixin\`.`,
    ];
  }

  const hosts = (options.publicHosts ?? [])
    .filter(host => canonicalHostname(host, { stripWww: false }) === undefined)
    .map(
      host => `\`publicHosts\` contains ${JSON.stringify(host)}, which is not a valid host name. Write it without scheme, port and path.`,
    );

  return [
    ...hosts,
    ...domainOptionProblems(options.domains),
    ...directoryProblems(options.directory),
    ...connectionProblems(options.connections),
    ...limitProblems(options.limits),
    ...citusProblems(options.citus),
    ...roleProblems(options.roles),
    ...hookProblems(options.hooks),
    ...sqlTagProblems(options.sqlTags),
  ];
}

function roleProblems(roles: TenantsOptions['roles']): string[] {
  if (roles === undefined) {
    return [];
  }

  const { prefix, ...others } = roles;
  const named = Object.entries({ prefix, ...others }).filter(([, name]) => name !== undefined);

  return [
    ...named
      .filter(([, name]) => typeof name !== 'string' || !ROLE_NAME.test(name))
      .map(
        ([key, name]) =>
          `\`roles.${key}\` is ${JSON.stringify(name)}. Use at most 62 lower-case ASCII letters, digits and \`_\`, and do not start with a digit or \`pg_\`.`,
      ),
    // otherwise a tenant could get this role as its own
    ...Object.entries(others)
      .filter(([, name]) => name?.startsWith(prefix) === true)
      .map(
        ([key, name]) =>
          `\`roles.${key}\` is ${JSON.stringify(name)}, which starts with \`roles.prefix\` like the roles of the tenants. Choose a name without this prefix.`,
      ),
  ];
}

function folderProblems(config: AnyConfig, options: TenantsOptions | undefined): string[] {
  const own = options?.migrations ?? {};
  const baseDir = config.baseDir ?? process.cwd();
  const shared = [config.migrations?.path ?? './migrations', config.migrations?.pathTs].filter(path => path !== undefined);
  const tenant =
    own.migrationsList === undefined ? [own.path ?? DEFAULT_TENANT_MIGRATIONS_PATH, own.pathTs].filter(path => path !== undefined) : [];
  const both = tenant.filter(path => shared.some(other => resolve(baseDir, other) === resolve(baseDir, path)));
  const problems = both.map(
    path =>
      `Both migration sets use the folder ${JSON.stringify(path)}, so each would run the migrations of the other. Set \`migrations.path\` in the options of withTenants() to another folder.`,
  );

  if (own.tableName?.includes('.') === true) {
    problems.push(
      '`migrations.tableName` of the tenants contains a schema, but each tenant keeps its history in its own schema. Give only the table name.',
    );
  }

  return problems;
}

function schemaProblems(config: AnyConfig, options: TenantsOptions | undefined): string[] {
  const { schema } = config;
  const publicSchema = options?.publicSchema;

  if (schema === '*' || publicSchema === '*') {
    return ['The public schema is "*", which stands for the schema of each tenant. Give the name of one schema, for example "public".'];
  }

  return schema !== undefined && publicSchema !== undefined && schema !== publicSchema
    ? [
        `\`schema\` of the config is ${JSON.stringify(schema)} and \`publicSchema\` is ${JSON.stringify(publicSchema)}. Both set the public schema. Remove one of them.`,
      ]
    : [];
}

function tenantProblems(entities: readonly EntityMetadata[], { tenant, publicSchema }: ResolvedTenantsOptions): string[] {
  const meta = entities.find(entity => entity.class === tenant);
  const problems: string[] = [];

  if (meta === undefined) {
    problems.push(`The tenant entity ${tenant.name} is not in \`entities\`. Add it.`);
  } else if (isTenantEntity(meta)) {
    problems.push(`The tenant entity ${meta.className} has \`schema: '*'\`, so it could only be found in a tenant. Remove its \`schema\`.`);
  } else if (meta.schema !== publicSchema) {
    problems.push(
      `The tenant entity ${meta.className} is in schema ${JSON.stringify(meta.schema)}, which is not the public schema. Remove its \`schema\`, or set \`publicSchema\` to it.`,
    );
  }

  // as a column it would be data, which may come from a request
  const own = meta?.properties as Readonly<Record<string, EntityProperty>> | undefined;
  problems.push(
    ...TENANT_SETTINGS.filter(name => own?.[name] !== undefined && own[name].getter !== true).map(
      name => `${tenant.name}.${name} is mapped as a property, and it is a setting that no data may have. Give the property another name.`,
    ),
  );

  if (!entities.some(isTenantEntity)) {
    problems.push("No entity is a tenant entity. Set `schema: '*'` on each entity that exists once per tenant.");
  }

  return problems;
}

// a foreign key refers to one table, but a tenant entity has one table per tenant, which may be dropped with its schema
function relationProblems(meta: EntityMetadata): string[] {
  if (isTenantEntity(meta.root)) {
    return [];
  }

  return meta.relations
    .filter(isOwning)
    .map(property => ({ property, target: targetsOf(property).find(target => isTenantEntity(target.root)) }))
    .filter(({ target }) => target !== undefined)
    .map(
      ({ property, target }) =>
        `${meta.className}.${property.name} is a foreign key from a shared entity to the tenant entity ${target?.className}, which has one table per tenant. ` +
        `Make ${meta.className} a tenant entity (\`schema: '*'\`), or move the foreign key to the other side.`,
    );
}

// such a collection has no item that says whose it is: one that was loaded for a tenant would be shown to the next
function linkProblems(meta: EntityMetadata, storage: MetadataStorage): string[] {
  if (isTenantEntity(meta.root)) {
    return [];
  }

  return meta.relations
    .map(property => ({ property, pivot: property.pivotEntity === undefined ? undefined : storage.find(property.pivotEntity) }))
    .filter(({ property, pivot }) => property.owner && pivot !== undefined && isTenantEntity(pivot.root))
    .filter(({ property }) => !targetsOf(property).some(target => isTenantEntity(target.root)))
    .map(
      ({ property, pivot }) =>
        `${meta.className}.${property.name} is a collection of shared entities whose links are rows of each tenant (${pivot?.className}). ` +
        `Make ${pivot?.className} a shared entity, or replace the collection by a one-to-many relation to ${pivot?.className}.`,
    );
}

// what guards an entity goes by the root, and its queries by its own schema
function treeProblems(meta: EntityMetadata): string[] {
  const { className, root } = meta;

  return isTenantEntity(meta) === isTenantEntity(root)
    ? []
    : [
        `${className} has the schema ${JSON.stringify(meta.schema)}, and its base entity ${root.className} has ${JSON.stringify(root.schema)}. ` +
          `Either all entities of an inheritance tree are the tenants' (\`schema: '*'\`), or none is. Set \`schema\` on ${root.className} alone.`,
      ];
}

// the `targetMeta` of a polymorphic relation is only the first of its targets
function targetsOf({ polymorphTargets, targetMeta }: EntityProperty): EntityMetadata[] {
  return polymorphTargets ?? (targetMeta === undefined ? [] : [targetMeta]);
}

function isOwning({ kind, owner, pivotTable }: EntityProperty): boolean {
  return (
    kind === ReferenceKind.MANY_TO_ONE ||
    (kind === ReferenceKind.ONE_TO_ONE && owner) ||
    (kind === ReferenceKind.MANY_TO_MANY && owner && pivotTable !== undefined)
  );
}

function enumProblems(meta: EntityMetadata): string[] {
  return isTenantEntity(meta.root)
    ? meta.props
        .filter(({ nativeEnumName }) => nativeEnumName?.includes('.') === true)
        .map(
          ({ name, nativeEnumName }) =>
            `${meta.className}.${name} has an enum type with a schema (${JSON.stringify(nativeEnumName)}), but each tenant has its own enum types. Give the name without the schema.`,
        )
    : [];
}

// MikroORM sends this SQL unchanged, so a table without a schema would be the public one in every scope
function virtualProblems({ className, expression, view, schema }: EntityMetadata, entities: readonly EntityMetadata[]): string[] {
  if (typeof expression !== 'string' || (view !== undefined && view !== false)) {
    return [];
  }

  const read = [...expression.matchAll(UNQUALIFIED_TABLE)].map(([, quoted, bare]) => quoted ?? bare?.toLowerCase());
  const tenants = entities.filter(meta => isTenantEntity(meta) && read.includes(meta.tableName)).map(meta => meta.className);

  return tenants.length === 0 && schema !== '*'
    ? []
    : [
        `${className} is a virtual entity with fixed SQL, which cannot say from which tenant it reads ${tenants.length === 0 ? 'its rows' : tenants.join(' and ')}. ` +
          'Make `expression` a function of the `em`: `em => em.createQueryBuilder(…)`, or SQL that names `em.schema`.',
      ];
}

const UNQUALIFIED_TABLE = /\b(?:from|join)\s+(?:only\s+|lateral\s+)?\(*\s*(?:"([^"]+)"|([a-z_]\w*))(?!\w|\s*\.)/gi;

/** The library cannot control what runs on the connections of a Kysely instance. */
export const KYSELY_INSTANCE = '`driverOptions` is a Kysely instance. Its connections cannot be guarded. Pass its dialect instead.';

const ROLE_NAME = /^(?!pg_)[a-z_][a-z0-9_]{0,61}$/;

const CLASS_NAME = /^[A-Z]\w*$/;
