import type { EntityMetadata, Transaction } from '@mikro-orm/core';
import { forLibrary } from '../connection/statements/sql-target.js';
import { TenantChangedError } from '../errors/index.js';
import { isDeletedName, quoteIdentifier, quoteTable } from '../postgres/schema-name.js';
import type { TenantIdentity } from '../scope/tenant-identity.js';
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

  /**
   * The tenants that have these hosts. `findByName` reads them by the schema names that the hosts lead to. Another tenant may have got such a name
   * meanwhile, so each one is compared with whose the host is, and looked up again if it is another.
   *
   * @throws TenantChangedError `TENANT_CHANGED` if its name changes each time.
   */
  async findTenants<Found extends FoundTenant>(
    hosts: readonly string[],
    ctx: Transaction | undefined,
    findByName: (schemaNames: readonly string[]) => Promise<ReadonlyMap<string, Found>>,
  ): Promise<ReadonlyMap<string, Found & { readonly primaryHost: string | undefined }>> {
    const tenants = new Map<string, Found & { readonly primaryHost: string | undefined }>();
    let open = hosts;
    let before: ReadonlyMap<string, FoundHost> = new Map();

    for (let attempt = 0; open.length > 0; attempt += 1) {
      const owners = await this.find(open, ctx);
      const names = [...new Set([...owners.values()].map(({ schemaName }) => schemaName))];
      const found = names.length === 0 ? new Map<string, Found>() : await findByName(names);
      const again: string[] = [];

      for (const [host, owner] of owners) {
        const tenant = found.get(owner.schemaName);

        if (tenant !== undefined && isOwner(tenant, owner)) {
          tenants.set(host, { ...tenant, primaryHost: owner.primaryHost ?? undefined });
        } else if (tenant !== undefined || !isSameOwner(before.get(host), owner)) {
          // one that is not there twice is hidden by a filter
          again.push(host);
        }
      }

      if (attempt === ATTEMPTS && again.length > 0) {
        throw new TenantChangedError(owners.get(again[0] as string)?.schemaName ?? '');
      }

      before = owners;
      open = again;
    }

    return tenants;
  }

  /** The schema names of the tenants that have these hosts, in one statement. A `domainUrl` has precedence. */
  async find(hosts: readonly string[], ctx: Transaction | undefined): Promise<ReadonlyMap<string, FoundHost>> {
    const { tenants, domains, domainUrl, domain, isPrimary, schemaName, join, key } = this.#names();
    const list = hosts.map(() => '?').join(', ');
    const primary = `left join ${domains} as "p" on ${join('p')} and "p".${isPrimary}`;
    const columns = `${key} as "key", "t".${schemaName} as "schemaName", "p".${domain} as "primaryHost"`;
    const rows = await this.#execute<FoundHost & { readonly host: string; readonly isDomainUrl: boolean }>(
      `select "d".${domain} as "host", false as "isDomainUrl", ${columns} from ${domains} as "d" join ${tenants} as "t" on ${join('d')} ${primary} where "d".${domain} in (${list}) ` +
        `union all select "t".${domainUrl} as "host", true as "isDomainUrl", ${columns} from ${tenants} as "t" ${primary} where "t".${domainUrl} in (${list})`,
      [...hosts, ...hosts],
      ctx,
    );

    // the last one of a host is kept
    return new Map(
      rows
        .filter(row => !isDeletedName(row.schemaName))
        .toSorted((a, b) => Number(a.isDomainUrl) - Number(b.isDomainUrl))
        .map(row => [row.host, row]),
    );
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
      // in one text, as the values of an identity are compared with it
      key: `pg_catalog.jsonb_build_array(${keys.map(key => `"t".${key}::text`).join(', ')})::text`,
      join: (alias: string) => keys.map((key, index) => `"${alias}".${foreign[index]} = "t".${key}`).join(' and '),
    };
  }

  // from the primary, because a replica may lag behind what was told
  #execute<Row>(sql: string, params: readonly string[], ctx: Transaction | undefined): Promise<Row[]> {
    return forLibrary(this.#orm.config, () => this.#orm.em.getDriver().execute<Row[]>(sql, [...params], 'all', ctx));
  }
}

/** Whether the tenant is the one that the host is of, whatever has become of its name. */
function isOwner({ identity }: FoundTenant, { key }: FoundHost): boolean {
  const values = identity?.keyValues ?? [];

  return JSON.stringify(values.map(String)) === JSON.stringify(JSON.parse(key));
}

function isSameOwner(one: FoundHost | undefined, other: FoundHost): boolean {
  return one?.key === other.key && one.schemaName === other.schemaName;
}

/** How often one is looked up whose name changes again and again. */
const ATTEMPTS = 10;

interface FoundTenant {
  readonly identity: TenantIdentity | undefined;
}

/** Whose a host is. */
export interface FoundHost {
  /** The key of the tenant's row: a JSON list of its columns as texts. */
  readonly key: string;
  readonly schemaName: string;
  /** The primary domain of the tenant, or null. */
  readonly primaryHost: string | null;
}
