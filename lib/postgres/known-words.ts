/** What a word does to the names after it: a table follows, or a list of them; a clause without tables begins; or nothing changes. */
export type Role = 'table' | 'tables' | 'clause' | 'other' | 'goes on';

/** What may stand before a parenthesis: a keyword that PostgreSQL never takes for the name of a function, or a function of `pg_catalog`. */
type Callable = 'keyword' | 'function';

/** The first words of commands whose names are all seen. `set "role" = 'x'` and `fetch "c"` have no names either. */
export const FIRST_WORDS = setOf('select insert update delete with values table truncate');

/** Functions that PostgreSQL finds in `pg_catalog` before it looks at the path. */
const FUNCTIONS =
  'count sum avg min max lower upper length concat round abs now json_agg jsonb_agg json_build_object jsonb_build_object array_agg string_agg ' +
  'unnest to_tsvector plainto_tsquery websearch_to_tsquery row_number rank dense_rank lag lead first_value last_value bool_and bool_or ' +
  'jsonb_array_elements jsonb_array_elements_text json_array_elements json_array_elements_text jsonb_array_length json_array_length jsonb_each ' +
  'jsonb_each_text jsonb_object_keys jsonb_typeof jsonb_set to_json to_jsonb row_to_json jsonb_object_agg json_object_agg json_build_array ' +
  'jsonb_build_array array_length cardinality date_trunc date_part to_char to_date to_timestamp floor ceil substr char_length md5 ' +
  'gen_random_uuid generate_series';

/** Types whose names are keywords, so that PostgreSQL never looks them up. */
const TYPE_KEYWORDS = 'varchar char int integer bigint smallint numeric decimal real boolean time timestamp interval';

/** Types that PostgreSQL finds in `pg_catalog` before it looks at the path. */
const TYPE_NAMES = 'text int2 int4 int8 float4 float8 bool uuid json jsonb date timestamptz timetz bytea';

const RESERVED_WORDS =
  'select where group having order limit offset fetch for union intersect except returning window only lateral with distinct all as on and or not ' +
  'in null true false any some case when then else end asc desc do constraint default array current_timestamp current_date localtimestamp table ' +
  'into from using';

/** Keywords that may be types and functions; without parentheses and literals they are what they seem to be. */
const OF_JOINS = 'left right inner outer full cross natural';

// keywords that PostgreSQL does not reserve
const UNRESERVED =
  'recursive materialized insert delete nulls first last by conflict nothing escape filter over partition within of share key no nowait skip ' +
  'locked restart identity cascade double precision';

/** Keywords that may be columns and tables, and neither functions nor types. */
const OF_COLUMNS = 'values between exists row coalesce nullif greatest least trim';

export const ROLES: ReadonlyMap<string, Role> = new Map(
  Object.entries({
    table: 'join into update table',
    tables: 'from using truncate',
    clause: 'select where group having order limit offset fetch for union intersect except returning set values window',
    'goes on': 'only lateral',
    other:
      'with distinct all as on and or not in is null true false like ilike similar any some case when then else end asc desc do constraint default ' +
      `array current_timestamp current_date localtimestamp between exists row coalesce nullif greatest least trim ${OF_JOINS} ${UNRESERVED} ` +
      `${FUNCTIONS} ${TYPE_KEYWORDS} ${TYPE_NAMES}`,
  } satisfies Record<Role, string>).flatMap(([role, words]) => words.split(' ').map(word => [word, role as Role] as const)),
);

/** Keywords that are neither functions nor types nor tables, whatever comes after them. */
export const RESERVED = setOf(RESERVED_WORDS);

/** What may stand before a parenthesis, but for the few words of which it depends on what comes before. */
export const CALLABLE: ReadonlyMap<string, Callable> = new Map([
  ...`${RESERVED_WORDS} ${OF_COLUMNS} ${TYPE_KEYWORDS}`.split(' ').map(word => [word, 'keyword'] as const),
  ...FUNCTIONS.split(' ').map(word => [word, 'function'] as const),
]);

/** Functions whose first value is the name of a text-search configuration. */
export const CONFIGURED = setOf('to_tsvector plainto_tsquery websearch_to_tsquery');

/** The text-search configurations that every supported version of PostgreSQL has in `pg_catalog`. */
export const OWN_CONFIGURATIONS = setOf(
  'simple arabic danish dutch english finnish french german greek hungarian indonesian irish italian lithuanian nepali norwegian portuguese ' +
    'romanian russian spanish swedish tamil turkish',
);

/** Words that are values. */
export const OPERANDS = setOf('null true false default current_timestamp current_date localtimestamp end');

/** What may stand after `::`. */
export const TYPES = setOf(`${TYPE_KEYWORDS} ${TYPE_NAMES} double`);

/** What may stand before a literal. */
export const TYPED = setOf(`${RESERVED_WORDS} ${OF_COLUMNS} ${TYPE_KEYWORDS} ${TYPE_NAMES} precision`);

/** What the name of a column may follow in an expression. Where a list of tables goes on, that is looked at before. */
export const BEFORE_COLUMN = setOf('select where and or not having by when then else case distinct on set returning');

/** What may follow the name of a column in an expression. */
export const AFTER_COLUMN = setOf(
  'from where and or not in is like ilike between asc desc nulls as group order having limit offset union intersect except returning when then else end',
);

/** What `by` may follow. */
export const AFTER_GROUP = setOf('group order partition');

/** What an `update` follows that no table follows. */
export const BEFORE_UPDATE = setOf('for key do');

/** What `join` may follow. */
export const JOIN_KINDS = setOf(OF_JOINS);

/** Operators of `pg_catalog`. Those that are left out are best known from extensions: distances, similarity, and modulo, which is one of these. */
export const OPERATORS = setOf('= <> != < > <= >= + - * / || -> ->> #> #>> @> <@ ? ?| ?& && @@ ~ ~* !~ !~* ~~ ~~* !~~ !~~*');

/** Reads a setting, and looks up no name. */
export const READS_SETTING = /^pg_catalog\.current_setting$/i;

/** A view that sets what is updated in it, path and role among them. */
export const SETTINGS = /pg_settings/i;

function setOf(words: string): ReadonlySet<string> {
  return new Set(words.split(' '));
}
