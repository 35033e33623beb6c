import type { EntityMetadata, Transaction } from '@mikro-orm/core';
import { forLibrary } from '../connection/sql-target.js';
import { quoteIdentifier, quoteTable } from '../postgres/schema-name.js';
import type { TenantRules } from '../scope/tenant-rules.js';
import type { WrappedOrm } from '../scope/wrapped-orm.js';

/** Finds tenants by all of their hosts, and their primary domains. For the option `domains`. */
export class TenantHosts {
  readonly #orm: WrappedOrm;
  readonly #rules: TenantRules;
  readonly #domains: () => EntityMetadata;

  /** Undefined without the option. */
  static of(orm: WrappedOrm, rules: TenantRules): TenantHosts | undefined {
    const { domains } = rules.options;

    return domains && new TenantHosts(orm, rules, () => rules.metadata.get(domains));
  }

  private constructor(orm: WrappedOrm, rules: TenantRules, domains: () => EntityMetadata) {
    this.#orm = orm;
    this.#rules = rules;
    this.#domains = domains;
  }

  /** The schema names of the tenants that have these hosts, in one statement. A `domainUrl` has precedence. */
  async find(hosts: readonly string[], ctx: Transaction | undefined): Promise<ReadonlyMap<string, FoundHost>> {
    const { tenants, domains, domainUrl, domain, isPrimary, schemaName, join } = this.#names();
    const list = hosts.map(() => '?').join(', ');
    const primary = `left join ${domains} as "p" on ${join('p')} and "p".${isPrimary}`;
    const columns = `"t".${schemaName} as "schemaName", "p".${domain} as "primaryHost"`;
    const rows = await this.#execute<FoundHost & { readonly host: string; readonly isDomainUrl: boolean }>(
      `select "d".${domain} as "host", false as "isDomainUrl", ${columns} from ${domains} as "d" join ${tenants} as "t" on ${join('d')} ${primary} where "d".${domain} in (${list}) ` +
        `union all select "t".${domainUrl} as "host", true as "isDomainUrl", ${columns} from ${tenants} as "t" ${primary} where "t".${domainUrl} in (${list})`,
      [...hosts, ...hosts],
      ctx,
    );

    // the last one of a host is kept
    return new Map(rows.toSorted((a, b) => Number(a.isDomainUrl) - Number(b.isDomainUrl)).map(row => [row.host, row]));
  }

  /** The primary domains of the tenants that have any, by schema name. */
  async primaryOf(schemaNames: readonly string[], ctx: Transaction | undefined): Promise<ReadonlyMap<string, string>> {
    const { tenants, domains, domain, isPrimary, schemaName, join } = this.#names();
    const rows = await this.#execute<{ readonly schemaName: string; readonly primaryHost: string }>(
      `select "t".${schemaName} as "schemaName", "p".${domain} as "primaryHost" from ${tenants} as "t" join ${domains} as "p" on ${join('p')} ` +
        `where "p".${isPrimary} and "t".${schemaName} in (${schemaNames.map(() => '?').join(', ')})`,
      schemaNames,
      ctx,
    );

    return new Map(rows.map(row => [row.schemaName, row.primaryHost]));
  }

  #names() {
    const { publicSchema, tenantMeta } = this.#rules;
    const domains = this.#domains();
    const tenant: EntityMetadata = tenantMeta.root;
    const columns = (meta: EntityMetadata, name: string): string[] => (meta.properties[name]?.fieldNames ?? []).map(quoteIdentifier);
    const keys = tenant.getPrimaryProps().flatMap(({ fieldNames }) => fieldNames.map(quoteIdentifier));
    const foreign = columns(domains, 'tenant');

    return {
      tenants: quoteTable(tenant.schema ?? publicSchema, tenant.tableName),
      domains: quoteTable(domains.schema ?? publicSchema, domains.tableName),
      domainUrl: columns(tenant, 'domainUrl')[0],
      schemaName: columns(tenant, 'schemaName')[0],
      domain: columns(domains, 'domain')[0],
      isPrimary: columns(domains, 'isPrimary')[0],
      join: (alias: string) => keys.map((key, index) => `"${alias}".${foreign[index]} = "t".${key}`).join(' and '),
    };
  }

  // from the primary, because a replica may lag behind what was told
  #execute<Row>(sql: string, params: readonly string[], ctx: Transaction | undefined): Promise<Row[]> {
    return forLibrary(this.#orm.config, () => this.#orm.em.getDriver().execute<Row[]>(sql, [...params], 'all', ctx));
  }
}

/** Whose a host is. */
export interface FoundHost {
  readonly schemaName: string;
  /** The primary domain of the tenant, or null. */
  readonly primaryHost: string | null;
}
