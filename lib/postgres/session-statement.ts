/**
 * The first statement in the SQL that would outlive a migration on its connection, or end the transaction that holds the tenant
 * together; undefined where there is none. What a function does when it is called does not show in it.
 */
export function findSessionStatement(sql: string): string | undefined {
  const text = sql.replace(QUOTED, ' ');

  // the body of an SQL-standard function has statements of its own, which are not run now
  return BODY.test(text)
    ? undefined
    : text
        .split(';')
        .map(statement => statement.trim())
        .find(
          statement => ENDS_TRANSACTION.test(statement) || STAYS.test(statement) || (TEMPORARY.test(statement) && !DROPPED.test(statement)),
        );
}

// comments, strings (with backslashes in those of `E''`), quoted names, and the bodies of functions and `do`
const QUOTED = /--[^\n]*|\/\*[\s\S]*?\*\/|\be'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$([a-z_]\w*)?\$[\s\S]*?\$\1\$/gi;

const BODY = /\bbegin\s+atomic\b/i;

const ENDS_TRANSACTION =
  /^(begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!\s+(work\s+|transaction\s+)?to\b))\b/i;

const STAYS = /^(set\s+(?!local\b|constraints\b|transaction\b)|reset\b|discard\b|listen\b)/i;

const TEMPORARY = /^create\s+((local|global)\s+)?temp(orary)?\b|\binto\s+((local|global)\s+)?temp(orary)?\b/i;

const DROPPED = /\bon\s+commit\s+drop\b/i;
