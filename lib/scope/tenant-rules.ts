import type { Configuration, EntityMetadata, MetadataStorage } from '@mikro-orm/core';
import { OrmSelectionError } from '../errors/index.js';
import { parseSchemaName, type SchemaName } from '../postgres/schema-name.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import { canonicalHostname } from '../tenant/hostname.js';
import type { ResolvedTenantsOptions } from '../tenant/options.js';
import { settingOf, type TenantSetting } from '../tenant/settings.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { currentScope, type Scope } from './scope.js';
import { NotedFailures } from './noted-failures.js';
import type { TenantObserver } from './observer.js';
import { TenantIdentities } from './tenant-identities.js';
import type { WrappedOrm } from './wrapped-orm.js';

/**
 * What every guard asks about one ORM: the scope of now, what a schema name or a host may be, and which entity is the tenants'. Answers
 * without the database. Kept as an extension of the ORM's config, where a driver or an EntityManager finds it.
 */
export class TenantRules {
  static readonly EXTENSION = '@landlord/mikro-orm/rules';

  readonly config: Configuration;
  readonly options: ResolvedTenantsOptions;
  /** Which tenants are still those that they were. */
  readonly identities = new TenantIdentities();
  /** What has failed in transactions that are still open. */
  readonly failures = new NotedFailures();
  /** Telemetry, if there is any. */
  observer: TenantObserver | undefined;
  readonly #orm: Pick<WrappedOrm, 'getMetadata'>;
  #sharedSchemas: { readonly entities: number; readonly names: ReadonlySet<string> } | undefined;
  #tenantRoot: object | undefined;
  #publicHosts: ReadonlySet<string | undefined> | undefined;

  /** @throws OrmSelectionError `ORM_WITHOUT_TENANTS` */
  static of(config: Configuration): TenantRules {
    const rules = TenantRules.find(config);

    if (rules === undefined) {
      throw OrmSelectionError.withoutTenants();
    }

    return rules;
  }

  /** The same, or undefined for an ORM without tenants. */
  static find(config: Configuration): TenantRules | undefined {
    let rules = known.get(config);

    // every statement asks several times
    if (rules === undefined) {
      rules = config.getExtension<TenantRules>(TenantRules.EXTENSION);

      if (rules !== undefined) {
        known.set(config, rules);
      }
    }

    return rules;
  }

  constructor(orm: Pick<WrappedOrm, 'config' | 'getMetadata'>, options: ResolvedTenantsOptions) {
    this.config = orm.config;
    this.options = options;
    this.#orm = orm;
  }

  get publicSchema(): string {
    return this.options.publicSchema;
  }

  get scope(): Scope | undefined {
    return currentScope(this.config);
  }

  get metadata(): MetadataStorage {
    return this.#orm.getMetadata();
  }

  /** The metadata of the tenants' entity. */
  get tenantMeta(): EntityMetadata<TenantMixin<unknown>> {
    return this.metadata.get(this.options.tenant);
  }

  checkSchemaName(schemaName: unknown): SchemaName {
    return parseSchemaName(schemaName, {
      publicSchema: this.publicSchema,
      reserved: this.options.reservedSchemaNames,
      shared: this.sharedSchemas,
      searched: this.options.searchPath,
    });
  }

  /** The schemas that shared entities live in. */
  get sharedSchemas(): ReadonlySet<string> {
    const all = this.metadata.getAll();

    // `orm.discoverEntity()` adds entities later
    if (this.#sharedSchemas?.entities !== all.size) {
      const names = [...all.values()].flatMap(meta => (meta.schema === undefined || isTenantEntity(meta) ? [] : [meta.schema]));
      this.#sharedSchemas = { entities: all.size, names: new Set(names) };
    }

    return this.#sharedSchemas.names;
  }

  canonicalHost(host: string): string | undefined {
    return canonicalHostname(host, { stripWww: this.options.stripWww });
  }

  isPublicHost(canonicalHost: string): boolean {
    this.#publicHosts ??= new Set(this.options.publicHosts.map(host => this.canonicalHost(host)));

    return this.#publicHosts.has(canonicalHost);
  }

  /** Whether the tenant is the public one: its host serves the public routes, and it has no schema of its own. */
  isPublicTenant(tenant: Pick<TenantMixin<unknown>, 'schemaName'>): boolean {
    return tenant.schemaName === this.publicSchema;
  }

  /** Whether the metadata is the tenants' entity or of its inheritance tree. */
  isTenantClass(meta: Pick<EntityMetadata, 'class' | 'root'>): boolean {
    // asked for every row that is written
    return meta.root.class === (this.#tenantRoot ??= this.tenantMeta.root.class);
  }

  /** Whether the metadata is the entity of domains or of its inheritance tree. */
  isDomainClass(meta: Pick<EntityMetadata, 'class' | 'root'>): boolean {
    const { domains } = this.options;

    return domains !== undefined && meta.root.class === this.metadata.get(domains).root.class;
  }

  /** Whether the data for tenants has a `schemaName` or `domainUrl`, under the name of the property or of its column. */
  hasIdentity(data: object): boolean {
    const { properties } = this.tenantMeta;
    const names = (['schemaName', 'domainUrl'] as const).flatMap(name => [name, ...properties[name].fieldNames]);

    return names.some(name => name in data);
  }

  /** What holds for this tenant: what the instance says, else its class, else the option. */
  settingOf(tenant: TenantMixin<unknown>, name: TenantSetting): boolean {
    return settingOf(tenant, name) ?? this.options[name];
  }
}

const known = new WeakMap<Configuration, TenantRules>();
