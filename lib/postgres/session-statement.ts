import { outsideOfTexts } from './sql-lexer.js';
import { splitStatements } from './transaction-statements.js';

/**
 * The first statement in the SQL whose effect would stay on the connection after a migration, or that would end the migration's transaction.
 * Undefined if there is none. It cannot detect what a called function does.
 */
export function findSessionStatement(sql: string): string | undefined {
  return splitStatements(sql.replaceAll(QUOTED, '$1'))
    .map(statement => withoutBody(outsideOfTexts(statement).trim()))
    .find(
      statement =>
        ENDS_TRANSACTION.test(statement) ||
        SETS_SESSION.test(statement) ||
        HELD_CURSOR.test(statement) ||
        SESSION_LOCK.test(statement) ||
        (SETS_CONFIG.test(statement) && !PUT_BACK.test(sql)) ||
        (TEMPORARY.test(statement) && !DROPPED_ON_COMMIT.test(statement)),
    );
}

/** The statements in the body of an SQL-standard function are not run now. */
function withoutBody(statement: string): string {
  const [, head = statement] = ATOMIC_ROUTINE.exec(statement) ?? [];

  return head;
}

const ATOMIC_ROUTINE = /^(create\s+(?:or\s+replace\s+)?(?:function|procedure)\b.*?)\bbegin\s+atomic\b/is;

/** Names that are looked for, in quotes. */
const QUOTED = /"(pg_temp|set_config|pg_(?:try_)?advisory_lock(?:_shared)?)"/g;

const ENDS_TRANSACTION =
  /^(begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!\s+(work\s+|transaction\s+)?to\b))\b/i;

const SETS_SESSION = /^(set\s+(?!local\b|constraints\b|transaction\b)|reset\b|discard\b|listen\b|unlisten\b|prepare\b|deallocate\b)/i;

const SETS_CONFIG = /\bset_config\s*\([^;]*,\s*false\s*\)/i;

// the first line of a dump sets the path so. Both are put back after a migration
const PUT_BACK = /\bset_config\s*\(\s*'(search_path|role)'/i;

const HELD_CURSOR = /^declare\b.*\bwith\s+hold\b/is;

// an error before it is unlocked would leave it, and the lock of a transaction does the same
const SESSION_LOCK = /\bpg_(try_)?advisory_lock(_shared)?\s*\(/i;

/** What is made in `pg_temp` is temporary without the word. To write into a table there leaves nothing more. */
const TEMPORARY = new RegExp(
  [
    String.raw`^create\s+(or\s+replace\s+)?((local|global)\s+)?temp(orary)?\b`,
    String.raw`^create\s+(or\s+replace\s+)?((unlogged|recursive)\s+)?\w+\s+(if\s+not\s+exists\s+)?pg_temp\s*\.`,
    String.raw`\binto\s+((local|global)\s+)?temp(orary)?\b`,
    String.raw`(?<!\b(insert|merge)\s+)\binto\s+(table\s+)?pg_temp\s*\.`,
  ].join('|'),
  'i',
);

const DROPPED_ON_COMMIT = /\bon\s+commit\s+drop\b/i;
