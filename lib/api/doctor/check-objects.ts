import type { TenantDatabase } from '../../database/tenant-database.js';
import { findLocked } from '../../database/tenant-lock.js';
import { namesOfPath, quoteIdentifier, quoteTable } from '../../postgres/schema-name.js';
import { isTenantEntity } from '../../tenant/entity-kinds.js';
import { isPglite } from '../../tenant/is-pglite.js';
import type { Finding } from './finding.js';

/**
 * Indexes that no query uses, because building them has failed. One statement for the whole catalog. One that is just being built is not valid either, so
 * what is found is looked at again.
 */
export async function checkIndexes(database: TenantDatabase, names: ReadonlySet<string>, busy: Set<string>): Promise<Finding[]> {
  const found = (await readInvalid(database)).filter(({ schema }) => names.has(schema));

  if (found.length === 0) {
    return [];
  }

  const locked = await findLocked(database);
  const still = new Set((await readInvalid(database)).map(({ oid }) => oid));
  found.filter(({ schema }) => locked.has(schema)).forEach(({ schema }) => busy.add(schema));
  const rows = found.filter(({ schema, oid }) => !locked.has(schema) && still.has(oid));
  const way = isPglite(database.orm.config.getPlatform()) ? '' : ' concurrently';

  return rows.map(({ schema, index, table, kind }) => {
    const name = quoteTable(schema, index);
    // what `reindex concurrently` leaves behind stands beside the index that it was to replace
    const isLeft = /_cc(new|old)\d*$/.test(index);
    // a node of Citus may have none of that name
    const sql = isLeft ? `drop index${way} if exists ${name}` : `reindex index${way} ${name}`;

    return {
      kind: 'index-invalid',
      schemaName: schema,
      object: index,
      message: `index ${index} of ${table} is not valid, so no query uses it`,
      remedy: kind === 'I' ? 'Attach the indexes of all partitions.' : `${isLeft ? 'Drop it' : 'Build it again'}: \`${sql}\`.`,
      ...(kind === 'I' ? {} : { fix: [{ sql }] }),
    };
  });
}

function readInvalid(database: TenantDatabase): Promise<InvalidIndex[]> {
  return database.execute<InvalidIndex>(
    `select i.indexrelid::text as oid, n.nspname::text as schema, c.relname::text as index, t.relname::text as table, c.relkind::text as kind
      from pg_index i join pg_class c on c.oid = i.indexrelid join pg_class t on t.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace
      where not i.indisvalid and not exists (select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid) order by 2, 3`,
    [],
    undefined,
  );
}

interface InvalidIndex {
  readonly oid: string;
  readonly schema: string;
  readonly index: string;
  readonly table: string;
  readonly kind: string;
}

/** Functions that look for their tables in another schema than their own, wherever the function is. */
export async function checkFunctionPaths(database: TenantDatabase, names: ReadonlySet<string>): Promise<Finding[]> {
  const { publicSchema, options } = database.rules;
  const rows = await database.execute<{ schema: string; name: string; path: string }>(
    `select n.nspname::text as schema, p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' as name, substr(s, 13) as path
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace cross join unnest(p.proconfig) s
      where p.proconfig is not null and s like 'search_path=%' order by 1, 2`,
    [],
    undefined,
  );
  const shared = new Set([publicSchema, 'pg_catalog', 'pg_temp', '$user', '', ...options.searchPath]);

  return rows.flatMap(({ schema, name, path }) => {
    const others = namesOfPath(path).filter(each => each !== schema && !shared.has(each) && (names.has(schema) || names.has(each)));

    return others.length === 0
      ? []
      : [
          {
            kind: 'function-path' as const,
            ...(names.has(schema) ? { schemaName: schema } : {}),
            object: `${schema}.${name}`,
            message: `function ${schema}.${name} reads and writes in ${others.join(', ')}, by its own search_path`,
            remedy: `Look at what it does, and set its path: \`alter function … set search_path to ${quoteIdentifier(schema)}\`.`,
          },
        ];
  });
}

/** Rows in tables of the public schema that have the name of tenants' tables: somebody has written them without a tenant. */
export async function checkPublicRows(database: TenantDatabase): Promise<Finding[]> {
  const { metadata, publicSchema } = database.rules;
  const all = [...metadata.getAll().values()].filter(meta => meta.embeddable !== true && meta.virtual !== true);
  const shared = new Set(all.filter(meta => !isTenantEntity(meta.root)).map(({ tableName }) => tableName));
  const tables = [...new Set(all.filter(meta => isTenantEntity(meta.root)).map(({ tableName }) => tableName))].filter(
    name => !shared.has(name),
  );

  if (tables.length === 0) {
    return [];
  }

  const found = await database.execute<{ name: string }>(
    `select c.relname::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = ? and c.relkind in ('r', 'p') and c.relname in (?) order by 1`,
    [publicSchema, tables],
    undefined,
  );
  const findings: Finding[] = [];

  for (const { name } of found) {
    const rows = await database.execute(`select 1 from ${quoteTable(publicSchema, name)} limit 1`, [], undefined);

    if (rows.length > 0) {
      findings.push({
        kind: 'public-rows',
        object: `${publicSchema}.${name}`,
        message: `${publicSchema}.${name} has rows, and is the name of a table that each tenant has`,
        remedy: 'Find out whose rows they are, move them to their tenants, and drop the table.',
      });
    }
  }

  return findings;
}
