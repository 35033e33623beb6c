import { quoteIdentifier } from '../../postgres/schema-name.js';
import type { WrappedOrm } from '../../scope/wrapped-orm.js';
import { Tenancy } from '../../tenancy.js';
import type { MarkedTenant } from './requests.js';

/** Looks for the mark of each tenant in the tables of the others, and in the shared ones. */
export async function marksElsewhere(orm: WrappedOrm, pair: readonly MarkedTenant[]): Promise<string[]> {
  const { database, rules } = Tenancy.of(orm.config);
  const found: string[] = [];

  for (const tenant of pair) {
    const others = pair.filter(each => each !== tenant).map(({ schemaName }) => schemaName);

    for (const schema of [...others, rules.publicSchema]) {
      for (const table of await tablesOf(orm, schema)) {
        const rows = await database.execute<{ count: number }>(
          `select count(*)::int as count from ${quoteIdentifier(schema)}.${quoteIdentifier(table)} t where strpos(t::text, ?) > 0`,
          [tenant.mark],
          undefined,
        );

        if ((rows[0]?.count ?? 0) > 0) {
          found.push(`the table "${schema}"."${table}" holds the mark of "${tenant.schemaName}" in ${rows[0]?.count} rows`);
        }
      }
    }
  }

  return found;
}

/** Has each tenant's keys begin somewhere else, so that a key of one is not by chance one of the other. */
export async function moveSequences(orm: WrappedOrm, schema: string): Promise<void> {
  const { database } = Tenancy.of(orm.config);
  const sequences = await database.execute<{ name: string }>(
    'select sequencename::text as name from pg_sequences where schemaname = ? and increment_by = 1',
    [schema],
    undefined,
  );
  moves += 1;

  for (const { name } of sequences) {
    const sequence = `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
    await database.execute('select setval(?::regclass, ?)', [sequence, 1_000 * moves], undefined);
  }
}

async function tablesOf(orm: WrappedOrm, schema: string): Promise<string[]> {
  const rows = await Tenancy.of(orm.config).database.execute<{ name: string }>(
    'select tablename::text as name from pg_tables where schemaname = ?',
    [schema],
    undefined,
  );

  return rows.map(({ name }) => name);
}

let moves = 0;
