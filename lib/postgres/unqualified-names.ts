import { hasNames } from './name-scanner.js';

/**
 * Whether the SQL may have a name that PostgreSQL looks up on the `search_path`. The SQL that MikroORM makes of entities has none: every
 * identifier in it is quoted, and every table has its schema. What is not known to be harmless counts as such a name: a word without quotes
 * that is none of those the scanner knows, an operator that extensions have too, a table without a schema, a type in quotes, the name of a CTE,
 * and a text-search configuration that is not PostgreSQL's own. So does a function with a schema: its body may have such names, and
 * `pg_catalog.set_config` sets the path for the session. So does every command but the usual ones, and an update of `pg_settings`, which sets
 * what `set` does.
 *
 * It is not a parser: it may report too much, but must not miss a name. A false report costs additional round trips.
 */
export function hasUnqualifiedNames(sql: string): boolean {
  return !isPlainRead(sql) && hasNames(sql);
}

/**
 * Whether the SQL is one `select` of qualified tables and columns, keywords and values, and nothing else. It neither looks up a name nor writes.
 * Each statement is asked about more than once, one after the other.
 */
export function isPlainRead(sql: string): boolean {
  // the expression repeats a group, for which the engine keeps a stack
  if (sql.length > LONGEST_PLAIN_READ) {
    return false;
  }

  if (sql !== lastRead) {
    lastIsPlain = PLAIN_READ.test(sql);
    lastRead = sql;
  }

  return lastIsPlain;
}

let lastRead = '';

let lastIsPlain = false;

const LONGEST_PLAIN_READ = 10_000;

/** A name in quotes. Two quotes in it would be read as its end. */
const QUOTED = `"[^"]+"(?!")`;

/**
 * A fast check that matches most entity queries: qualified tables, qualified columns, keywords and values, and nothing else. Every query is
 * checked, so speed matters. No two alternatives match the same text, which limits backtracking.
 */
const PLAIN_READ = new RegExp(
  `^select (?:${[
    ' ',
    `(?:from|join) ${QUOTED}\\.${QUOTED}(?! *[.(])`,
    `as ${QUOTED}(?! *[.(])`,
    `${QUOTED}\\.(?:${QUOTED}|\\*)(?! *[.('])`,
    // none of these is the name of a function, a type or a table
    `(?:select|distinct|where|and|or|not|on|in|null|true|false|asc|desc|limit|offset)(?![\\w.$"'\\u0080-\\uffff])`,
    `(?:group|order) by(?= ["\\d(])`,
    // MikroORM's count; `pg_catalog` is searched before all that is on the path
    `count\\(\\*\\)(?= (?:as|from|where|order|limit) |$)`,
    `nulls (?:first|last)(?=[,) ]|$)(?! *['(])`,
    `(?:left|inner) (?=join )`,
    // operators only after an operand
    `(?<=[")] )(?:not )?i?like(?= ')`,
    `(?<=[")] )is(?= (?:not )?(?:null|true|false))`,
    `'[^'\\\\]*'`,
    `\\d+(?![\\w.$"'\\u0080-\\uffff])`,
    `(?:[=<>]|<=|>=|<>|!=)(?![=<>!])`,
    '[(),]',
  ].join('|')})*$`,
);
