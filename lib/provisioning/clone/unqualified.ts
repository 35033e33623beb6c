import { SqlLexer } from '../../postgres/sql-lexer.js';

/**
 * The statement without the schema before the first mention of the object. PostgreSQL writes the schema of what a definition is of, whatever the path
 * is. All other names follow the path.
 */
export function unqualified(sql: string, { schemaName, name }: { readonly schemaName: string; readonly name: string }): string {
  const lexer = new SqlLexer(sql);
  let start: number | undefined;
  let hasDot = false;

  while (lexer.next()) {
    if (start !== undefined && hasDot && nameOf(lexer) === name) {
      return sql.slice(0, start) + sql.slice(lexer.start);
    }

    if (start !== undefined && !hasDot && lexer.text === '.') {
      hasDot = true;
    } else {
      start = nameOf(lexer) === schemaName ? lexer.start : undefined;
      hasDot = false;
    }
  }

  return sql;
}

/** The name that the token means, if it is one. */
export function nameOf({ kind, text }: Pick<SqlLexer, 'kind' | 'text'>): string | undefined {
  if (kind === 'word') {
    return text.replaceAll(/[A-Z]/g, letter => letter.toLowerCase());
  }

  return kind === 'name' ? text.slice(1, -1).replaceAll('""', '"') : undefined;
}
