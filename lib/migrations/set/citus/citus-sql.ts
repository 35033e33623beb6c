import type { DatabaseSchema } from '@mikro-orm/postgresql';
import { oneSubcommandEach, shapeOf, withIdentities } from '../../../postgres/statement-shape.js';
import { splitStatements } from '../../../postgres/transaction-statements.js';
import { makeReference } from './reference-tables.js';

/**
 * Generated SQL as Citus takes it: one subcommand in each `alter table`, and identities in the place of `serial`, for which an ordinary user gets no
 * sequence in a schema that the same transaction creates. PostgreSQL takes all of it too.
 */
export function citusSql(sql: string, { isOfTenant }: { readonly isOfTenant: boolean }): string {
  const statements = splitStatements(sql).flatMap(each => oneSubcommandEach(withIdentities(each)));
  const first = isOfTenant ? statements.findIndex(each => TRIGGER.test(shapeOf(each))) : -1;

  // Citus cannot know what a trigger does. All tables of a tenant are on one node, and the trigger runs there
  if (first !== -1) {
    statements.splice(first, 0, ALLOW_TRIGGERS);
  }

  return statements.length === 0 ? '' : `${statements.join(';\n')};\n`;
}

/** The same for shared tables, followed by those that become reference tables. */
export function publicCitusSql(sql: string, references: readonly string[]): string {
  return [citusSql(sql, { isOfTenant: false }), ...references.map(table => `${makeReference(table)};\n`)].join('');
}

/** Has MikroORM take identities for the keys that it makes as `serial`, unless the entity says that it is an identity. */
export function asSerials(found: DatabaseSchema, wanted: DatabaseSchema): void {
  for (const table of found.getTables()) {
    const target = wanted.getTable(table.name) ?? wanted.getTable(`${table.schema}.${table.name}`);

    for (const column of table.getColumns()) {
      if (column.generated === 'by default as identity' && target?.getColumn(column.name)?.generated === undefined) {
        delete column.generated;
      }
    }
  }
}

export const ALLOW_TRIGGERS = 'set local citus.enable_unsafe_triggers to on';

export const TRIGGER = /^(?:create (?:or replace )?(?:constraint )?trigger|drop trigger)\b/;
