import { quoteIdentifier } from '../../postgres/schema-name.js';
import { SqlLexer } from '../../postgres/sql-lexer.js';
import { nameOf } from './unqualified.js';

/**
 * The statement with the other schema's name where it names the schema: before a dot in the body of a function, and in its path. Elsewhere PostgreSQL has left
 * the schema out, and the name is that of something else, such as a table. `left` says where the name stands in a text that PostgreSQL may read as SQL some
 * day, or where it may be something else than the schema; there the statement is as it was.
 */
export function repoint(sql: string, names: Names): { readonly sql: string; readonly left: readonly string[] } {
  // most statements do not have it at all
  if (!sql.toLowerCase().includes(names.from)) {
    return { sql, left: [] };
  }

  return new Repointing(names).read(sql, { isBody: false });
}

/** Whether the text has the name as a word of its own. */
export function wordOf(name: string): RegExp {
  return new RegExp(`(?<![a-z0-9_$])${escaped(name)}(?![a-z0-9_$])`, 'i');
}

/** The name as a part of a regular expression. A role's prefix may have any character. */
export function escaped(name: string): string {
  return name.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

export interface Names {
  readonly from: string;
  readonly to: string;
}

class Repointing {
  readonly #names: Names;
  readonly #word: RegExp;

  constructor(names: Names) {
    this.#names = names;
    this.#word = wordOf(names.from);
  }

  read(sql: string, { isBody }: { readonly isBody: boolean }): { sql: string; left: string[] } {
    const tokens = tokensOf(sql);
    const { from, to } = this.#names;
    const parts: string[] = [];
    const left: string[] = [];
    let bare: string | undefined;
    let isQualifier = false;
    let at = 0;
    const language = isBody ? undefined : languageOf(tokens);

    const replace = (token: Token, by: string): void => {
      parts.push(sql.slice(at, token.start), by);
      at = token.end;
    };

    tokens.forEach((token, index) => {
      const previous = tokens[index - 1];

      if (isBody && token.name === from && previous?.text !== '.') {
        if (tokens[index + 1]?.text === '.') {
          isQualifier = true;
          replace(token, quoteIdentifier(to));
        } else if (previous?.name === 'schema' || isInPath(tokens, index)) {
          left.push(around(sql, token));
        } else {
          bare = around(sql, token);
        }
      } else if (token.kind === 'body' && (language === 'sql' || language === 'plpgsql')) {
        const inner = this.read(contentOf(token.text), { isBody: true });
        const tag = tagOf(token.text);
        left.push(...inner.left);
        replace(token, `${tag}${inner.sql}${tag}`);
      } else if (TEXTS.has(token.kind) && this.#word.test(token.kind === 'body' ? contentOf(token.text) : token.text)) {
        // the path that the function itself has, as PostgreSQL writes it
        if (!isBody && token.text === `'${from}'` && isInPath(tokens, index)) {
          replace(token, `'${to}'`);
        } else {
          left.push(around(sql, token));
        }
      }
    });

    // an alias or a variable of that name: nobody can tell what stands before the dots
    if (isQualifier && bare !== undefined) {
      left.push(bare);
    }

    return { sql: parts.join('') + sql.slice(at), left };
  }
}

/** Whether the token is one of the names that `set search_path to` is given. */
function isInPath(tokens: readonly Token[], index: number): boolean {
  for (let before = index - 1; before >= 0; before -= 1) {
    const { name, text, kind } = tokens[before] as Token;

    if (name === 'search_path') {
      return true;
    }

    if (!(text === ',' || text === '=' || name === 'to' || kind === 'string' || kind === 'word' || kind === 'name')) {
      return false;
    }
  }

  return false;
}

function languageOf(tokens: readonly Token[]): string | undefined {
  const index = tokens.findIndex(({ name }) => name === 'language');

  return tokens[index + 1]?.name;
}

function tagOf(body: string): string {
  return body.slice(0, body.indexOf('$', 1) + 1);
}

function contentOf(body: string): string {
  const tag = tagOf(body);

  return body.slice(tag.length, -tag.length);
}

function around(sql: string, { start, end }: Token): string {
  return sql
    .slice(Math.max(0, start - 30), end + 30)
    .replaceAll(/\s+/g, ' ')
    .trim();
}

function tokensOf(sql: string): Token[] {
  const lexer = new SqlLexer(sql);
  const tokens: Token[] = [];

  while (lexer.nextVisible()) {
    const { kind, text, start, end } = lexer;
    tokens.push({ kind, text, start, end, name: nameOf(lexer) });
  }

  return tokens;
}

interface Token {
  readonly kind: SqlLexer['kind'];
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly name: string | undefined;
}

const TEXTS: ReadonlySet<SqlLexer['kind']> = new Set(['string', 'escape string', 'body', 'open']);
