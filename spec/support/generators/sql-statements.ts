import fc from 'fast-check';

/** Statements as MikroORM and its users write them, and mutations of them. Most of these PostgreSQL's grammar does not take. */
export const anyStatement = (): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.constantFrom(...STATEMENTS()),
      fc.array(
        fc.record({
          at: fc.nat(60),
          removed: fc.integer({ min: 0, max: 2 }),
          added: fc.array(fc.constantFrom(...PIECES()), { minLength: 1, maxLength: 2 }),
        }),
        { minLength: 1, maxLength: 2 },
      ),
      fc.constantFrom(' ', ' ', ' ', '\n', '/* a /* nested \' */ " one */', " -- '\n", '\t'),
    )
    .map(([statement, changes, space]) => {
      const pieces = statement.split(' ');

      for (const { at, removed, added } of changes) {
        pieces.splice(at % (pieces.length + 1), removed, ...added);
      }

      return pieces.map(piece => (piece === '¤' ? space : piece)).join(space === '\t' ? '\t' : ' ');
    });

/** The statement with each of the pieces in each place, also with a table without a schema after it. */
export function* withPieceAnywhere(statement: string): Generator<string> {
  const pieces = statement.split(' ');

  for (const [at, removed] of pieces.flatMap((_, place) => [0, 1, 2].map(count => [place, count] as const))) {
    for (const added of PIECES()) {
      for (const more of AFTER) {
        yield [...pieces.slice(0, at), ...more(added), ...pieces.slice(at + removed)].map(piece => (piece === '¤' ? ' ' : piece)).join(' ');
      }
    }
  }
}

export function STATEMENTS(): string[] {
  return [
    `select "b0" . * from "acme"."book" as "b0" where "b0"."id" = 1 limit 2`,
    `select "b0"."id" from "acme"."book" as "b0" left join "acme"."author" as "a1" on "b0"."author_id" = "a1"."id" where "b0"."title" is distinct from 'x' order by "b0"."id" asc nulls last for update of "b0" skip locked`,
    `select "b0"."id" from "acme"."book" as "b0" inner join lateral ( select "t"."id" from "acme"."tag" as "t" ) as "x" on true`,
    `select count ( * ) as "count" , sum ( "b0"."copies" ) filter ( where "b0"."id" > 1 ) over ( partition by "b0"."genre" order by "b0"."id" ) from "acme"."book" as "b0" group by "b0"."id" having max ( "b0"."id" ) > 1`,
    `insert into "acme"."tag" ( "id" , "name" ) values ( 1 , 'x' ) on conflict ( "id" ) do update set "name" = excluded."name" returning "id"`,
    `insert into "acme"."tag" as "t" select "b"."id" from "acme"."book" as "b" on conflict on constraint "tag_pkey" do nothing`,
    `update "acme"."book" as "b" set "title" = $1 , "x" = default from "acme"."author" where "id" in ( select "b0"."id" from "acme"."book" as "b0" )`,
    `update "acme"."book" set ( "title" , "copies" ) = ( select 'x' , 1 ) where "id" = any ( array [ 1 , 2 ] )`,
    `delete from "acme"."book" using "acme"."tag" as "t" where "t"."id" = "book"."id" and not exists ( select 1 )`,
    `truncate table "acme"."loan" , "acme"."book" restart identity cascade`,
    `with recursive "x" as ( select 1 as "n" union all select 2 ) select "n" from "acme"."book"`,
    `select case when "b0"."title" ilike 'x%' then $1 ::text else coalesce ( "b0"."title" , '' ) end from "acme"."book" as "b0" , "acme"."tag" as "t" where "b0"."title" not like 'x' and "b0"."tags" -> 'x' ->> 'y' = 'z'`,
    `select "b0"."id" from "acme"."book" as "b0" where to_tsvector ( 'simple' , "b0"."title" ) @@ plainto_tsquery ( 'simple' , 'x' ) and "b0"."id" between 1 and 2`,
    `select * from unnest ( $1 ) as "x" union select * from ( values ( 1 ) ) as "y" except table "acme"."z"`,
    `( select "x"."y" [ 1 : 2 ] , ( "x" ) ."z" , 1.5 , -1e3 , interval '1 day' , date '2020-01-01' , row ( 1 , 2 ) from only "acme"."x" ) order by 1 desc`,
    `select $1 ::double ¤ precision , 'a' ::varchar ( 3 ) , '{}' ::jsonb , e'a\\'b' , "f"."x" ::"acme"."mood" from "acme"."f" as "f" natural join "acme"."g" cross join ( "acme"."h" full outer join "acme"."i" using ( "id" ) )`,
    `values ( 1 , 'x' ) , ( 2 , $1 )`,
    `select "b0"."genre_id" , count ( * ) as cnt , max ( "b0"."id" ) as top from "acme"."book" as "b0" group by "b0"."genre_id"`,
    `select "u0" . * from "acme"."user" as "u0" where exists ( select 1 from jsonb_array_elements ( "u0"."tags" ) as "__je0" where "__je0" ->> 'city' = 'x' )`,
    `insert into "acme"."tag" ( "id" ) values ( 1 ) returning "id" as made , "name"`,
    `select title , ( price * 1.2 ) ::numeric as dear from "acme"."book" where price > 1 and lower ( title ) = 'x' or not is_lent order by case when price < 1 then tags [ 1 ] else title end desc`,
    `select genre , count ( distinct author ) as n from "acme"."book" as "b0" left join "acme"."author" as "a1" on author_id = "a1"."id" group by genre having count ( * ) > least`,
    `update "acme"."book" set price = price + 1 , copies = copies - 1 where id in ( 1 , 2 ) and title is null returning id`,
    `table "acme"."book"`,
    `select 1 into "acme"."book" from "acme"."tag"`,
  ];
}

const AFTER: readonly ((piece: string) => readonly string[])[] = [
  piece => [piece],
  piece => ['as', piece],
  piece => ['from', piece],
  piece => [piece, ',', '"book"'],
  piece => ['as', piece, ',', '"book"'],
  piece => [piece, '"book"'],
  piece => [piece, 'from', '"book"'],
  piece => [piece, '(', '"book"', ')'],
  piece => [piece, '(', 'select', 'from', '"book"', ')'],
];

function PIECES(): string[] {
  return [
    ...WORDS.split(' '),
    ...SIGNS.split(' '),
    '"book"',
    '"acme"."book"',
    '"b0"',
    '"b0"."title"',
    '"a""b"',
    'acme.book',
    'title',
    'book',
    'current_schema',
    'price *',
    '( price )',
    'x',
    '"mood"',
    'pg_catalog.now',
    '"f"(',
    '"f" (',
    `'x'`,
    `'mycfg'`,
    `'it''s'`,
    `e'\\''`,
    `b'1'`,
    `U&'x'`,
    `$$ x $$`,
    `$a$ ' $a$`,
    '1',
    '1.5',
    '.5',
    '1from',
    '$1',
    '$1from',
    '1e',
    '0x1',
    "/* /* */ ' */",
    `-- '\n`,
    '--\r',
    '/*',
    '*/',
    '¤',
    '\u00a0',
    '\u00a0x',
    'é',
    '( "x" )',
    '( select 1 )',
    '( * )',
    '( "c" "mood" )',
    '( )',
    'as "x"',
    'as ( "c" "mood" )',
    'using (',
    'using <',
    'collate "C"',
    'collate "acme"."C"',
    'operator(acme.+)',
    'operator(+)',
    `'x'::`,
    '::regclass',
    `::"mood"`,
    `"mood" 'x'`,
    `key 'x'`,
    `first ( 1 )`,
    `like ( 'x' , 'y' )`,
    'left ( 1 )',
  ];
}

const WORDS =
  'join into update table truncate from using select where group having order limit offset fetch for union intersect except returning set ' +
  'values window only lateral with distinct all as on and or not in is null true false like ilike similar any some case when then else end asc ' +
  'desc do constraint default left right inner outer full cross natural array current_timestamp current_date localtimestamp recursive ' +
  'materialized insert delete between exists nulls first last by conflict nothing escape filter over partition within of share key no nowait ' +
  'skip locked restart identity cascade row interval count max coalesce lower unnest to_tsvector plainto_tsquery rank text varchar char int ' +
  'int4 bigint numeric double precision boolean uuid json jsonb date time timestamp bytea collate cast extract year tablesample ordinality ' +
  'overlaps binary freeze verbose notnull isnull at zone to rows range grouping sets cube rollup operator variadic merge session user';

const SIGNS =
  '( ) ( ) , , . ; : :: [ ] = <> != < > <= >= + - * / || -> ->> #> #>> @> <@ ? ?| ?& && @@ ~ ~* !~ !~* % <-> <=> <#> @ ! !! & | ^ <% %> => := =- <-1 *- @-1 \\ \' " $ #';
