import {
  QUOTE,
  DOUBLE_QUOTE,
  DOLLAR,
  DOT,
  COLON,
  DASH,
  SLASH,
  STAR,
  LOWER_E,
  UPPER_E,
  isSpace,
  isDigit,
  isWordStart,
  isOperator,
} from './sql-characters.js';
import {
  endOfSpace,
  endOfWord,
  endOfTag,
  endOfDigits,
  endOfNumber,
  endOfQuoted,
  endOfEscapeString,
  endOfLine,
  endOfComment,
  endOfOperator,
} from './token-ends.js';

/**
 * What a piece of SQL is to PostgreSQL's lexer. A `string` is a literal of any form; `open` is one of a literal, a name, a body or a comment
 * that does not end; `other` is a single sign that is none of these.
 */
export type TokenKind =
  | 'space'
  | 'comment'
  | 'string'
  | 'escape string'
  | 'name'
  | 'body'
  | 'word'
  | 'number'
  | 'parameter'
  | 'operator'
  | 'cast'
  | 'other'
  | 'open';

/**
 * Reads SQL token by token, as PostgreSQL does. Each character is looked at a limited number of times and nothing recurs, so that a
 * statement may have any length. No regular expression is used, because one that repeats a group fails with a `RangeError` on a long text.
 */
export class SqlLexer {
  readonly sql: string;
  kind: TokenKind = 'space';
  start = 0;
  end = 0;

  constructor(sql: string) {
    this.sql = sql;
  }

  /** Goes on to the next token. False at the end of the SQL. */
  next(): boolean {
    const { sql, end: at } = this;

    if (at >= sql.length) {
      return false;
    }

    this.start = at;
    const code = sql.charCodeAt(at);

    if (isSpace(code)) {
      this.#end('space', endOfSpace(sql, at));
    } else if (isWordStart(code)) {
      this.#word(at, code);
    } else if (code === QUOTE) {
      this.#quoted('string', sql, at);
    } else if (code === DOUBLE_QUOTE) {
      this.#quoted('name', sql, at);
    } else if (isDigit(code) || (code === DOT && isDigit(sql.charCodeAt(at + 1)))) {
      this.#end('number', endOfNumber(sql, at));
    } else if (code === DOLLAR) {
      this.#dollar(sql, at);
    } else if (code === DASH && sql.charCodeAt(at + 1) === DASH) {
      this.#end('comment', endOfLine(sql, at));
    } else if (code === SLASH && sql.charCodeAt(at + 1) === STAR) {
      const end = endOfComment(sql, at);
      this.#end(end === -1 ? 'open' : 'comment', end === -1 ? sql.length : end);
    } else if (isOperator(code)) {
      this.#end('operator', endOfOperator(sql, at));
    } else if (code === COLON && sql.charCodeAt(at + 1) === COLON) {
      this.#end('cast', at + 2);
    } else {
      this.#end('other', at + 1);
    }

    return true;
  }

  /** Goes on to the next token that is neither space nor comment. False at the end of the SQL. */
  nextVisible(): boolean {
    while (this.next()) {
      if (this.kind !== 'space' && this.kind !== 'comment') {
        return true;
      }
    }

    return false;
  }

  get text(): string {
    return this.sql.slice(this.start, this.end);
  }

  #end(kind: TokenKind, end: number): void {
    this.kind = kind;
    this.end = end;
  }

  #word(at: number, code: number): void {
    const { sql } = this;

    if ((code === LOWER_E || code === UPPER_E) && sql.charCodeAt(at + 1) === QUOTE) {
      const end = endOfEscapeString(sql, at + 1);
      this.#end(end === -1 ? 'open' : 'escape string', end === -1 ? sql.length : end);
    } else {
      this.#end('word', endOfWord(sql, at));
    }
  }

  #quoted(kind: 'string' | 'name', sql: string, at: number): void {
    const end = endOfQuoted(sql, at);
    this.#end(end === -1 ? 'open' : kind, end === -1 ? sql.length : end);
  }

  #dollar(sql: string, at: number): void {
    if (isDigit(sql.charCodeAt(at + 1))) {
      this.#end('parameter', endOfDigits(sql, at + 1));
      return;
    }

    const tagEnd = isWordStart(sql.charCodeAt(at + 1)) ? endOfTag(sql, at + 1) : at + 1;

    if (sql.charCodeAt(tagEnd) !== DOLLAR) {
      this.#end('other', at + 1);
      return;
    }

    const tag = sql.slice(at, tagEnd + 1);
    const closing = sql.indexOf(tag, tagEnd + 1);
    this.#end(closing === -1 ? 'open' : 'body', closing === -1 ? sql.length : closing + tag.length);
  }
}

/** The SQL with a space in place of each literal, name in quotes, body and comment. */
export function outsideOfTexts(sql: string): string {
  const lexer = new SqlLexer(sql);
  const texts: string[] = [];
  let from = 0;

  while (lexer.next()) {
    if (TEXTS.has(lexer.kind)) {
      texts.push(sql.slice(from, lexer.start));
      from = lexer.end;
    }
  }

  return from === 0 ? sql : [...texts, sql.slice(from)].join(' ');
}

const TEXTS: ReadonlySet<TokenKind> = new Set(['comment', 'string', 'escape string', 'name', 'body', 'open']);
