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

  let text = '';

  for (let at = 0; at < sql.length;) {
    const [token, kind] = tokenAt(sql, at);
    text += kind === 'comment' ? ' ' : token;
    at += token.length;
  }

  return text;
}

/** The statements of the SQL, one by one. Those of comments alone are left out. */
export function splitStatements(sql: string): string[] {
  return statementsOf(sql).map(statement => statement.sql.trim());
}

// told by the first word, where that is easily found
function isOther(sql: string): boolean {
  const start = LEADING.exec(sql)?.[0].length ?? 0;
  FIRST_WORD.lastIndex = start;

  return !sql.startsWith('/*', start) && !FIRST_WORD.test(sql);
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
  let start = 0;
  let at = 0;
  // without comments, and with nothing inside quotes
  let words = '';
  let parentheses = 0;
  // of `begin atomic` and `case` in the body of a function, each of which has an `end`
  let blocks = 0;

  const end = (): void => {
    const text = words.trim();

    if (text !== '') {
      statements.push({ kind: kindOf(text), sql: sql.slice(start, at) });
    }

    words = '';
  };

  while (at < sql.length) {
    const [token, kind] = tokenAt(sql, at);

    if (token === ';' && parentheses === 0 && blocks === 0) {
      end();
      start = at + 1;
    } else if (kind === 'comment') {
      words += ' ';
    } else if (kind === 'quoted') {
      words += token.startsWith('"') ? '""' : "''";
    } else {
      parentheses = Math.max(0, parentheses + (token === '(' ? 1 : token === ')' ? -1 : 0));
      blocks += parentheses === 0 && ROUTINE.test(words) ? blockOf(token, blocks) : 0;
      words += token;
    }

    at += token.length;
  }

  end();

  return statements;
}

function blockOf(token: string, blocks: number): number {
  const word = token.toLowerCase();

  return word === 'begin' || (word === 'case' && blocks > 0) ? 1 : word === 'end' && blocks > 0 ? -1 : 0;
}

function tokenAt(sql: string, at: number): readonly [string, 'comment' | 'quoted' | 'other'] {
  if (sql.startsWith('/*', at)) {
    return [commentAt(sql, at), 'comment'];
  }

  TOKEN.lastIndex = at;
  const match = TOKEN.exec(sql);
  const { comment, quoted } = match?.groups ?? {};

  // the last alternative takes whatever there is
  return [match?.[0] ?? sql.slice(at), comment !== undefined ? 'comment' : quoted !== undefined ? 'quoted' : 'other'];
}

// one may have others inside
function commentAt(sql: string, start: number): string {
  let depth = 0;

  for (let at = start; at < sql.length; at++) {
    if (sql.startsWith('/*', at)) {
      depth += 1;
      at += 1;
    } else if (sql.startsWith('*/', at)) {
      depth -= 1;
      at += 1;

      if (depth === 0) {
        return sql.slice(start, at + 1);
      }
    }
  }

  return sql.slice(start);
}

/** Of a statement without comments. */
function kindOf(statement: string): SqlKind {
  return KINDS.find(([, pattern]) => pattern.test(statement))?.[0] ?? 'other';
}

const TOKEN = new RegExp(
  [
    `(?<comment>--[^\\n\\r]*)`,
    // an escape string, a string, a quoted name and a body, each also where it does not end
    `(?<quoted>e'(?:[^'\\\\]|\\\\[\\s\\S]|'')*'?|'(?:[^']|'')*'?|"(?:[^"]|"")*"?|\\$(?<tag>(?:[a-z_\\u0080-\\uffff][\\w\\u0080-\\uffff]*)?)\\$[\\s\\S]*?(?:\\$\\k<tag>\\$|$))`,
    `[a-z_\\u0080-\\uffff][\\w$\\u0080-\\uffff]*`,
    `\\s+`,
    `[\\s\\S]`,
  ].join('|'),
  'iy',
);

// what stands before the first word
const LEADING = /^(?:\s|--[^\n\r]*|\/\*(?:[^*/]|\*(?!\/)|\/(?!\*))*\*\/)*/;

const FIRST_WORD = /(?:begin|start|commit|end|rollback|abort|prepare|savepoint|release|set|reset|show|listen|unlisten|notify|lock)\b/iy;

const ROUTINE = /^\s*create\s+(?:or\s+replace\s+)?(?:function|procedure)\s/i;

const WORK = String.raw`(?:\s+(?:work|transaction))?`;

/** A setting that is neither the path nor the role, under whatever name, and whose value is not looked up on the path. */
const SETTING = String.raw`(?!(?:search_path|schema|role|session|session_authorization|is_superuser|all|default_text_search_config)\b)[a-z_][\w.]*`;

// a quoted name, or one with escapes in it, is not looked at: it is `other`
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
