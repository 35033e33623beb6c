import type { Transaction } from '@mikro-orm/core';
import { DeletedTenantError } from '../errors/index.js';
import { DELETED_PREFIX, quoteIdentifier, quoteTable } from '../postgres/schema-name.js';
import type { TenantRules } from '../scope/tenant-rules.js';
import type { TenantDatabase } from './tenant-database.js';

/** A tenant that was deleted and can be restored. */
export interface DeletedTenant {
  /** What its row and its schema are called now. */
  readonly id: string;
  /** What they were called. Undefined where somebody has taken the mark from the schema. */
  readonly schemaName: string | undefined;
  readonly domainUrl: string | undefined;
  readonly deletedAt: Date | undefined;
  readonly hasRow: boolean;
  readonly hasSchema: boolean;
}

/** The same with its further hosts: each as it was, and as it is called now. */
export interface MarkedTenant extends DeletedTenant {
  readonly domains: readonly (readonly [domain: string, aside: string])[];
}

/**
 * The tenants that were deleted and can be restored, the latest first. What they were is noted in the comment of the schema: so it is there for as
 * long as the schema is, also in a dump of it, and no table of the library's own or column of the user's is needed.
 */
export async function findDeleted(database: TenantDatabase, ctx?: Transaction): Promise<MarkedTenant[]> {
  const { table, schemaName } = tenantColumns(database.rules);
  const rows = await database.execute<FoundRow>(
    `select coalesce(n.name, t.name) as id, n.name is not null as has_schema, t.name is not null as has_row, n.mark from (
        select nspname::text as name, obj_description(oid, 'pg_namespace') as mark from pg_namespace where starts_with(nspname::text, ?)
      ) n full join (select ${schemaName}::text as name from ${table} where starts_with(${schemaName}, ?)) t on t.name = n.name order by 1`,
    [DELETED_PREFIX, DELETED_PREFIX],
    ctx,
  );

  return rows
    .map(({ id, has_row: hasRow, has_schema: hasSchema, mark }) => ({ id, hasRow, hasSchema, ...readMark(mark) }))
    .toSorted((a, b) => (b.deletedAt?.getTime() ?? 0) - (a.deletedAt?.getTime() ?? 0));
}

/**
 * The deleted tenant of an id, or of the name that it had.
 *
 * @throws DeletedTenantError `DELETED_TENANT_UNKNOWN` or `DELETED_TENANT_AMBIGUOUS`
 */
export async function findDeletedOne(database: TenantDatabase, name: string, ctx?: Transaction): Promise<MarkedTenant> {
  const found = (await findDeleted(database, ctx)).filter(({ id, schemaName }) => id === name || schemaName === name);

  if (found.length > 1) {
    throw DeletedTenantError.ambiguous(
      name,
      found.map(({ id }) => id),
    );
  }

  return found[0] ?? throwUnknown(name);
}

/** Notes on the schema what its tenant was. */
export async function markDeleted(
  database: TenantDatabase,
  id: string,
  { schemaName, domainUrl, domains }: Pick<MarkedTenant, 'schemaName' | 'domainUrl' | 'domains'>,
  ctx: Transaction,
): Promise<void> {
  const [row] = await database.execute<{ now: string }>('select extract(epoch from now())::text as now', [], ctx);
  const mark: Mark = { schemaName: schemaName ?? '', domainUrl: domainUrl ?? '', deletedAt: Math.round(Number(row?.now) * 1000), domains };
  // a comment takes no parameter, so what users have chosen stands in an alphabet without quotes
  await commentOn(database, id, `${DELETED_COMMENT}${Buffer.from(JSON.stringify(mark)).toString('base64url')}`, ctx);
}

/** Gives the tenant's row, and the rows of its further hosts, other names. The row is found by the name that it has. */
export async function renameRow(
  database: TenantDatabase,
  names: {
    readonly from: string;
    readonly schemaName: string;
    readonly domainUrl: string;
    readonly domains: readonly (readonly [string, string])[];
  },
  ctx: Transaction,
): Promise<void> {
  const { table, schemaName, domainUrl } = tenantColumns(database.rules);
  await database.execute(
    `update ${table} set ${schemaName} = ?, ${domainUrl} = ? where ${schemaName} = ?`,
    [names.schemaName, names.domainUrl, names.from],
    ctx,
  );
  const domains = domainColumns(database.rules);

  for (const [from, to] of domains === undefined ? [] : names.domains) {
    await database.execute(`update ${domains?.table} set ${domains?.domain} = ? where ${domains?.domain} = ?`, [to, from], ctx);
  }
}

/** The hosts that the tenant has beside its `domainUrl`. */
export async function domainsOf(database: TenantDatabase, name: string, ctx: Transaction): Promise<string[]> {
  const domains = domainColumns(database.rules);

  if (domains === undefined) {
    return [];
  }

  const { table, schemaName, keys } = tenantColumns(database.rules);
  const rows = await database.execute<{ domain: string }>(
    `select d.${domains.domain} as domain from ${domains.table} d join ${table} t on ${domains.tenant
      .map((column, index) => `d.${column} = t.${keys[index]}`)
      .join(' and ')} where t.${schemaName} = ? order by 1`,
    [name],
    ctx,
  );

  return rows.map(({ domain }) => domain);
}

/** Which of the two names another row has, if any. */
export async function takenBy(
  database: TenantDatabase,
  names: { readonly schemaName: string; readonly domainUrl: string },
  ctx: Transaction,
): Promise<'schemaName' | 'domainUrl' | undefined> {
  const { table, schemaName, domainUrl } = tenantColumns(database.rules);
  const rows = await database.execute<{ same_schema: boolean }>(
    `select ${schemaName} = ? as same_schema from ${table} where ${schemaName} = ? or ${domainUrl} = ?`,
    [names.schemaName, names.schemaName, names.domainUrl],
    ctx,
  );

  return rows.length === 0 ? undefined : rows.some(row => row.same_schema) ? 'schemaName' : 'domainUrl';
}

/** Locks the row of a deleted tenant until the transaction ends. False where there is none any more. */
export async function lockRow(database: TenantDatabase, name: string, ctx: Transaction): Promise<boolean> {
  const { table, schemaName } = tenantColumns(database.rules);

  return (await database.execute(`select 1 from ${table} where ${schemaName} = ? for update`, [name], ctx)).length > 0;
}

/** Writes the comment of a schema, which has to be without quotes. */
export async function commentOn(database: TenantDatabase, schemaName: string, comment: string, ctx: Transaction): Promise<void> {
  await database.execute(`comment on schema ${quoteIdentifier(schemaName)} is '${comment}'`, [], ctx);
}

function readMark(mark: string | null): Pick<MarkedTenant, 'schemaName' | 'domainUrl' | 'deletedAt' | 'domains'> {
  if (mark?.startsWith(DELETED_COMMENT) !== true) {
    return { schemaName: undefined, domainUrl: undefined, deletedAt: undefined, domains: [] };
  }

  const { schemaName, domainUrl, deletedAt, domains } = JSON.parse(
    Buffer.from(mark.slice(DELETED_COMMENT.length), 'base64url').toString(),
  ) as Mark;

  return { schemaName, domainUrl, deletedAt: new Date(deletedAt), domains };
}

/** The quoted names of the tenants' table and its columns. */
export function tenantColumns({ tenantMeta, publicSchema }: TenantRules): TenantColumns {
  const { root } = tenantMeta;

  return {
    table: quoteTable(root.schema ?? publicSchema, root.tableName),
    keys: root.getPrimaryProps().flatMap(({ fieldNames }) => fieldNames.map(quoteIdentifier)),
    schemaName: quoteIdentifier(root.properties.schemaName.fieldNames[0] ?? ''),
    domainUrl: quoteIdentifier(root.properties.domainUrl.fieldNames[0] ?? ''),
  };
}

function domainColumns({ options, metadata, publicSchema }: TenantRules): DomainColumns | undefined {
  const meta = options.domains && metadata.get(options.domains);

  return (
    meta && {
      table: quoteTable(meta.schema ?? publicSchema, meta.tableName),
      domain: quoteIdentifier(meta.properties.domain.fieldNames[0] ?? ''),
      tenant: meta.properties.tenant.fieldNames.map(quoteIdentifier),
    }
  );
}

function throwUnknown(name: string): never {
  throw DeletedTenantError.unknown(name);
}

/** What the comment of a deleted tenant's schema begins with. It is not that of a tenant, so nothing migrates or drops the schema. */
const DELETED_COMMENT = 'deleted tenant of @landlord/mikro-orm ';

interface Mark {
  readonly schemaName: string;
  readonly domainUrl: string;
  /** In milliseconds since 1970, by the server's clock. */
  readonly deletedAt: number;
  readonly domains: readonly (readonly [string, string])[];
}

interface FoundRow {
  readonly id: string;
  readonly has_row: boolean;
  readonly has_schema: boolean;
  readonly mark: string | null;
}

export interface TenantColumns {
  readonly table: string;
  readonly keys: readonly string[];
  readonly schemaName: string;
  readonly domainUrl: string;
}

interface DomainColumns {
  readonly table: string;
  readonly domain: string;
  readonly tenant: readonly string[];
}
