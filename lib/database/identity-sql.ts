import { quoteIdentifier, quoteTable } from '../postgres/schema-name.js';
import type { TenantRules } from '../scope/tenant-rules.js';

/**
 * Asks for the names of the tenants of these keys as they are stored, and for the schemas of those names: `nr`, `name`, `oid` and the schema's
 * `mark`, a row for each tenant there is. Both are of one snapshot, so that no rename can come between them. Every
 * name in it is qualified, so that no path has to be set for it.
 */
export function identitySql({ tenantMeta, publicSchema }: TenantRules, tenants: number): string {
  const { root } = tenantMeta;
  const keys = root.getPrimaryProps().flatMap(({ fieldNames }) => fieldNames);
  const name = `"t".${quoteIdentifier(root.properties.schemaName.fieldNames[0] ?? '')}`;
  const table = quoteTable(root.schema ?? publicSchema, root.tableName);
  const join = `left join "pg_catalog"."pg_namespace" as "n" on "n"."nspname" = ${name}`;

  return Array.from({ length: tenants }, (_, nr) => {
    const isKey = keys.map(key => `"t".${quoteIdentifier(key)} = ?`).join(' and ');

    return `select ${nr} as "nr", ${name} as "name", "n"."oid" as "oid", ${MARK} as "mark" from ${table} as "t" ${join} where ${isKey}`;
  }).join(' union all ');
}

const MARK = `"n"."xmin"::"pg_catalog"."text"`;
