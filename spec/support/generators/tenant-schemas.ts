import fc from 'fast-check';
import { randomNumbers, randomPick } from './random.ts';

/** A part of a generated schema: its kind, and the seed of all else about it. */
export interface Piece {
  readonly kind: PieceKind;
  readonly seed: number;
}

/** The pieces of a schema. Left out one by one, the smallest schema that fails is found. */
export function tenantSchemas(maxPieces: number): fc.Arbitrary<readonly Piece[]> {
  const kinds = (Object.keys(PIECES) as PieceKind[]).flatMap(kind => Array.from({ length: WEIGHTS[kind] ?? 2 }, () => kind));

  return fc.array(fc.record({ kind: fc.constantFrom(...kinds), seed: fc.integer({ min: 0, max: 1_000_000 }) }), {
    minLength: 3,
    maxLength: maxPieces,
    size: 'max',
  });
}

/**
 * Makes the pieces one after the other. Each may use what the former ones have made. One that PostgreSQL refuses is left out: `run` says so. The names in
 * the statements have no schema.
 */
export async function makeSchema(
  pieces: readonly Piece[],
  { run, words }: { readonly run: (sql: string) => Promise<boolean>; readonly words: SchemaWords },
): Promise<MadeSchema> {
  const made: Made = {
    tables: [],
    types: [...BUILT_IN_TYPES],
    relations: [],
    functions: [],
    hasTwoParents: false,
    sequences: [],
    count: 0,
    described: [],
    words,
  };
  const statements: string[] = [];
  const accepted: PieceKind[] = [];
  const refused: PieceKind[] = [];

  for (const { kind, seed } of pieces) {
    const random = randomNumbers(seed);
    made.count += 1;
    const piece: DrawnPiece = PIECES[kind]({
      made,
      pick: randomPick(random),
      chance: likelihood => random() < likelihood,
      number: below => Math.floor(random() * below),
      name: prefix => nameOf(prefix, made.count, random),
    });

    if (piece === undefined) {
      continue;
    }

    const sql = piece.sql.join(';\n');

    if (await run(sql)) {
      piece.made?.();
      statements.push(...piece.sql);
      accepted.push(kind);
    } else {
      refused.push(kind);
    }
  }

  return { statements, accepted, refused };
}

export interface MadeSchema {
  readonly statements: readonly string[];
  readonly accepted: readonly PieceKind[];
  readonly refused: readonly PieceKind[];
}

/** What the statements need from outside of the schema. */
export interface SchemaWords {
  /** The name of the schema, which rows state. */
  readonly schemaName: string;
  readonly role: string | undefined;
  /** The version of PostgreSQL, such as 18. */
  readonly version: number;
}

interface Made {
  readonly tables: Table[];
  readonly types: Type[];
  /** Tables and views, with the columns that can be read. */
  readonly relations: { readonly name: string; readonly columns: readonly Column[] }[];
  readonly functions: { readonly name: string; readonly of: Type; readonly gives: Type }[];
  readonly sequences: string[];
  /** Whether a table inherits from two. A column that comes to their parents later has a place in it that no new table can give it. */
  hasTwoParents: boolean;
  /** What a comment can be given. */
  readonly described: string[];
  readonly words: SchemaWords;
  count: number;
}

interface Type {
  readonly sql: string;
  readonly value: (n: number) => string;
  /** Whether it has an order, for keys and indexes. */
  readonly isOrdered: boolean;
  readonly isText?: boolean;
}

interface Column {
  readonly name: string;
  readonly type: Type;
  readonly isWritten: boolean;
}

interface Table {
  readonly name: string;
  readonly columns: Column[];
  readonly key: readonly string[] | undefined;
  readonly isPartitioned: boolean;
}

interface Draw {
  readonly made: Made;
  readonly pick: <Value>(values: readonly Value[]) => Value;
  readonly chance: (likelihood: number) => boolean;
  readonly number: (below: number) => number;
  readonly name: (prefix: string) => string;
}

type DrawnPiece = { readonly sql: readonly string[]; readonly made?: () => void } | undefined;

const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;

/** Names that need quotes, as words of SQL, with dots, quotes and other letters among them. No two are equal. */
function nameOf(prefix: string, count: number, random: () => number): string {
  const name = `${prefix}_${count}`;
  const odd = Math.floor(random() * 12);

  return odd === 0
    ? `"${name} x"`
    : odd === 1
      ? `"${name.toUpperCase()}"`
      : odd === 2
        ? `"a.${name}"`
        : odd === 3
          ? `"${name}""q"`
          : odd === 4
            ? `"z_ü${name}'"`
            : odd === 5
              ? `"$1 ${name} ?"`
              : odd === 6
                ? `a_${name}`
                : name;
}

const BUILT_IN_TYPES: readonly Type[] = [
  { sql: 'int', value: n => String(n), isOrdered: true },
  { sql: 'bigint', value: n => String(n * 3_000_000_000), isOrdered: true },
  { sql: 'text', value: n => text(`value ${n}`), isOrdered: true, isText: true },
  { sql: 'varchar(40)', value: n => text(`it's \\ ${n}`), isOrdered: true, isText: true },
  { sql: 'numeric(12,3)', value: n => `${n}.125`, isOrdered: true },
  { sql: 'float8', value: n => `${n}.1`, isOrdered: true },
  { sql: 'date', value: n => `'2026-01-${String(1 + (n % 28)).padStart(2, '0')}'`, isOrdered: true },
  { sql: 'timestamptz(3)', value: n => `'2026-01-02 03:04:05.${n % 10}+02'`, isOrdered: true },
  { sql: 'interval day to second', value: n => `'${n} days 01:02:03'`, isOrdered: true },
  { sql: 'uuid', value: n => `'00000000-0000-0000-0000-${String(n).padStart(12, '0')}'`, isOrdered: true },
  { sql: 'jsonb', value: n => `'{"n": ${n}, "a?b": "it''s"}'`, isOrdered: true },
  { sql: 'bytea', value: n => `'\\x0${n % 10}ff'`, isOrdered: true },
  { sql: 'text[]', value: n => `array['a ${n}', null, 'b"']`, isOrdered: true },
  { sql: 'int4range', value: n => `int4range(${n}, ${n + 1})`, isOrdered: true },
  { sql: 'inet', value: n => `'10.0.0.${n % 256}'`, isOrdered: true },
  { sql: 'tsvector', value: n => `to_tsvector('simple', 'word ${n}')`, isOrdered: true },
  { sql: 'point', value: n => `point(${n}, 1)`, isOrdered: false },
];

const ordered = (types: readonly Type[]): readonly Type[] => types.filter(({ isOrdered }) => isOrdered);

function addTable(made: Made, table: Table): void {
  made.tables.push(table);
  made.relations.push({ name: table.name, columns: table.columns });
  made.described.push(`table ${table.name}`, ...table.columns.map(({ name }) => `column ${table.name}.${name}`));
}

function columnsFor({ made, pick, chance, number }: Draw): { readonly columns: Column[]; readonly definitions: string[] } {
  const columns: Column[] = [{ name: 'k', type: BUILT_IN_TYPES[0]!, isWritten: true }];
  const definitions = ['k int not null'];

  for (let n = number(5); n >= 0; n -= 1) {
    // of the types that the schema has made, more than one in many
    const type = pick(chance(0.5) ? made.types.slice(-5) : made.types);
    const name = pick([`c${n}`, `"Column ${n}"`, `"order${n}"`, `c${n}`]);
    const collate = type.isText === true && chance(0.3) ? ` collate ${pick(['"C"', '"POSIX"'])}` : '';
    const fallback = chance(0.3) ? ` default ${type.value(number(9))}` : '';
    const limits = [
      chance(0.2) ? ` constraint nn_${made.count}_${n} not null` : chance(0.2) ? ' not null' : '',
      chance(0.15) && type.isText === true ? ` constraint ck_${made.count}_${n} check (${name} <> 'acme.book')` : '',
    ];
    columns.push({ name, type, isWritten: true });
    definitions.push(`${name} ${type.sql}${collate}${fallback}${limits.join('')}`);
  }

  const own = made.functions.filter(({ of }) => columns.some(({ type }) => type === of));

  if (own.length > 0 && chance(0.6)) {
    const { name, of, gives } = pick(own);
    const from = columns.find(({ type }) => type === of)!;
    columns.push({ name: 'gen', type: gives, isWritten: false });
    definitions.push(`gen ${gives.sql} generated always as (${name}(${from.name})) stored`);
  } else if (chance(0.2)) {
    columns.push({ name: 'gen', type: BUILT_IN_TYPES[0]!, isWritten: false });
    definitions.push(`gen int generated always as (k * 2) ${made.words.version >= 18 && chance(0.5) ? 'virtual' : 'stored'}`);
  }

  return { columns, definitions };
}

const PIECES = {
  enum: ({ made, pick, name, number }) => {
    const type = name('mood');
    const labels = ['sad', 'so so', `it's "x"`, 'back\\slash', 'ü'].slice(0, 2 + number(4));

    return {
      sql: [
        `create type ${type} as enum (${labels.map(text).join(', ')})`,
        `alter type ${type} add value 'first' before 'sad'`,
        ...pick([[], [`alter type ${type} rename value 'sad' to 'very sad'`]]),
      ],
      made: () => {
        made.types.push({ sql: type, value: n => text(labels.slice(1)[n % (labels.length - 1)]!), isOrdered: true });
        made.described.push(`type ${type}`);
      },
    };
  },
  domain: ({ made, pick, name, chance }) => {
    const type = name('dom');
    const base = pick(ordered(made.types));
    const checks = made.functions.filter(({ of }) => of === base);
    const check = checks.length > 0 && chance(0.5) ? `${pick(checks).name}(value) is not null` : 'value is not null';

    return {
      sql: [
        `create domain ${type} as ${base.sql}${base.isText === true && chance(0.3) ? ' collate "C"' : ''}${chance(0.4) ? ` default ${base.value(3)}` : ''}${chance(0.3) ? ' not null' : ''}`,
        ...(chance(0.5)
          ? [`alter domain ${type} add constraint "Check ${made.count}" check (${check})${chance(0.3) ? ' not valid' : ''}`]
          : []),
        ...(chance(0.3) ? [`alter domain ${type} add check (value = value)`] : []),
      ],
      made: () => {
        made.types.push({ ...base, sql: type });
        made.described.push(`domain ${type}`);
      },
    };
  },
  composite: ({ made, pick, name, chance, number }) => {
    const type = name('comp');
    const parts = Array.from({ length: 1 + number(3) }, () => pick(made.types));
    const attributes = parts.map((part, n) => `a${n} ${part.sql}${part.isText === true && chance(0.4) ? ' collate "C"' : ''}`);

    return {
      sql: [
        `create type ${type} as (${attributes.join(', ')})`,
        ...(chance(0.3) ? [`alter type ${type} add attribute gone int`, `alter type ${type} drop attribute gone`] : []),
        ...(chance(0.3) ? [`comment on column ${type}.a0 is 'a part'`] : []),
      ],
      made: () => {
        made.types.push({ sql: type, value: n => `row(${parts.map(part => part.value(n)).join(', ')})::${type}`, isOrdered: false });
        made.types.push({
          sql: `${type}[]`,
          value: n => `array[row(${parts.map(part => part.value(n)).join(', ')})::${type}]`,
          isOrdered: false,
        });
        made.described.push(`type ${type}`);
      },
    };
  },
  range: ({ made, pick, name, chance }) => {
    const type = name('span');
    const of = pick(ordered(made.types).filter(({ isText, sql }) => isText !== true || !sql.includes('(')));
    const options = [
      `subtype = ${of.sql.replace(/\(.*\)/, '')}`,
      ...(of.isText === true && chance(0.5) ? ['collation = "C"'] : []),
      ...(chance(0.4) ? [`multirange_type_name = ${type.replace('span', 'spans')}`] : []),
    ];

    return {
      sql: [`create type ${type} as range (${options.join(', ')})`],
      made: () => {
        made.types.push({ sql: type, value: n => `${type}(${of.value(n)}, ${of.value(n)}, '[]')`, isOrdered: true });
        made.described.push(`type ${type}`);
      },
    };
  },
  sequence: ({ made, pick, name, chance, number }) => {
    const sequence = name('seq');
    const table = made.tables.length > 0 && chance(0.5) ? pick(made.tables) : undefined;

    return {
      sql: [
        `create sequence ${sequence} as ${pick(['smallint', 'int', 'bigint'])} increment by ${pick([1, 7, -2])} minvalue -100 maxvalue 1000 start with ${number(50)} cache ${1 + number(3)}${chance(0.3) ? ' cycle' : ''}`,
        ...(table === undefined ? [] : [`alter sequence ${sequence} owned by ${table.name}.k`]),
        ...pick([
          [],
          [`select nextval('${sequence.replaceAll("'", "''")}')`],
          [`select setval('${sequence.replaceAll("'", "''")}', 7, false)`],
        ]),
        ...(table !== undefined && chance(0.6)
          ? [`alter table ${table.name} alter k set default nextval('${sequence.replaceAll("'", "''")}')`]
          : []),
      ],
      made: () => {
        made.sequences.push(sequence);
        made.described.push(`sequence ${sequence}`);
      },
    };
  },
  table: draw => {
    const { made, pick, name, chance } = draw;
    const table = name('tab');
    const { columns, definitions } = columnsFor(draw);
    const key = chance(0.7) ? ['k'] : undefined;
    const kind = pick(['', '', '', 'unlogged ']);
    const identity = chance(0.4);
    const withs = [
      ...(chance(0.3) ? ['fillfactor = 70'] : []),
      ...(chance(0.3) ? ['autovacuum_vacuum_scale_factor = 0.3', 'toast.autovacuum_enabled = false'] : []),
    ];
    const last = columns.at(-1)!;

    return {
      sql: [
        `create ${kind}table ${table} (${definitions.join(', ')})${withs.length === 0 ? '' : ` with (${withs.join(', ')})`}`,
        ...(key === undefined
          ? []
          : [
              `alter table ${table} add constraint "PK ${made.count}" primary key (k)${pick(['', '', ' include (' + last.name + ')', ' deferrable', ' deferrable initially deferred'])}`,
            ]),
        ...(identity
          ? [
              `alter table ${table} alter k add generated ${pick(['always', 'by default'])} as identity (start 20 increment ${pick([1, 3])}${chance(0.3) ? ' cycle' : ''})`,
            ]
          : chance(0.3)
            ? [`alter table ${table} add ser ${pick(['serial', 'bigserial', 'smallserial'])}`]
            : []),
        ...(chance(0.2) ? [`alter table ${table} add gone int`, `alter table ${table} drop gone`] : []),
      ],
      made: () => addTable(made, { name: table, columns, key, isPartitioned: false }),
    };
  },
  partitioned: draw => {
    const { made, pick, name, chance } = draw;
    const table = name('whole');
    const { columns, definitions } = columnsFor(draw);
    const others = definitions.slice(1);
    const reversed = [...definitions].toReversed();
    const type = pick(['range', 'list', 'hash'] as const);
    const [first, second] =
      type === 'range'
        ? ['for values from (0) to (100)', 'for values from (100) to (maxvalue)']
        : type === 'list'
          ? ['for values in (1, 2, 3)', 'for values in (4, 5, 6, null)']
          : ['for values with (modulus 2, remainder 0)', 'for values with (modulus 2, remainder 1)'];
    const part = (n: number): string => `part_${made.count}_${n}`;
    const isKeyed = chance(0.6);
    const canAttach = !others.some(each => each.includes('constraint') || each.includes('generated'));

    return {
      sql: [
        `create table ${table} (${definitions.join(', ')}${isKeyed ? ', primary key (k)' : ''}) partition by ${type} (${pick(isKeyed || type === 'list' ? ['k'] : ['k', '(k + 1)'])})`,
        ...(chance(0.4) ? [`create index on ${table} (${columns[0]!.name}, (k + 1))`] : []),
        `create table ${part(1)} partition of ${table} ${first}`,
        ...(canAttach && chance(0.5)
          ? [
              `create table ${part(2)} (${reversed.join(', ')}${chance(0.5) ? `, constraint only_${made.count} check (k > -5)` : ''})`,
              ...(isKeyed && chance(0.5) ? [`alter table ${part(2)} add constraint "own key ${made.count}" primary key (k)`] : []),
              `alter table ${table} attach partition ${part(2)} ${second}`,
            ]
          : [
              `create table ${part(2)} partition of ${table} ${second} partition by hash (k)`,
              `create table ${part(3)} partition of ${part(2)} for values with (modulus 1, remainder 0)`,
            ]),
        ...(type !== 'hash' && chance(0.5) ? [`create table ${part(4)} partition of ${table} default`] : []),
        ...(chance(0.3) ? [`create index ${name('ix')} on ${part(1)} (k)`] : []),
        ...(chance(0.3) ? [`alter table ${part(1)} alter k set default 77`] : []),
        ...(chance(0.3) ? [`create index ${name('ix_all')} on ${table} (k desc)`] : []),
      ],
      made: () => {
        addTable(made, { name: table, columns, key: isKeyed ? ['k'] : undefined, isPartitioned: true });
        made.described.push(`table ${part(1)}`);
      },
    };
  },
  inherited: ({ made, pick, name, chance }) => {
    const parents = made.tables.filter(({ isPartitioned }) => !isPartitioned);

    if (parents.length === 0) {
      return undefined;
    }

    const table = name('child');
    const parent = pick(parents);
    // of the same columns: one inherits from the other, or both from a third
    const related = parents.filter(other => other !== parent && other.columns.some(column => parent.columns.includes(column)));
    const all = related.length > 0 && chance(0.4) ? [parent, pick(related)] : [parent];

    return {
      sql: [
        `create table ${table} (more text${chance(0.3) ? ', k int default 9' : ''}) inherits (${all.map(each => each.name).join(', ')})`,
        ...(chance(0.4) && all.length === 1 && !made.hasTwoParents
          ? [`alter table ${parent.name} add later_${made.count} int default 5 check (later_${made.count} > 0)`]
          : []),
        ...(chance(0.3) ? [`alter table ${table} alter k set default 8`] : []),
      ],
      made: () => {
        made.hasTwoParents ||= all.length > 1;
        addTable(made, { name: table, columns: [...new Set(all.flatMap(each => each.columns))], key: undefined, isPartitioned: false });
      },
    };
  },
  constraint: ({ made, pick, name }) => {
    if (made.tables.length === 0) {
      return undefined;
    }

    const table = pick(made.tables);
    const column = pick(table.columns);
    const constraint = name('con');
    const late = pick(['', ' deferrable', ' deferrable initially deferred']);
    const isNew = made.words.version >= 18;
    const definition = pick([
      `unique nulls not distinct (k, ${column.name})${late}`,
      `unique (k) include (${column.name})${late}`,
      `unique (${column.name}, k)${pick(['', ' with (fillfactor = 50)'])}`,
      `check (k > -1000)${pick(['', ' not valid', ' no inherit', isNew ? ' not enforced' : ''])}`,
      `check (${column.name} is not null or k >= 0) no inherit`,
      `exclude using gist (int4range(k, k + 1) with &&) where (k > 0)${late}`,
      `exclude using btree (k with =)${late}`,
      ...(isNew ? [`not null ${column.name} not valid`, `not null ${column.name} no inherit`] : []),
    ]);

    return {
      sql: [`alter table ${table.name} add constraint ${constraint} ${definition}`],
      made: () => made.described.push(`constraint ${constraint} on ${table.name}`),
    };
  },
  foreignKey: ({ made, pick, name, chance }) => {
    const keyed = made.tables.filter(({ key }) => key !== undefined);

    if (made.tables.length === 0) {
      return undefined;
    }

    const table = pick(made.tables);
    const constraint = name('fk');
    const target = chance(0.3) || keyed.length === 0 ? 'public.plan (id)' : `${pick(keyed).name} (k)`;
    const column = `ref_${made.count}`;
    const rules = pick([
      '',
      ' on delete cascade',
      ` on delete set null (${column})`,
      ' on update set default',
      ' match full on delete restrict',
    ]);
    const late = pick(['', ' deferrable', ' deferrable initially deferred', ' not valid', made.words.version >= 18 ? ' not enforced' : '']);

    return {
      sql: [
        `alter table ${table.name} add ${column} int`,
        `alter table ${table.name} add constraint ${constraint} foreign key (${column}) references ${target}${rules}${late}`,
      ],
      made: () => {
        table.columns.push({ name: column, type: BUILT_IN_TYPES[0]!, isWritten: false });
        made.described.push(`constraint ${constraint} on ${table.name}`);
      },
    };
  },
  index: ({ made, pick, name, chance }) => {
    if (made.tables.length === 0) {
      return undefined;
    }

    const table = pick(made.tables);
    const column = pick(table.columns);
    const index = name('ix');
    const calls = made.functions.filter(({ of }) => of === column.type);
    const key = calls.length > 0 && chance(0.7) ? `${pick(calls).name}(${column.name})` : column.name;
    const definition = pick([
      `(${key} desc nulls last, k)${chance(0.5) ? ' include (k)' : ''}`,
      `((k + 1)) with (fillfactor = 55)`,
      `using brin (k) with (pages_per_range = 7)`,
      `using hash (${column.name})`,
      `(${key}) where ${column.name} is not null and k > 3`,
      ...(column.type.isText === true ? [`(${column.name} collate "C" text_pattern_ops)`, `(lower(${column.name}))`] : []),
      ...(column.type.sql === 'jsonb' ? [`using gin (${column.name} jsonb_path_ops)`, `((${column.name} ->> 'a?b'))`] : []),
      ...(column.type.sql === 'int4range' ? [`using gist (${column.name})`] : []),
    ]);
    const isUnique = chance(0.3);

    return {
      sql: [
        `create ${isUnique ? 'unique ' : ''}index ${index} on ${table.name} ${isUnique ? `(k, ${column.name})${chance(0.5) ? ' nulls not distinct' : ''}` : definition}`,
        ...(chance(0.2) && definition.startsWith('((k') && !isUnique ? [`alter index ${index} alter column 1 set statistics 99`] : []),
        ...(chance(0.2) ? [`alter table ${table.name} cluster on ${index}`] : []),
        ...(chance(0.2) ? [`alter table ${table.name} replica identity using index ${index}`] : []),
      ],
      made: () => made.described.push(`index ${index}`),
    };
  },
  statistics: ({ made, pick, name, chance }) => {
    const tables = made.tables.filter(({ columns }) => ordered(columns.map(({ type }) => type)).length > 1);

    if (tables.length === 0) {
      return undefined;
    }

    const table = pick(tables);
    const column = pick(table.columns.slice(1));
    const statistics = name('stat');
    const kinds = pick(['', ' (ndistinct)', ' (mcv, dependencies)', ' (ndistinct, dependencies, mcv)']);

    return {
      sql: [
        chance(0.4)
          ? `create statistics ${statistics} on (k + 1) from ${table.name}`
          : `create statistics ${statistics}${kinds} on k, ${column.name}${chance(0.4) ? ', (k * 2)' : ''} from ${table.name}`,
        ...(chance(0.3) ? [`alter statistics ${statistics} set statistics 42`] : []),
      ],
      made: () => made.described.push(`statistics ${statistics}`),
    };
  },
  storage: ({ made, pick, number }) => {
    const columns = made.tables.flatMap(table => table.columns.map(column => ({ table, column })));

    if (columns.length === 0) {
      return undefined;
    }

    const { table, column } = pick(columns);
    const of = `alter table ${pick(['', 'only '])}${table.name} alter ${column.name}`;

    return {
      sql: [
        pick([
          `${of} set storage ${pick(['external', 'main', 'plain', 'extended'])}`,
          `${of} set compression pglz`,
          `${of} set statistics ${number(500)}`,
          `${of} set (n_distinct = -0.5, n_distinct_inherited = 7)`,
          `alter table ${table.name} replica identity ${pick(['full', 'nothing', 'default'])}`,
          `alter table ${table.name} set (fillfactor = ${40 + number(50)}, parallel_workers = 2)`,
          `${of} drop default`,
          `${of} set not null`,
        ]),
      ],
    };
  },
  function: ({ made, pick, name, chance }) => {
    const routine = name('fun');
    const of = pick(made.types);
    const gives = BUILT_IN_TYPES[pick([0, 2])]!;
    const result = gives === BUILT_IN_TYPES[0] ? '17' : `'it''s \\ $$ "x"'`;
    const traits = pick(['immutable', 'immutable strict', 'immutable parallel safe leakproof', 'immutable cost 7 security definer']);
    const path = chance(0.3) ? ` set search_path from current${chance(0.5) ? ` set work_mem = '5MB'` : ''}` : '';
    const body = pick([
      `language sql ${traits}${path} as $f$ select ${result}${gives.isText === true ? '::text' : ''} $f$`,
      `language plpgsql ${traits}${path} as $f$ begin return ${result}; end $f$`,
      `language sql ${traits}${path} return ${result}`,
    ]);

    return {
      sql: [
        `create function ${routine}(p ${of.sql}${chance(0.4) ? `, q int default 3, variadic more text[] default '{}'` : ''}) returns ${gives.sql} ${body}`,
      ],
      made: () => made.functions.push({ name: routine, of, gives }),
    };
  },
  reader: ({ made, pick, name, chance }) => {
    if (made.relations.length === 0) {
      return undefined;
    }

    const routine = name('read');
    const { name: relation } = pick(made.relations);

    return {
      sql: [
        pick([
          `create function ${routine}() returns bigint language sql stable begin atomic select count(*) from ${relation}; end`,
          `create function ${routine}() returns bigint language plpgsql stable set search_path from current as $f$ begin return (select count(*) from ${relation}); end $f$`,
          `create function ${routine}() returns setof ${relation} language sql stable rows 7 as $f$ select * from ${relation} $f$`,
          `create function ${routine}(r ${relation}) returns text language sql stable as $f$ select r::text $f$`,
          `create function ${routine}(out a int, out b ${relation}) returns setof record language sql as $f$ select 1, t from ${relation} t $f$`,
          `create function ${routine}() returns table (n bigint, rows ${relation}[]) language sql begin atomic select count(*), array_agg(t) from ${relation} t; end`,
          `create procedure ${routine}(inout n int${chance(0.5) ? ' default 4' : ''}) language plpgsql as $f$ begin n := (select count(*) from ${relation}); end $f$`,
        ]),
        ...(chance(0.3) ? [`comment on routine ${routine} is 'reads'`] : []),
      ],
    };
  },
  aggregate: ({ made, pick, name }) => {
    const routine = name('agg');
    const state = name('state');
    const of = pick(made.types);

    return {
      sql: [
        `create function ${state}(a int, b ${of.sql}) returns int language sql immutable as $f$ select coalesce(a, 0) + 1 $f$`,
        `create aggregate ${routine} (${of.sql}) (sfunc = ${state}, stype = int${pick(['', `, initcond = '0'`, ', parallel = restricted, sspace = 8'])})`,
        `comment on aggregate ${routine} (${of.sql}) is 'counts'`,
      ],
    };
  },
  operator: ({ made, pick, name, chance }) => {
    const routine = name('cmp');
    const of = pick(made.types);
    const sign = pick(['<@@>', '~~@', '#&#', '@+@']);

    return {
      sql: [
        `create function ${routine}(a ${of.sql}, b ${of.sql}) returns boolean language sql immutable as $f$ select true $f$`,
        `create operator ${sign} (function = ${routine}, leftarg = ${of.sql}, rightarg = ${of.sql}${chance(0.5) ? `, commutator = ${sign}` : ''}${chance(0.3) ? ', restrict = eqsel, join = eqjoinsel' : ''})`,
        ...(made.tables.some(({ columns }) => columns.some(({ type }) => type === of)) && chance(0.6)
          ? made.tables
              .filter(({ columns }) => columns.some(({ type }) => type === of))
              .slice(0, 1)
              .map(({ name: table, columns }) => {
                const column = columns.find(({ type }) => type === of)!.name;

                return `create view ${name('by_op')} as select * from (select ${column} as c from ${table}) s where c ${sign} c`;
              })
          : []),
      ],
    };
  },
  view: ({ made, pick, name, chance }) => {
    if (made.relations.length === 0) {
      return undefined;
    }

    const view = name('view');
    const from = pick(made.relations);
    const other = pick(made.relations);
    const column = pick(from.columns);
    const options = pick(['', ' with (security_barrier)', ' with (security_invoker = true)']);
    const plain = chance(0.4);
    const query = plain
      ? `select ${[...new Set(['k', column.name])].join(', ')} from ${from.name} where k > 0`
      : pick([
          `select a.k, b.k as other, count(*) over (partition by a.k order by b.k) as nth from ${from.name} a left join ${other.name} b using (k)`,
          `with recursive c (k) as (select 1 union all select k + 1 from c where k < 3) select c.k, 'acme.book'::text as said from c`,
          `select k, a, (a).* from ${from.name} a`,
          `select k from ${from.name} union all select k from ${other.name}`,
          `select distinct on (k) k, ${column.name} as "Column x" from ${from.name} order by k`,
          `select k, exists (select from ${other.name} x where x.k = a.k) as has from ${from.name} a`,
        ]);

    return {
      sql: [
        `create view ${view}${options} as ${query}${plain ? pick(['', ' with local check option', ' with cascaded check option']) : ''}`,
        ...(chance(0.3) ? [`alter view ${view} alter k set default 3`] : []),
        ...(chance(0.2) ? [`alter view ${view} rename column k to renamed`, `alter view ${view} rename column renamed to k`] : []),
      ],
      made: () => {
        made.relations.push({ name: view, columns: [{ name: 'k', type: BUILT_IN_TYPES[0]!, isWritten: true }] });
        made.described.push(`view ${view}`);
      },
    };
  },
  materialized: ({ made, pick, name, chance }) => {
    if (made.relations.length === 0) {
      return undefined;
    }

    const view = name('mat');
    const from = pick(made.relations);

    return {
      sql: [
        `create materialized view ${view}${chance(0.3) ? ' with (fillfactor = 80)' : ''} as select k, count(*) as n from ${from.name} group by k ${pick(['', 'with no data'])}`,
        ...(chance(0.5) ? [`create unique index ${name('mix')} on ${view} (k)`] : []),
        ...(chance(0.3) ? [`alter materialized view ${view} alter n set statistics 33`] : []),
      ],
      made: () => {
        made.relations.push({ name: view, columns: [{ name: 'k', type: BUILT_IN_TYPES[0]!, isWritten: true }] });
        made.described.push(`materialized view ${view}`);
      },
    };
  },
  trigger: ({ made, pick, name, chance }) => {
    if (made.tables.length === 0) {
      return undefined;
    }

    const table = pick(made.tables);
    const [routine, trigger] = [name('trf'), name('trg')];
    const what = pick([
      `before insert or update on ${table.name} for each row`,
      `after insert or update of k or delete on ${table.name} for each row when (pg_trigger_depth() < 9)`,
      `after update on ${table.name} referencing old table as was new table as "Is" for each statement`,
      `after truncate on ${table.name} for each statement`,
      `before update on ${table.name} for each row when (old.* is distinct from new.*)`,
    ]);
    const isConstraint = chance(0.2);
    const args = pick(['', `'it''s', 7`, `'back\\slash'`]);

    return {
      sql: [
        `create function ${routine}() returns trigger language plpgsql${chance(0.5) ? ' set search_path from current' : ''} as $f$ begin return new; end $f$`,
        isConstraint
          ? `create constraint trigger ${trigger} after insert on ${table.name} deferrable initially ${pick(['deferred', 'immediate'])} for each row execute function ${routine}(${args})`
          : `create trigger ${trigger} ${what} execute function ${routine}(${args})`,
        ...pick([[], [], [`alter table ${table.name} ${pick(['disable', 'enable always', 'enable replica'])} trigger ${trigger}`]]),
      ],
      made: () => made.described.push(`trigger ${trigger} on ${table.name}`),
    };
  },
  viewTrigger: ({ made, pick, name }) => {
    const views = made.relations.filter(({ name: relation }) => relation.includes('view'));

    if (views.length === 0) {
      return undefined;
    }

    const view = pick(views).name;
    const [routine, trigger] = [name('trf'), name('trg')];

    return {
      sql: [
        `create function ${routine}() returns trigger language plpgsql as $f$ begin return new; end $f$`,
        `create trigger ${trigger} instead of insert or update on ${view} for each row execute function ${routine}()`,
      ],
      made: () => made.described.push(`trigger ${trigger} on ${view}`),
    };
  },
  rule: ({ made, pick, name }) => {
    if (made.relations.length === 0) {
      return undefined;
    }

    const relation = pick(made.relations).name;
    const rule = name('rule');

    return {
      sql: [
        `create rule ${rule} as on ${pick(['insert', 'update'])} to ${relation} where new.k > 900 do ${pick(['instead nothing', 'also nothing', 'also select 1'])}`,
        ...pick([[], [`alter table ${relation} ${pick(['disable', 'enable always'])} rule ${rule}`]]),
      ],
      made: () => made.described.push(`rule ${rule} on ${relation}`),
    };
  },
  policy: ({ made, pick, name, chance }) => {
    if (made.tables.length === 0) {
      return undefined;
    }

    const { name: table } = pick(made.tables);
    const { name: other } = pick(made.tables);
    const policy = name('pol');
    const to = made.words.role !== undefined && chance(0.4) ? made.words.role : 'public';
    const rule = pick([
      `for select to ${to} using (k > 0)`,
      `for insert to ${to} with check (k in (select k from ${other}))`,
      `to ${to} using (current_setting('app.x', true) is null) with check (true)`,
      `for delete to current_user, ${to} using (k < 5)`,
    ]);

    return {
      sql: [
        `create policy ${policy} on ${table} as ${pick(['permissive', 'restrictive'])} ${rule}`,
        ...(chance(0.4) ? [`alter table ${table} enable row level security`] : []),
        ...(chance(0.2) ? [`alter table ${table} force row level security`] : []),
      ],
      made: () => made.described.push(`policy ${policy} on ${table}`),
    };
  },
  grant: ({ made, pick, chance }) => {
    const to = made.words.role !== undefined && chance(0.6) ? made.words.role : 'public';
    const schema = made.words.schemaName;
    const option = to === 'public' ? '' : pick(['', ' with grant option']);
    const relation = made.relations.length === 0 ? undefined : pick(made.relations);

    return {
      sql: [
        pick([
          `grant usage on schema ${schema} to ${to}${option}`,
          `alter default privileges in schema ${schema} grant select, insert on tables to ${to}${option}`,
          `alter default privileges in schema ${schema} grant usage on sequences to ${to}`,
          `alter default privileges in schema ${schema} grant execute on functions to ${to}`,
          ...(relation === undefined
            ? []
            : [
                `grant select, update on ${relation.name} to ${to}${option}`,
                `grant select (k), references (k) on ${relation.name} to ${to}`,
              ]),
          ...(made.sequences.length === 0 ? [] : [`grant usage, select on sequence ${pick(made.sequences)} to ${to}${option}`]),
          ...(made.functions.length === 0
            ? []
            : [
                `revoke execute on function ${pick(made.functions).name} from public`,
                `grant execute on function ${pick(made.functions).name} to ${to}${option}`,
              ]),
          ...(made.words.role === undefined || made.tables.length === 0
            ? []
            : [`alter table ${pick(made.tables).name} owner to ${made.words.role}`]),
        ]),
      ],
    };
  },
  comment: ({ made, pick }) =>
    made.described.length === 0
      ? undefined
      : { sql: [`comment on ${pick(made.described)} is ${pick([`'it''s "x"'`, `E'a\\\\b\\nc'`, `'$$ ; -- '`])}`] },
  rename: ({ made, pick, chance }) => {
    if (made.tables.length === 0) {
      return undefined;
    }

    const table = pick(made.tables);
    const column = pick(table.columns);
    const to = `was_${made.count}`;

    return chance(0.5) && column.name !== 'k'
      ? {
          sql: [`alter table ${table.name} rename ${column.name} to ${to}`],
          made: () => void table.columns.splice(table.columns.indexOf(column), 1),
        }
      : { sql: [`alter table ${table.name} add new_${made.count} text default 'later' not null`] };
  },
  rows: ({ made, pick, number, chance }) => {
    if (made.tables.length === 0) {
      return undefined;
    }

    const table = pick(made.tables);
    const written = table.columns.filter(({ isWritten, name }) => isWritten && (name === 'k' || chance(0.8)));
    const rows = Array.from({ length: 1 + number(4) }, () => {
      const n = 1 + number(200);

      return `(${written.map(({ type }) => (type.isText === true && chance(0.3) ? text(`${made.words.schemaName}.book`) : type.value(n))).join(', ')})`;
    });

    return {
      sql: [
        `insert into ${table.name} (${written.map(({ name }) => name).join(', ')}) overriding system value values ${rows.join(', ')} on conflict do nothing`,
      ],
    };
  },
  large: ({ made, pick, number }) => {
    const tables = made.tables.filter(({ columns }) => columns.some(({ type, isWritten }) => type.sql === 'text' && isWritten));

    if (tables.length === 0) {
      return undefined;
    }

    const table = pick(tables);
    const written = table.columns.filter(({ isWritten }) => isWritten);
    const values = written.map(({ type }) =>
      type.sql === 'text' ? `(select string_agg(md5(i::text), '') from generate_series(1, 700) i)` : type.value(1 + number(90)),
    );

    return {
      sql: [
        `insert into ${table.name} (${written.map(column => column.name).join(', ')}) overriding system value values (${values.join(', ')})`,
      ],
    };
  },
} satisfies Record<string, (draw: Draw) => DrawnPiece>;

export type PieceKind = keyof typeof PIECES;

export const PIECE_KINDS = Object.keys(PIECES) as PieceKind[];

/** The others have two. */
const WEIGHTS: Partial<Record<PieceKind, number>> = {
  table: 6,
  partitioned: 3,
  rows: 5,
  foreignKey: 3,
  index: 4,
  view: 3,
  function: 3,
  grant: 3,
};
