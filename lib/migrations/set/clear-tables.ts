import type { EntityMetadata, Transaction } from '@mikro-orm/core';
import type { AbstractSqlConnection } from '@mikro-orm/postgresql';
import { explainSharedWrite } from '../../entities/flush-errors.js';
import { quoteTable } from '../../postgres/schema-name.js';
import type { TenantRules } from '../../scope/tenant-rules.js';

/**
 * Empties shared tables and restarts their identities, as MikroORM's `truncate … restart identity cascade` does. That would also empty the
 * tables of tenants that refer to a shared one, so the rows are deleted: in one statement, because PostgreSQL checks foreign keys at its end,
 * so that tables may refer to each other in a circle.
 *
 * @throws SharedRowInUseError `SHARED_ROW_IN_USE`
 */
export async function clearTables(metadata: readonly EntityMetadata[], { connection, ctx, rules }: ClearedBy): Promise<void> {
  const tables = metadata.map(meta => quoteTable(meta.schema ?? rules.publicSchema, meta.tableName));

  await connection.transactional(
    async trx => {
      // as in MikroORM, a table that is not there yet is none to empty
      const found = await connection.execute<{ name: string }[]>(EXISTING, [JSON.stringify(tables)], 'all', trx);

      if (found.length === 0) {
        return;
      }

      const names = JSON.stringify(found.map(({ name }) => name));
      const deletions = found.map(({ name }, index) => `deleted_${index} as (delete from ${name})`);

      try {
        await connection.execute(`with ${deletions.join(', ')} select`, [], 'all', trx);
      } catch (error) {
        throw await explainSharedWrite(error, referredTo(error, metadata), rules);
      }

      for (const { name } of await connection.execute<{ name: string }[]>(SEQUENCES, [names], 'all', trx)) {
        await connection.execute(`alter sequence ${name} restart`, [], 'run', trx);
      }
    },
    ctx === undefined ? {} : { ctx },
  );
}

/** The entity whose row is in use. PostgreSQL names its table in the message alone. */
function referredTo(error: unknown, metadata: readonly EntityMetadata[]): EntityMetadata {
  const message = String(error);
  const [first] = metadata;

  return metadata.find(({ tableName }) => message.includes(`on table "${tableName}" violates`)) ?? (first as EntityMetadata);
}

export interface ClearedBy {
  readonly connection: AbstractSqlConnection;
  readonly ctx: Transaction | undefined;
  readonly rules: TenantRules;
}

const EXISTING = 'select name from jsonb_array_elements_text(?::jsonb) as given (name) where to_regclass(name) is not null';

/** The sequences of serial and identity columns. */
const SEQUENCES = `
  select d.objid::regclass::text as name
    from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S'
    where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
      and d.refobjid in (select name::regclass from jsonb_array_elements_text(?::jsonb) as given (name))
    order by 1`;
