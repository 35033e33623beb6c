type Value = string | number | boolean | null;

type Row = Readonly<Record<string, Value>>;

/** Rows by table, in an order in which each refers to those before it. */
export type Rows = Readonly<Record<string, readonly Row[]>>;

export const SHARED_ROWS: Rows = {
  country: [1, 2, 3].map(id => ({ id, name: `shared country ${id}` })),
  grade: [1, 2, 3].map(id => ({ id, name: `shared grade ${id}` })),
};

/**
 * What a tenant has. Two tenants have rows of the same keys, whose texts say whose they are, and which are linked in another way:
 * `shift` 0 and 1.
 */
export function rowsOf(owner: string, shift: 0 | 1): Rows {
  const named = (id: number, what: string): { id: number; name: string } => ({ id, name: `${owner} ${what} ${id}` });
  // one of 1..n, another one for each tenant
  const of = (n: number, id: number): number => ((id + shift) % n) + 1;

  return {
    grade: [1, 2, 3].map(id => ({ ...named(id, 'grade'), shared_id: of(3, id) })),
    person: [1, 2, 3, 4].map(id => ({
      ...named(id, 'person'),
      email: `${id}@${owner}.example.com`,
      gone: id === 4,
      secret: `${owner} secret ${id}`,
      mood: id === 1 ? 'calm' : null,
      moods: id === 2 ? '{calm,cross}' : '{}',
      country_id: id === 3 ? null : of(3, id),
      mentor_id: id === 1 ? null : 1 + (shift === 0 ? 0 : id === 2 ? 0 : 1),
      home_street: `${owner} street ${id}`,
      home_country_id: of(3, id + 1),
      home_neighbour_id: id === 1 ? null : 1 + shift,
      work: JSON.stringify({ title: `${owner} work ${id}`, since: 2000 + shift }),
      past: JSON.stringify([{ title: `${owner} past ${id}`, since: 1990 + id }]),
      grade_id: of(3, id),
      own_grade_id: of(3, id + 1),
      idol_id: id === 1 ? null : 1 + shift,
    })),
    club: [1, 2].map(id => named(id, 'club')),
    party: [1, 2].map(id => named(id, 'party')),
    label: [1, 2].map(id => named(id, 'label')),
    album: [1].map(id => named(id, 'album')),
    grade_equal: [
      { own_grade_id: 1, grade_id: 1 + shift },
      { own_grade_id: 2, grade_id: 3 },
    ],
    passport: [{ person_id: 1 + shift, name: `${owner} passport ${1 + shift}` }],
    stamp: [2, 3 - 2 * shift].map(id => ({ passport_person_id: 1 + shift, country_id: id, name: `${owner} stamp ${id}` })),
    anthem: [{ ...named(1, 'anthem'), country_id: 1 + shift, composer_id: 2 + shift }],
    membership: [
      { person_id: 1, club_id: 1, role: `${owner} chair`, sponsor_id: 2 },
      { person_id: 1 + shift, club_id: 2, role: `${owner} guest`, sponsor_id: null },
      { person_id: 3, club_id: 1, role: `${owner} member`, sponsor_id: 1 + shift },
    ],
    badge: [
      { ...named(1, 'badge'), membership_person_id: 1, membership_club_id: 1 },
      { ...named(2, 'badge'), membership_person_id: 3, membership_club_id: 1 },
    ],
    vehicle: [
      { ...named(1, 'car'), kind: 'car', owner_id: 1, garage_id: 1 + shift, rider_id: null },
      { ...named(2, 'bike'), kind: 'bike', owner_id: 1 + shift, garage_id: null, rider_id: 2 + shift },
    ],
    animal: [named(1, 'dog'), named(2, 'cat'), named(3, 'dog')].map((row, index) => ({ ...row, owner_id: index === 1 ? 1 + shift : 1 })),
    dog: [1, 3].map(id => ({ id, trainer_id: 2 + shift })),
    cat: [{ id: 2, lives: 9 - shift }],
    toy: [{ ...named(1, 'toy'), cat_id: 2 }],
    parcel: [{ ...named(1, 'parcel'), to_id: `${1 + shift}@${owner}.example.com` }],
    comment: [
      { ...named(1, 'comment'), on_type: 'person', on_id: 1 + shift },
      { ...named(2, 'comment'), on_type: 'club', on_id: 1 + shift },
    ],
    labelled: [
      { subject_type: 'person', subject_id: 1, label_id: 1 + shift },
      { subject_type: 'club', subject_id: 1, label_id: 2 - shift },
    ],
    album_items: [
      { album_id: 1, items_type: 'person', items_id: 1 + shift },
      { album_id: 1, items_type: 'club', items_id: 1 },
    ],
    person_friends: [
      { person_1_id: 1, person_2_id: 2 + shift },
      { person_1_id: 3, person_2_id: 1 },
    ],
    person_visited: [
      { person_id: 1, country_id: 1 + shift },
      { person_id: 2, country_id: 3 },
      { person_id: 1, country_id: 3 },
    ],
    group_people: [
      { id: 1, group_id: 1, person_id: 3 },
      { id: 2, group_id: 1, person_id: 1 + shift },
      { id: 3, group_id: 2, person_id: 1 },
    ],
  };
}

/** Inserts the rows, and sets the sequences so that what comes after them has keys from 101 on. */
export function insertOf(schemaName: string, rows: Rows, tableOf = (table: string): string => table): string[] {
  return Object.entries(rows).flatMap(([name, all]) => {
    const table = `"${schemaName}"."${tableOf(name)}"`;
    const columns = Object.keys(all[0] ?? {});
    const values = all.map(row => `(${columns.map(column => literal(row[column])).join(', ')})`).join(', ');
    const insert = `insert into ${table} (${columns.map(column => `"${column}"`).join(', ')}) values ${values}`;

    return columns[0] === 'id' && name !== 'dog' && name !== 'cat'
      ? [insert, `select setval(pg_get_serial_sequence('${table}', 'id'), 100)`]
      : [insert];
  });
}

function literal(value: Value | undefined): string {
  return value === null ? 'null' : typeof value === 'string' ? `'${value}'` : String(value);
}
