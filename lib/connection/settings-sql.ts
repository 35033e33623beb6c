import type { Query } from './kysely-types.js';

/** A statement of ours, as Kysely's connections take it. */
export function queryOf(sql: string, parameters: readonly string[]): Query {
  return { sql, parameters, query: { kind: 'RawNode', sqlFragments: [sql], parameters: [] }, queryId: { queryId: 'tenants' } };
}

/** With its schema, as whoever sets the path chooses what `set_config` alone would be. */
export function setConfig(name: string, value: string, isLocal: boolean): string {
  return `pg_catalog.set_config('${name}', ${value}, ${isLocal})`;
}

export const READ = `select pg_catalog.current_setting('search_path') as path, pg_catalog.current_setting('role') as role`;
