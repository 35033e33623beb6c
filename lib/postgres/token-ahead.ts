import { AFTER_COLUMN } from './known-words.js';
import { SqlLexer, type TokenKind } from './sql-lexer.js';

/** The token that follows, which is read already; neither a space nor a comment. */
export class TokenAhead {
  readonly lexer: SqlLexer;
  /** Whether there is one. */
  isThere: boolean;

  constructor(sql: string) {
    this.lexer = new SqlLexer(sql);
    this.isThere = this.lexer.nextVisible();
  }

  /** Goes on to the one after it. */
  go(): void {
    this.isThere = this.lexer.nextVisible();
  }

  isSign(sign: string): boolean {
    const { sql, start, end } = this.lexer;

    return this.isThere && end === start + 1 && sql[start] === sign;
  }

  isWord(word: string): boolean {
    return this.isThere && this.lexer.kind === 'word' && this.lexer.text.toLowerCase() === word;
  }

  /** A literal, or what stands for one. */
  get isValue(): boolean {
    return this.isThere && VALUES.has(this.lexer.kind);
  }

  /** Another column of what is selected or returned, or its end. */
  get endsResult(): boolean {
    return !this.isThere || this.isSign(',') || this.isWord('from');
  }

  /** What may follow the name of a column in an expression, and does not make it that of a function, a type or a table. */
  get followsColumn(): boolean {
    const { kind, text } = this.lexer;

    return !this.isThere || SIGNS.has(kind) || (kind === 'word' ? AFTER_COLUMN.has(text.toLowerCase()) : ENDINGS.has(text));
  }
}

const VALUES: ReadonlySet<TokenKind> = new Set(['string', 'escape string', 'parameter']);

const SIGNS: ReadonlySet<TokenKind> = new Set(['operator', 'cast']);

const ENDINGS: ReadonlySet<string> = new Set([')', ',', ']', '[']);
