import { resolve } from 'node:path';
import { ReferenceKind, type EntityMetadata, type EntityProperty, type MetadataStorage } from '@mikro-orm/core';
import { AbstractSqlDriver } from '@mikro-orm/postgresql';
import { directoryProblems } from './check-directory-options.js';
import { DEFAULT_TENANT_MIGRATIONS_PATH, type ResolvedTenantsOptions, type TenantsOptions } from './options.js';
import { isTenantEntity } from './entity-kinds.js';
import { canonicalHostname } from './hostname.js';
import { TenantMixin } from './tenant-mixin.js';
import type { AnyConfig } from '../with-tenants.js';

/** All that is wrong with what `withTenants` was given, as far as it shows before the entities are known. */
export function checkConfig(config: AnyConfig, options: TenantsOptions | undefined): string[] {
  return [
    ...driverProblems(config),
    ...clientProblems(config),
    ...optionProblems(options),
    ...folderProblems(config, options),
    ...schemaProblems(config, options),
  ];
}

/** All that is wrong with the entities. */
export function checkEntities(storage: MetadataStorage, options: ResolvedTenantsOptions): string[] {
  const entities = [...storage.getAll().values()].filter(meta => meta.abstract !== true && meta.embeddable !== true);

  return [
    ...tenantProblems(entities, options),
    ...entities.flatMap(meta => relationProblems(meta)),
    ...entities.flatMap(meta => enumProblems(meta)),
    ...entities.flatMap(meta => virtualProblems(meta, entities)),
  ];
}

function driverProblems({ driver }: AnyConfig): string[] {
  const isSupported =
    typeof driver === 'function' && driver.prototype instanceof AbstractSqlDriver && /^(PostgreSql|Pglite|Tenant)/.test(driver.name);

  return isSupported
    ? []
    : [
        `\`driver\` is ${typeof driver === 'function' ? driver.name : 'not set'}; the PostgreSQL and PGlite drivers are supported. ` +
          'Use the `defineConfig` of @mikro-orm/postgresql or @mikro-orm/pglite.',
      ];
}

function clientProblems({ driverOptions }: AnyConfig): string[] {
  return typeof driverOptions === 'object' && driverOptions !== null && 'getExecutor' in driverOptions ? [KYSELY_INSTANCE] : [];
}

function optionProblems(options: TenantsOptions | undefined): string[] {
  if (options === undefined || options.tenant === undefined) {
    return ['`tenant` is not set. Pass the entity that has a row for each tenant: `{ tenant: Client }`.'];
  }

  if (typeof options.tenant !== 'function' || !(options.tenant.prototype instanceof TenantMixin)) {
    const name = typeof options.tenant === 'function' ? options.tenant.name : JSON.stringify(options.tenant);

    return [
      `\`tenant\` is ${name}, which does not extend TenantMixin. Write \`class ${CLASS_NAME.test(name) ? name : 'Client'} extends TenantMixin\`.`,
    ];
  }

  const hosts = (options.publicHosts ?? [])
    .filter(host => canonicalHostname(host, { stripWww: false }) === undefined)
    .map(host => `\`publicHosts\` has ${JSON.stringify(host)}, which is no host name. Give it without scheme, port and path.`);

  return [...hosts, ...directoryProblems(options.directory), ...roleProblems(options.roles)];
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
          `\`roles.${key}\` is ${JSON.stringify(name)}. Give lower-case ASCII letters, digits and \`_\`, not starting with a digit or \`pg_\`, at most 62 of them.`,
      ),
    // a tenant could else have it as its own
    ...Object.entries(others)
      .filter(([, name]) => name?.startsWith(prefix) === true)
      .map(
        ([key, name]) =>
          `\`roles.${key}\` is ${JSON.stringify(name)}, which begins with \`roles.prefix\` as the tenants' roles do. Name it otherwise.`,
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
      `Both migration sets are in ${JSON.stringify(path)}, and each would run the other's. Give \`migrations.path\` of the tenants another folder.`,
  );

  if (own.tableName?.includes('.') === true) {
    problems.push('`migrations.tableName` of the tenants names a schema, and each tenant has a history of its own. Give the table alone.');
  }

  if (own.snapshot === false) {
    problems.push(
      '`migrations.snapshot` of the tenants is false, and the next migration is what has changed since the snapshot. Leave it on.',
    );
  }

  return problems;
}

function schemaProblems(config: AnyConfig, options: TenantsOptions | undefined): string[] {
  const { schema } = config;
  const publicSchema = options?.publicSchema;

  if (schema === '*' || publicSchema === '*') {
    return ['The public schema is "*", which stands for each tenant\'s. Name one, for example "public".'];
  }

  return schema !== undefined && publicSchema !== undefined && schema !== publicSchema
    ? [
        `\`schema\` of the config is ${JSON.stringify(schema)} and \`publicSchema\` is ${JSON.stringify(publicSchema)}. They mean the same; drop one.`,
      ]
    : [];
}

function tenantProblems(entities: readonly EntityMetadata[], { tenant, publicSchema }: ResolvedTenantsOptions): string[] {
  const meta = entities.find(entity => entity.class === tenant);
  const problems: string[] = [];

  if (meta === undefined) {
    problems.push(`The tenant entity ${tenant.name} is not among the entities. Add it to \`entities\`.`);
  } else if (isTenantEntity(meta)) {
    problems.push(
      `The tenant entity ${meta.className} has \`schema: '*'\`, so it would need a tenant to be found in. Drop its \`schema\`.`,
    );
  } else if (meta.schema !== publicSchema) {
    problems.push(
      `The tenant entity ${meta.className} is in schema ${JSON.stringify(meta.schema)}. Drop its \`schema\`, or set \`publicSchema\` to it.`,
    );
  }

  if (!entities.some(isTenantEntity)) {
    problems.push("No entity is a tenant's. Give those that each tenant has of its own `schema: '*'`.");
  }

  return problems;
}

// a tenant's row may go with its schema, and a shared table cannot refer to as many tables as there are tenants
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
        `${meta.className}.${property.name} is a foreign key from a shared entity to ${target?.className}, of which there is one for each tenant. ` +
        `Make ${meta.className} a tenant entity (\`schema: '*'\`), or keep the key on the other side.`,
    );
}

// a relation to one of several entities has the first of them as its `targetMeta`
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
            `${meta.className}.${name} has its enum type in a schema of its own (${JSON.stringify(nativeEnumName)}), and each tenant has its own types. Give the name alone.`,
        )
    : [];
}

// the SQL is sent as it is, so a table without a schema would be the public one, whoever's scope it is
function virtualProblems({ className, expression, view, schema }: EntityMetadata, entities: readonly EntityMetadata[]): string[] {
  if (typeof expression !== 'string' || (view !== undefined && view !== false)) {
    return [];
  }

  const read = [...expression.matchAll(UNQUALIFIED_TABLE)].map(([, quoted, bare]) => quoted ?? bare?.toLowerCase());
  const tenants = entities.filter(meta => isTenantEntity(meta) && read.includes(meta.tableName)).map(meta => meta.className);

  return tenants.length === 0 && schema !== '*'
    ? []
    : [
        `${className} is a virtual entity of SQL that cannot say whose ${tenants.length === 0 ? 'rows' : tenants.join(' and ')} it reads. ` +
          'Make its `expression` a function, which gets the `em`: `em => em.createQueryBuilder(…)`, or SQL that names `em.schema`.',
      ];
}

const UNQUALIFIED_TABLE = /\b(?:from|join)\s+(?:only\s+|lateral\s+)?\(*\s*(?:"([^"]+)"|([a-z_]\w*))(?!\w|\s*\.)/gi;

/** Of a Kysely instance nothing can be said about what runs on a connection of it. */
export const KYSELY_INSTANCE =
  '`driverOptions` is a Kysely instance, whose connections cannot be put under guard. Pass its dialect in its place.';

const ROLE_NAME = /^(?!pg_)[a-z_][a-z0-9_]{0,61}$/;

const CLASS_NAME = /^[A-Z]\w*$/;
