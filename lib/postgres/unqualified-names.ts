import { SETTINGS } from './known-words.js';
import { hasNames } from './name-scanner.js';

/**
 * Whether the SQL may have a name that PostgreSQL looks up on the `search_path`. The SQL that MikroORM makes of entities has none: every
 * identifier in it is quoted, and every table has its schema. What is not known to be harmless counts as such a name: a word without quotes
 * that is none of those the scanner knows, unless it stands where only the name of a column can, an operator that extensions have too, a table
 * without a schema, a type in quotes, the name of a CTE, and a text-search configuration that is not PostgreSQL's own. So does a function with a
 * schema: its body may have such names, and `pg_catalog.set_config` sets the path for the session. So does every command but the usual ones, and
 * an update of `pg_settings`, which sets what `set` does.
 *
 * It is not a parser: it may report too much, but must not miss a name. A false report costs additional round trips.
 */
export function hasUnqualifiedNames(sql: string): boolean {
  return !isPlainRead(sql) && !isPlainWrite(sql) && hasNames(sql);
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

/**
 * Whether the SQL is what MikroORM writes for entities: one `insert` or upsert of plain values, or an `update` or `delete` of rows by plain values of
 * their columns. What is not known to be that is scanned.
 */
export function isPlainWrite(sql: string): boolean {
  switch (sql.charCodeAt(0)) {
    case LETTER_I:
      return isPlainInsert(sql);
    case LETTER_U:
    case LETTER_D:
      // a view that sets what is updated in it
      return sql.length <= LONGEST_PLAIN_READ && PLAIN_CHANGE.test(sql) && !SETTINGS.test(sql);
    default:
      return false;
  }
}

/** Row by row, so that it may have any number of rows. */
function isPlainInsert(sql: string): boolean {
  INSERT_HEAD.lastIndex = 0;

  if (!INSERT_HEAD.test(sql)) {
    return false;
  }

  let hasMore = true;
  let end = INSERT_HEAD.lastIndex;

  while (hasMore) {
    INSERT_ROW.lastIndex = end;

    if (!INSERT_ROW.test(sql)) {
      return false;
    }

    end = INSERT_ROW.lastIndex;
    hasMore = sql.startsWith(NEXT_ROW, end);
    end += hasMore ? NEXT_ROW.length - 1 : 0;
  }

  INSERT_END.lastIndex = end;

  return INSERT_END.test(sql) && !(sql.startsWith(ON_CONFLICT, end) && SETTINGS.test(sql));
}

let lastRead = '';

let lastIsPlain = false;

const LONGEST_PLAIN_READ = 10_000;

/** A name in quotes. Two quotes in it would be read as its end. */
const QUOTED = `"[^"]+"(?!")`;

/** A value that is written out. A text may have quotes, each of which is doubled. */
const VALUE = `(?:(?:'[^'\\\\]*')+|\\d+|null|true|false|default)`;

const COLUMNS = `${QUOTED}(?:, ${QUOTED})*`;

const RETURNING = `(?: returning ${COLUMNS})?`;

const INSERT_HEAD = new RegExp(`insert into ${QUOTED}\\.${QUOTED} \\(${COLUMNS}\\) values (?=\\()`, 'y');

const INSERT_ROW = new RegExp(`\\(${VALUE}(?:, ${VALUE})*\\)`, 'y');

const ON_CONFLICT = ' on conflict (';

const EXCLUDED = `${QUOTED} = excluded\\.${QUOTED}`;

/** What MikroORM writes for an upsert. A column with an operator class is none of `COLUMNS`. */
const CONFLICT = ` on conflict \\(${COLUMNS}\\) do (?:nothing|update set ${EXCLUDED}(?:, ${EXCLUDED})*)`;

const INSERT_END = new RegExp(`(?:${CONFLICT})?${RETURNING}$`, 'y');

const CONDITION = `${QUOTED} (?:= ${VALUE}|in \\(${VALUE}(?:, ${VALUE})*\\))`;

const PLAIN_CHANGE = new RegExp(
  `^(?:update ${QUOTED}\\.${QUOTED} set ${QUOTED} = ${VALUE}(?:, ${QUOTED} = ${VALUE})*|delete from ${QUOTED}\\.${QUOTED})` +
    ` where ${CONDITION}(?: and ${CONDITION})*${RETURNING}$`,
);

const NEXT_ROW = ', (';

const LETTER_I = 'i'.charCodeAt(0);

const LETTER_U = 'u'.charCodeAt(0);

const LETTER_D = 'd'.charCodeAt(0);

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
    // as Kysely writes them: all columns, a column that is compared, and a parameter
    `(?<=^select )\\*(?= from ")`,
    `(?<= (?:where|and|or) )${QUOTED}(?= (?:=|<|>|<=|>=|<>|!=|in) )`,
    `\\$\\d+(?![\\w.$"'\\u0080-\\uffff])`,
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
