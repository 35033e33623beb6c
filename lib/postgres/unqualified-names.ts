/**
 * Whether the SQL may have a name that PostgreSQL looks up on the `search_path`. The SQL that MikroORM makes of entities has none: every
 * identifier in it is quoted, and every table has its schema. What is not known to be harmless counts as such a name (a word without quotes
 * that is none of those below, a function among them; a table without a schema; a type in quotes), as does the name of a CTE. So does a function
 * with a schema: its body may have such names, and `pg_catalog.set_config` sets the path for the session. So does every command but the usual
 * ones, and an update of `pg_settings`, which sets what `set` does.
 *
 * It is not a parser: it may report too much, but must not miss a name. A false report costs additional round trips.
 */
export function hasUnqualifiedNames(sql: string): boolean {
  return !PLAIN_READ.test(sql) && findsUnqualifiedName(sql);
}

function findsUnqualifiedName(sql: string): boolean {
  // for each open parenthesis, whether it is inside a list of tables
  const lists: boolean[] = [];
  // the word before a table name, if a table name must follow
  let tableAfter: string | undefined;
  let inTableList = false;
  let wasCast = false;
  let isFirstWord = true;
  let at = 0;

  while (at < sql.length) {
    const start = at;
    const char = sql[at] as string;
    at = endOf(sql, start, char);
    const isCast: boolean = char === ':' && at === start + 2;

    if (char === '"' || WORD_START.test(char)) {
      if (isQualified(sql, start, at)) {
        if (tableAfter !== 'into' && opensParenthesis(sql, at) && !READS_SETTING.test(sql.slice(start, at))) {
          return true;
        }

        if (tableAfter === 'update' && SETTINGS.test(sql.slice(start, at))) {
          return true;
        }

        tableAfter = undefined;
      } else if (char === '"') {
        // a table, a function, a type, or quotes that do not end
        if (tableAfter !== undefined || wasCast || at === start + 1 || opensParenthesis(sql, at)) {
          return true;
        }
      } else if (sql[at - 1] !== "'") {
        const word = sql.slice(start, at).toLowerCase();
        const role = WORDS.get(word);

        if (isFirstWord && !FIRST_WORDS.has(word)) {
          return true;
        }

        isFirstWord = false;

        if (role === undefined || isTable(word, tableAfter, opensParenthesis(sql, at))) {
          return true;
        }

        if (role !== 'goes on') {
          tableAfter = role === 'table' || role === 'tables' ? word : undefined;
          inTableList = role === 'tables' || (inTableList && role !== 'clause');
        }
      }
    } else if (char === '(') {
      lists.push(inTableList);
      inTableList = tableAfter !== undefined;
    } else if (char === ')') {
      inTableList = lists.pop() ?? false;
      tableAfter = undefined;
    } else if (char === ',') {
      tableAfter = inTableList ? ',' : undefined;
    } else if (char === ';' || ((char === '$' || char === "'") && at === start + 1)) {
      // a second statement, the body of a function or of a `do`, or quotes that do not end
      return true;
    } else if (char === "'" && sql.slice(start, at).includes('\\')) {
      // it ends elsewhere where `standard_conforming_strings` is off; MikroORM writes none
      return true;
    }

    wasCast = isCast || (wasCast && SPACE.test(char));
  }

  return false;
}

function endOf(sql: string, start: number, char: string): number {
  const token = SPACE.test(char) ? SPACES : char === '"' ? NAMES : char === "'" ? STRING : WORD_START.test(char) ? WORD : OTHER;
  token.lastIndex = start;

  return token.test(sql) ? token.lastIndex : start + 1;
}

// `"acme"."book"`, `acme.book`, `b.title`, `"b".*`
function isQualified(sql: string, start: number, end: number): boolean {
  const quote = sql.indexOf('"', start + 1);

  if (sql[start] !== '"') {
    return sql[end - 1] !== "'" && sql.slice(start, end).includes('.');
  }

  if (sql[quote + 1] !== '"') {
    return quote + 1 < end && quote !== -1;
  }

  // a name that contains a quote
  NAME.lastIndex = start;

  return NAME.test(sql) && NAME.lastIndex < end;
}

// most of these words can also be table names. With a parenthesis they are functions of `pg_catalog`
function isTable(word: string, after: string | undefined, isCalled: boolean): boolean {
  return (
    after !== undefined &&
    CAN_NAME_TABLES.has(word) &&
    (after === 'into' || !isCalled) &&
    !(after === 'update' && AFTER_FOR_UPDATE.has(word))
  );
}

function opensParenthesis(sql: string, at: number): boolean {
  PARENTHESIS.lastIndex = at;

  return PARENTHESIS.test(sql);
}

const QUOTED = `"[^"]*(?:""[^"]*)*"`;
const BARE = `[a-z_\\u0080-\\uffff][\\w$\\u0080-\\uffff]*`;
const PART = `(?:${QUOTED}|${BARE})`;
const REST = `(?:\\s*\\.\\s*(?:${PART}|\\*))*`;

const NAME = new RegExp(PART, 'iy');
const NAMES = new RegExp(`${QUOTED}${REST}`, 'iy');
// also matches strings with a letter prefix. Only those with `e` have backslash escapes
const WORD = new RegExp(`e'[^'\\\\]*(?:(?:\\\\[\\s\\S]|'')[^'\\\\]*)*'|${BARE}${REST}`, 'iy');
const STRING = /'[^']*(?:''[^']*)*'/y;
const SPACES = /\s+/y;
const OTHER = /\$?\d[\w.]*|::|--[^\n\r]*|\/\*[\s\S]*?\*\//y;
const PARENTHESIS = /(?:\s|--[^\n\r]*|\/\*[\s\S]*?\*\/)*\(/y;
// reads a setting, and looks up no name
const READS_SETTING = /^pg_catalog\.current_setting$/i;
// a view that sets what is updated in it, path and role among them
const SETTINGS = /pg_settings/i;
const WORD_START = /[a-z_\u0080-\uffff]/i;
const SPACE = /\s/;

/**
 * A fast check that matches most entity queries: qualified tables, qualified columns, keywords and values, and nothing else. Every query is
 * checked, so speed matters. No two alternatives match the same text, which limits backtracking.
 */
const PLAIN_READ = new RegExp(
  `^(?:${[
    ' ',
    `(?:from|join) "[^"]+"\\."[^"]+"`,
    `as "[^"]+"(?! *[.(])`,
    `"[^"]+"\\.(?:"[^"]+"|\\*)(?! *[.(])`,
    `(?:select|distinct|where|and|or|not|on|in|is|null|true|false|like|ilike|left|inner|group|order|by|asc|desc|nulls|first|last|limit|offset)(?![\\w.$"'])`,
    `'[^'\\\\]*'`,
    String.raw`\d+(?![\w.$"'])`,
    '[=<>!(),]',
  ].join('|')})*$`,
);

// `set "role" = 'x'` and `fetch "c"` have no names either
const FIRST_WORDS: ReadonlySet<string> = new Set('select insert update delete with values table truncate'.split(' '));

/** What a word does to the names after it: a table follows, or a list of them; a clause without tables begins; or nothing changes. */
type Role = 'table' | 'tables' | 'clause' | 'other' | 'goes on';

// functions and types that PostgreSQL finds in `pg_catalog` before it looks at the path
const OF_CATALOG =
  'count sum avg min max coalesce nullif greatest least lower upper length trim concat round abs now json_agg jsonb_agg json_build_object ' +
  'jsonb_build_object array_agg string_agg unnest to_tsvector plainto_tsquery websearch_to_tsquery row_number rank dense_rank ' +
  'text varchar char int integer int2 int4 int8 bigint smallint numeric decimal real double precision float4 float8 boolean bool uuid ' +
  'json jsonb date time timestamp timestamptz timetz bytea';

// keywords that PostgreSQL does not reserve
const UNRESERVED =
  'recursive materialized insert delete between exists nulls first last by conflict nothing escape filter over partition within of share key ' +
  'no nowait skip locked restart identity cascade row interval';

const CAN_NAME_TABLES: ReadonlySet<string> = new Set(`${OF_CATALOG} ${UNRESERVED}`.split(' '));

const AFTER_FOR_UPDATE: ReadonlySet<string> = new Set(['of', 'nowait', 'skip']);

const WORDS: ReadonlyMap<string, Role> = new Map(
  Object.entries({
    table: 'join into update table truncate',
    tables: 'from using',
    clause: 'select where group having order limit offset fetch for union intersect except returning set values window',
    'goes on': 'only lateral',
    other:
      'with distinct all as on and or not in is null true false like ilike similar any some case when then else end asc desc do constraint ' +
      `default left right inner outer full cross natural array current_timestamp current_date localtimestamp ${UNRESERVED} ${OF_CATALOG}`,
  } satisfies Record<Role, string>).flatMap(([role, words]) => words.split(' ').map(word => [word, role as Role] as const)),
);
