import {
  QUOTE,
  DOLLAR,
  DOT,
  DASH,
  PLUS,
  SLASH,
  STAR,
  BACKSLASH,
  LOWER_E,
  UPPER_E,
  NEWLINE,
  RETURN,
  OWN_SIGNS,
  isSpace,
  isDigit,
  isWordPart,
  isOperator,
} from './sql-characters.js';

export function endOfSpace(sql: string, start: number): number {
  let at = start + 1;

  while (isSpace(sql.charCodeAt(at))) {
    at += 1;
  }

  return at;
}

export function endOfWord(sql: string, start: number): number {
  let at = start + 1;

  while (isWordPart(sql.charCodeAt(at))) {
    at += 1;
  }

  return at;
}

// the tag of a body has no `$` inside
export function endOfTag(sql: string, start: number): number {
  let at = start + 1;

  for (let code = sql.charCodeAt(at); isWordPart(code) && code !== DOLLAR; code = sql.charCodeAt(at)) {
    at += 1;
  }

  return at;
}

export function endOfDigits(sql: string, start: number): number {
  let at = start;

  while (isDigit(sql.charCodeAt(at))) {
    at += 1;
  }

  return at;
}

export function endOfNumber(sql: string, start: number): number {
  let at = endOfDigits(sql, start);
  at = sql.charCodeAt(at) === DOT ? endOfDigits(sql, at + 1) : at;

  const code = sql.charCodeAt(at);

  if (code === LOWER_E || code === UPPER_E) {
    const sign = sql.charCodeAt(at + 1);
    const digits = sign === DASH || sign === PLUS ? at + 2 : at + 1;

    return isDigit(sql.charCodeAt(digits)) ? endOfDigits(sql, digits) : at;
  }

  return at;
}

/** -1 where it does not end. */
export function endOfQuoted(sql: string, start: number): number {
  const quote = sql[start] as string;

  for (let at = sql.indexOf(quote, start + 1); at !== -1; at = sql.indexOf(quote, at + 2)) {
    if (sql[at + 1] !== quote) {
      return at + 1;
    }
  }

  return -1;
}

/** -1 where it does not end. One that goes on after a line break has escapes there too. */
export function endOfEscapeString(sql: string, start: number): number {
  let at = start + 1;

  while (at < sql.length) {
    const code = sql.charCodeAt(at);

    if (code === BACKSLASH || (code === QUOTE && sql.charCodeAt(at + 1) === QUOTE)) {
      at += 2;
    } else if (code === QUOTE) {
      const next = continuationOf(sql, at + 1);

      if (next === -1) {
        return at + 1;
      }

      at = next + 1;
    } else {
      at += 1;
    }
  }

  return -1;
}

/** Where the next part of a literal begins, -1 where there is none. */
function continuationOf(sql: string, start: number): number {
  let at = start;
  let hasLineBreak = false;

  for (;;) {
    const code = sql.charCodeAt(at);

    if (isSpace(code)) {
      hasLineBreak ||= code === NEWLINE || code === RETURN;
      at += 1;
    } else if (code === DASH && sql.charCodeAt(at + 1) === DASH) {
      at = endOfLine(sql, at);
    } else {
      return hasLineBreak && code === QUOTE ? at : -1;
    }
  }
}

export function endOfLine(sql: string, start: number): number {
  let at = start + 2;

  while (at < sql.length && sql.charCodeAt(at) !== NEWLINE && sql.charCodeAt(at) !== RETURN) {
    at += 1;
  }

  return at;
}

/** -1 where it does not end. One may have others inside. */
export function endOfComment(sql: string, start: number): number {
  let depth = 1;

  for (let at = start + 2; at < sql.length; at++) {
    const code = sql.charCodeAt(at);

    if (code === SLASH && sql.charCodeAt(at + 1) === STAR) {
      depth += 1;
      at += 1;
    } else if (code === STAR && sql.charCodeAt(at + 1) === SLASH) {
      depth -= 1;
      at += 1;

      if (depth === 0) {
        return at + 1;
      }
    }
  }

  return -1;
}

/** A comment ends an operator. One that ends in a sign goes on to it only if it has a character that the standard's have not. */
export function endOfOperator(sql: string, start: number): number {
  let at = start;
  let isOwn = false;

  for (let code = sql.charCodeAt(at); isOperator(code) && !beginsComment(sql, at, code); code = sql.charCodeAt(at)) {
    isOwn ||= OWN_SIGNS.has(code);
    at += 1;
  }

  if (at - start > LONGEST_OPERATOR) {
    return at;
  }

  while (!isOwn && at > start + 1 && (sql.charCodeAt(at - 1) === DASH || sql.charCodeAt(at - 1) === PLUS)) {
    at -= 1;
  }

  return at;
}

export function hasBackslash(sql: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    if (sql.charCodeAt(at) === BACKSLASH) {
      return true;
    }
  }

  return false;
}

function beginsComment(sql: string, at: number, code: number): boolean {
  const next = sql.charCodeAt(at + 1);

  return (code === DASH && next === DASH) || (code === SLASH && next === STAR);
}

/** PostgreSQL refuses longer ones. Read sign by sign, a long list of them would take the square of its length. */
const LONGEST_OPERATOR = 64;
