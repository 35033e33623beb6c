import { SqlLexer, type TokenKind } from './sql-lexer.js';

/**
 * What a piece of SQL is to the transaction that it is sent in:
 * - `begin`, `end` and `chain` open a transaction, end it, and end it to begin another at once;
 * - `savepoint` makes a place to come back to;
 * - `plain` has no name that is looked up on the path and sets neither path nor role, such as `rollback to s` or `set transaction …`;
 * - `lock` has names, and takes no snapshot;
 * - `other` is everything else.
 */
export type SqlKind = 'begin' | 'end' | 'chain' | 'savepoint' | 'plain' | 'lock' | 'other';

/** A piece of SQL: one statement about the transaction, or all that stands between two of them. */
export interface SqlPart {
  readonly kind: SqlKind;
  readonly sql: string;
}

/**
 * The SQL, taken apart where a statement of it is about its transaction. Undefined where none is and it is of the kind `other`, so that it
 * can be sent as it is.
 *
 * The statements are told apart as psql does it. What is misread is either refused by PostgreSQL, as it reads a whole message before it runs
 * any of it, or taken for `other`.
 */
export function partsOf(sql: string): readonly SqlPart[] | undefined {
  if (!sql.includes(';') && isOther(sql)) {
    return undefined;
  }

  const parts: SqlPart[] = [];

  for (const part of statementsOf(sql)) {
    const last = parts.at(-1);

    if (last !== undefined && ofStatements(last.kind) && ofStatements(part.kind)) {
      parts[parts.length - 1] = { kind: together(last.kind, part.kind), sql: `${last.sql};${part.sql}` };
    } else {
      parts.push(part);
    }
  }

  return parts.length === 0 || (parts.length === 1 && parts[0]?.kind === 'other') ? undefined : parts;
}

/** The SQL with a space in place of each comment. */
export function withoutComments(sql: string): string {
  if (!sql.includes('--') && !sql.includes('/*')) {
    return sql;
  }

  const lexer = new SqlLexer(sql);
  const texts: string[] = [];
  let from = 0;

  while (lexer.next()) {
    if (isComment(lexer)) {
      texts.push(sql.slice(from, lexer.start));
      from = lexer.end;
    }
  }

  return [...texts, sql.slice(from)].join(' ');
}

/** The statements of the SQL, one by one. Those of comments alone are left out. */
export function splitStatements(sql: string): string[] {
  return statementsOf(sql).map(statement => statement.sql.trim());
}

// told by the first word, where that is easily found
function isOther(sql: string): boolean {
  const lexer = new SqlLexer(sql);

  return !lexer.nextVisible() || !FIRST_WORDS.has(lexer.text.toLowerCase());
}

function ofStatements(kind: SqlKind): boolean {
  return kind === 'other' || kind === 'lock' || kind === 'plain';
}

function together(one: SqlKind, two: SqlKind): SqlKind {
  return one === two ? one : [one, two].includes('other') ? 'other' : 'lock';
}

/** The statements of the SQL. Those of comments alone are left out. */
function statementsOf(sql: string): SqlPart[] {
  const statements: SqlPart[] = [];
  const lexer = new SqlLexer(sql);
  let start = 0;
  // without comments, and with nothing inside quotes
  let words = new Words();
  let parentheses = 0;
  // of `begin atomic` and `case` in the body of a function, each of which has an `end`
  let blocks = 0;

  const end = (at: number): void => {
    if (!words.isEmpty) {
      statements.push({ kind: words.isLong ? 'other' : kindOf(words.text), sql: sql.slice(start, at) });
    }

    words = new Words();
  };

  while (lexer.next()) {
    const { kind } = lexer;

    if (kind === 'space' || isComment(lexer)) {
      words.addSpace();
    } else if (QUOTES.has(kind)) {
      words.add(sql[lexer.start] === '"' ? nameIn(lexer.text, words) : "''");
    } else if (kind === 'word') {
      const word = lexer.text;
      words.add(word);
      blocks += parentheses === 0 && words.isRoutine ? blockOf(word, blocks) : 0;
    } else if (kind === 'other' && lexer.text === ';' && parentheses === 0 && blocks === 0) {
      end(lexer.start);
      start = lexer.end;
    } else {
      const token = lexer.text;
      parentheses = Math.max(0, parentheses + (token === '(' ? 1 : token === ')' ? -1 : 0));
      words.add(token);
    }
  }

  end(sql.length);

  return statements;
}

/** What stands for a name in quotes: nothing, but for that of a setting, which is the same with and without quotes. */
function nameIn(quoted: string, before: Words): string {
  return before.isSet && SETTING_NAME.test(quoted) ? quoted.slice(1, -1) : '""';
}

function blockOf(token: string, blocks: number): number {
  const word = token.toLowerCase();

  return word === 'begin' || (word === 'case' && blocks > 0) ? 1 : word === 'end' && blocks > 0 ? -1 : 0;
}

function isComment({ kind, sql, start }: SqlLexer): boolean {
  return kind === 'comment' || (kind === 'open' && sql[start] === '/');
}

/** The words of a statement, with one space where there are some, or comments. */
class Words {
  /** Whether the statement makes a function or a procedure. */
  isRoutine = false;
  readonly #pieces: string[] = [];

  get isEmpty(): boolean {
    return this.#pieces.length === 0;
  }

  /** Whether it has more words than any statement about its transaction. */
  get isLong(): boolean {
    return this.#pieces.length >= MOST_PIECES;
  }

  /** Whether the name of a setting follows. */
  get isSet(): boolean {
    return this.#pieces.length <= SET_PIECES && SET.test(this.text);
  }

  get text(): string {
    return this.#pieces.join('').trim();
  }

  add(piece: string): void {
    if (!this.isLong) {
      this.#pieces.push(piece);
      this.isRoutine ||= this.#pieces.length <= ROUTINE_PIECES && ROUTINE.test(this.text);
    }
  }

  addSpace(): void {
    if (!this.isEmpty && this.#pieces.at(-1) !== ' ') {
      this.add(' ');
    }
  }
}

const MOST_PIECES = 10_000;

// `set local `
const SET_PIECES = 4;

const SET = /^set(?: (?:local|session))?$/i;

const SETTING_NAME = /^"[a-z_][a-z0-9_.]*"$/;

// `create or replace function`
const ROUTINE_PIECES = 7;

/** Of a statement without comments. */
function kindOf(statement: string): SqlKind {
  return KINDS.find(([, pattern]) => pattern.test(statement))?.[0] ?? 'other';
}

const QUOTES: ReadonlySet<TokenKind> = new Set(['string', 'escape string', 'name', 'body', 'open']);

const FIRST_WORDS: ReadonlySet<string> = new Set(
  'begin start commit end rollback abort prepare savepoint release set reset show listen unlisten notify lock'.split(' '),
);

const ROUTINE = /^create (?:or replace )?(?:function|procedure)$/i;

const WORK = String.raw`(?:\s+(?:work|transaction))?`;

/** A setting that is neither the path nor the role, under whatever name, and whose value is not looked up on the path. */
const SETTING = String.raw`(?!(?:search_path|schema|role|session|session_authorization|is_superuser|all|default_text_search_config)\b)[a-z_][\w.]*`;

// a quoted name of anything but a setting, or one with escapes in it, is not looked at: it is `other`
const KINDS: readonly (readonly [SqlKind, RegExp])[] = (
  [
    ['begin', [String.raw`begin\b(?!\s+atomic\b).*`, String.raw`start\s+transaction\b.*`]],
    ['chain', [String.raw`(?:commit|end|rollback|abort)${WORK}\s+and\s+chain`]],
    ['end', [String.raw`(?:commit|end|rollback|abort)${WORK}(?:\s+and\s+no\s+chain)?`, String.raw`prepare\s+transaction\s.*`]],
    ['savepoint', [String.raw`savepoint\s.*`]],
    [
      'plain',
      [
        String.raw`release\s.*`,
        String.raw`rollback${WORK}\s+to\s.*`,
        String.raw`(?:commit|rollback)\s+prepared\s.*`,
        String.raw`set\s+(?:(?:local|session)\s+)?transaction\s.*`,
        String.raw`set\s+session\s+characteristics\s.*`,
        String.raw`set\s+constraints\s+all\s.*`,
        String.raw`set\s+(?:(?:local|session)\s+)?(?:time\s+zone\s.*|names\s.*|${SETTING}(?:\s*=|\s+to\s).*)`,
        String.raw`(?:reset|show)\s+(?:time\s+zone|transaction\s+isolation\s+level|${SETTING})`,
        String.raw`(?:listen|unlisten|notify)\s.*`,
      ],
    ],
    ['lock', [String.raw`lock\s.*`]],
  ] as const
).map(([kind, patterns]) => [kind, new RegExp(`^(?:${patterns.join('|')})\\s*$`, 'is')] as const);
