/**
 * The first statement in the SQL whose effect would stay on the connection after a migration, or that would end the migration's transaction.
 * Undefined if there is none. It cannot detect what a called function does.
 */
export function findSessionStatement(sql: string): string | undefined {
  const text = sql.replace(QUOTED, ' ');

  // the statements in the body of an SQL-standard function are not run now
  return ATOMIC_BODY.test(text)
    ? undefined
    : text
        .split(';')
        .map(statement => statement.trim())
        .find(
          statement =>
            ENDS_TRANSACTION.test(statement) ||
            SETS_SESSION.test(statement) ||
            (TEMPORARY.test(statement) && !DROPPED_ON_COMMIT.test(statement)),
        );
}

// comments, strings (with backslashes in those of `E''`), quoted names, and the bodies of functions and `do`
const QUOTED = /--[^\n]*|\/\*[\s\S]*?\*\/|\be'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$([a-z_]\w*)?\$[\s\S]*?\$\1\$/gi;

const ATOMIC_BODY = /\bbegin\s+atomic\b/i;

const ENDS_TRANSACTION =
  /^(begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!\s+(work\s+|transaction\s+)?to\b))\b/i;

const SETS_SESSION = /^(set\s+(?!local\b|constraints\b|transaction\b)|reset\b|discard\b|listen\b)/i;

const TEMPORARY = /^create\s+((local|global)\s+)?temp(orary)?\b|\binto\s+((local|global)\s+)?temp(orary)?\b/i;

const DROPPED_ON_COMMIT = /\bon\s+commit\s+drop\b/i;
