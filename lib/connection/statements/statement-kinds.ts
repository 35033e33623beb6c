import { outsideOfTexts, SqlLexer } from '../../postgres/sql-lexer.js';
import { partsOf, withoutComments } from '../../postgres/transaction-statements.js';
import { isPlainRead } from '../../postgres/unqualified-names.js';

/**
 * Whether the statement may change data, by its first word; a message of several may. It is told too often rather than too seldom: what may
 * write is sent in a transaction. A function that writes and is called by `select` is not seen.
 */
export function mayWrite(sql: string): boolean {
  if (isPlainRead(sql)) {
    return false;
  }

  if (WRITING_FIRST.test(sql)) {
    return true;
  }

  const word = firstWordOf(sql);

  // what is only seen at a closer look is seldom there at all
  return (
    WRITES.has(word) ||
    goesOn(sql) ||
    (word === 'with' && WRITING.test(outsideOfTexts(sql))) ||
    (word === 'explain' && ANALYZED.test(sql) && EXECUTING.test(outsideOfTexts(sql))) ||
    (INTO.test(sql) && INTO.test(outsideOfTexts(sql)))
  );
}

/** Whether what is sent is one statement, without a semicolon at its end. */
export function isSingle(sql: string): boolean {
  return !sql.includes(';') || !outsideOfTexts(sql).includes(';');
}

/**
 * Whether the statement may look up an operator or a name on the path, and can be given a transaction for that. Left out is what PostgreSQL
 * refuses in one, and what is about the session or its transaction.
 */
export function canHaveTransaction(sql: string): boolean {
  return LOOKS_UP.has(firstWordOf(sql)) && !REFUSED.test(withoutComments(sql)) && partsOf(sql) === undefined;
}

/**
 * Whether raw SQL is one statement about rows, so that other statements can stand around it in a message. A semicolon in a text may be one after
 * it too, where `standard_conforming_strings` is off.
 */
export function isOneOfRows(sql: string): boolean {
  return !sql.includes(';') && OF_ROWS.has(firstWordOf(sql)) && isClosed(sql);
}

/** Whether all texts, names and comments of the statement end in it. */
function isClosed(sql: string): boolean {
  if (!OPENING.test(sql)) {
    return true;
  }

  const lexer = new SqlLexer(sql);

  while (lexer.next()) {
    if (lexer.kind === 'open') {
      return false;
    }
  }

  return true;
}

/** What the statement does to the transaction, or that it is of the session, where it does nothing else. */
export function controlOf(sql: string): Control | undefined {
  // a message of several may be long, and is read no further than to the second of them
  if (!FIRST.test(sql) || (sql.length > LONGEST_CONTROL && isSeveral(sql))) {
    return undefined;
  }

  // a comment may have a semicolon or another comment
  const text = withoutComments(sql);
  const first = CONTROL.exec(text)?.[0] ?? '';
  const rest = text.slice(first.length).replace(ENDINGS, '');

  switch (isSingle(rest) ? first.replace(ENDINGS_BEFORE, '').toLowerCase() : '') {
    case '':
      return undefined;
    case 'begin':
    case 'start':
      return { kind: 'begin' };
    case 'commit':
    case 'end':
      return { kind: CHAIN.test(rest) ? 'commit and chain' : 'commit' };
    case 'prepare':
      // whoever ends it later does not know for whom it was
      return /^\s*transaction\b/i.test(rest) ? { kind: 'commit' } : undefined;
    case 'savepoint':
      return { kind: 'savepoint', name: nameIn(rest) };
    case 'abort':
    case 'rollback': {
      const savepoint = TO_SAVEPOINT.exec(rest)?.[1];

      return savepoint !== undefined
        ? { kind: 'rollback to', name: nameIn(savepoint) }
        : { kind: CHAIN.test(rest) ? 'rollback and chain' : 'rollback' };
    }
    default:
      return { kind: 'other' };
  }
}

/** The schemas that the statement renames or drops. */
export function schemasRenamedOrDropped(sql: string): string[] {
  return namesAfter(GIVEN_UP, withoutComments(sql));
}

/** Whether the statement does nothing but lock tables, for which PostgreSQL takes no snapshot. */
export function onlyLocks(sql: string): boolean {
  return firstWordOf(sql) === 'lock' && !goesOn(sql);
}

/** Whether the statement may itself change the row of a schema, as a `grant` does. Told too often: a block and a call may do anything. */
export function mayChangeMark(sql: string): boolean {
  return !PLAIN_FIRST.test(sql) || goesOn(sql);
}

/** The schemas that the statement grants to somebody, or gives another owner. */
export function schemasGranted(sql: string): string[] {
  return namesAfter(GRANTED, withoutComments(sql));
}

function namesAfter(words: RegExp, sql: string): string[] {
  return [...sql.matchAll(words)].flatMap(([, names = '']) => [...names.matchAll(NAME)].map(([name]) => nameIn(name)));
}

/** Whether there is more than one statement. A message of several may be long, and is read no further than to the second of them. */
function goesOn(sql: string): boolean {
  return SEVERAL.test(sql) && isSeveral(sql);
}

function isSeveral(sql: string): boolean {
  const lexer = new SqlLexer(sql);
  let hasOne = false;
  let hasEnded = false;

  while (lexer.nextVisible()) {
    if (lexer.text === ';') {
      hasEnded = hasOne;
    } else if (hasEnded) {
      return true;
    } else {
      hasOne = true;
    }
  }

  return false;
}

/** After parentheses, semicolons and comments. */
function firstWordOf(sql: string): string {
  const lexer = new SqlLexer(sql);
  let isFound: boolean;

  do {
    isFound = lexer.nextVisible();
  } while (isFound && (lexer.text === '(' || lexer.text === ';'));

  return isFound && lexer.kind === 'word' ? lexer.text.toLowerCase() : '';
}

// as PostgreSQL takes it
function nameIn(sql: string): string {
  const name = sql.trim();

  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase();
}

const WRITES: ReadonlySet<string> = new Set('insert update delete merge call do truncate refresh copy execute'.split(' '));

/** The beginning of most that write. */
const WRITING_FIRST = /^(?:insert|update|delete) /;

const PLAIN_FIRST = /^\s*(?:select|insert|update|delete|merge|with|lock)\b/i;

const LOOKS_UP: ReadonlySet<string> = new Set('select values table with insert update delete merge create alter drop comment'.split(' '));

const OF_ROWS: ReadonlySet<string> = new Set('select values table with insert update delete merge'.split(' '));

const OPENING = /['"$]|\/\*/;

const REFUSED =
  /\b(?:create|alter|drop)\s+(?:(?:unique\s+)?index\s+concurrently|database|tablespace|subscription|system)\b|\bdetach\s+partition\b.+\bconcurrently\b/is;

const WRITING = /\b(?:insert|update|delete|merge)\b/i;

/** `explain` then runs what it explains. */
const ANALYZED = /\banaly[sz]e\b/i;

const EXECUTING = /\b(?:insert|update|delete|merge|execute)\b/i;

const SEVERAL = /;\s*[^\s;]/;

const INTO = /\binto\b/i;

const CONTROLS = 'begin|start|commit|end|rollback|abort|prepare|savepoint|release|set|reset|show|discard';

// what is only seen without comments is not looked at closer in all other statements
const FIRST = new RegExp(String.raw`^[\s;]*(?:\/\*|--|(?:${CONTROLS})\b)`, 'i');

const CONTROL = new RegExp(String.raw`^[\s;]*(?:${CONTROLS})\b`, 'i');

/** Longer than what is sent of them, but for a comment. */
const LONGEST_CONTROL = 500;

const ENDINGS_BEFORE = /^[\s;]+/;

const ENDINGS = /(?<![\s;])[\s;]+$/;

const TO_SAVEPOINT = /^\s*(?:work\s+|transaction\s+)?to\s+(?:savepoint\s+)?([\s\S]*)$/i;

const CHAIN = /\band\s+chain\b/i;

const NAMES = String.raw`((?:"(?:[^"]|"")+"|\w+)(?:\s*,\s*(?:"(?:[^"]|"")+"|\w+))*)`;

const GRANTED = new RegExp(String.raw`\b(?:on|alter)\s+schema\s+${NAMES}`, 'gi');

const GIVEN_UP = new RegExp(String.raw`\b(?:drop|alter)\s+schema\s+(?:if\s+exists\s+)?${NAMES}`, 'gi');

const NAME = /"(?:[^"]|"")+"|\w+/g;

export type Control =
  | { readonly kind: 'begin' | 'commit' | 'commit and chain' | 'rollback' | 'rollback and chain' | 'other' }
  | { readonly kind: 'savepoint' | 'rollback to'; readonly name: string };
