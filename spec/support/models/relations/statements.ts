import { SHARED_TABLES } from './domain.ts';

/** The SQL of a plain MikroORM, without what logging adds. */
export function plainSql(statements: readonly string[]): string[] {
  return statements.map(statement =>
    bare(statement.replaceAll('"public".', '')).replaceAll('"own_grade"', '"grade"').replaceAll('own_grade_id', 'grade_id'),
  );
}

/**
 * The SQL of an ORM with tenants in the terms of a plain one. Every table has to have the schema that it is in, which is taken away;
 * what has another or none is marked.
 */
export function ownSql(statements: readonly string[], schemaName: string): string[] {
  const schemasOf = (table: string): readonly string[] =>
    table === 'grade' ? [schemaName, 'public'] : [(SHARED_TABLES as readonly string[]).includes(table) ? 'public' : schemaName];

  return (
    statements
      // the path of a statement with SQL of its own
      .filter(statement => !statement.includes(`set_config('search_path'`))
      .map(statement =>
        bare(statement)
          .replaceAll(AFTER_WORDS, (_all, word: string, first: string, second: string | undefined) =>
            second !== undefined && schemasOf(second).includes(first)
              ? `${word}"${second}"`
              : `${word}"${first}"."${second ?? ''}" NOT ITS OWN`,
          )
          .replaceAll('own_grade_id', 'grade_id'),
      )
  );
}

function bare(statement: string): string {
  const sql = statement.replace(/^\[query\] /, '').replace(/ \[took [^\]]*\]$/, '');

  // where there is one schema, MikroORM writes a formula twice in some queries
  return sql.replaceAll(/(, \(select count\(\*\)::int from [^()]*\) as "\w+")(.*)\1/g, '$1$2');
}

const AFTER_WORDS = /\b((?:from|join|into|update|view) \(*)"([^"]+)"(?:\."([^"]+)")?/g;
