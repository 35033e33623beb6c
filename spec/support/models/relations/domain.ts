import { defineEntity, p, type EntitySchema } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';

/** The entities of `relationsDomain`, by name. */
export type Domain = Readonly<Record<(typeof NAMES)[number], Schema>>;

type Schema = EntitySchema<any>;

/**
 * Entities that are related in every way MikroORM has. Given `{ schema: '*' }` they are a tenant's, but for `Country` and `Grade`,
 * which are shared; given nothing they are the same ones for a plain MikroORM on a database of one schema.
 */
export function relationsDomain(own: { schema?: '*' }): Domain {
  const Country: Schema = entity('Country', {
    ...named(),
    countries: p.integer().formula((_columns, table) => `(select count(*)::int from ${tableOf(table, 'country')})`),
    people: () => p.oneToMany(Person).mappedBy('country'),
    visitors: () => p.manyToMany(Person).mappedBy('visited'),
    anthem: () => p.oneToOne(Anthem).mappedBy('country').lazy().nullable(),
  });
  // a shared table and a tenant's of one name
  const Grade: Schema = entity('Grade', { ...named(), people: () => p.oneToMany(Person).mappedBy('grade') }, { tableName: 'grade' });
  const OwnGrade: Schema = entity(
    'OwnGrade',
    {
      ...named(),
      people: () => p.oneToMany(Person).mappedBy('ownGrade'),
      shared: () => p.manyToOne(Grade),
      equal: () => p.manyToMany(Grade).pivotTable('grade_equal'),
    },
    { ...own, tableName: own.schema === undefined ? 'own_grade' : 'grade' },
  );
  const Work: Schema = entity('Work', { title: p.string(), since: p.integer().nullable() }, { embeddable: true });
  const Home: Schema = entity(
    'Home',
    { street: p.string(), country: () => p.manyToOne(Country).nullable(), neighbour: () => p.manyToOne(Person).nullable() },
    { embeddable: true },
  );
  const Person: Schema = entity(
    'Person',
    {
      ...named(),
      email: p.string().unique(),
      version: p.integer().version(),
      gone: p.boolean().default(false),
      secret: p.text().lazy().nullable(),
      shout: p.string().generated('(upper(name)) stored').nullable(),
      mood: p.enum(MOODS).nativeEnumName('mood').nullable(),
      moods: p.enum(MOODS).nativeEnumName('mood').array().default([]),
      petCount: p
        .integer()
        .formula((columns, table) => `(select count(*)::int from ${tableOf(table, 'animal')} where owner_id = ${columns.id})`),
      bookings: p
        .integer()
        .formula((columns, table) => `(select count(*)::int from ${tableOf(table, 'membership')} where person_id = ${columns.id})`)
        .lazy(),
      country: () => p.manyToOne(Country).nullable(),
      mentor: () => p.manyToOne(Person).nullable(),
      pupils: () => p.oneToMany(Person).mappedBy('mentor'),
      friends: () => p.manyToMany(Person).pivotTable('person_friends').inversedBy('friendOf'),
      friendOf: () => p.manyToMany(Person).mappedBy('friends'),
      groups: () => p.manyToMany(Group).mappedBy('people'),
      clubs: () =>
        p
          .manyToMany(Club)
          .pivotEntity(() => Membership)
          .inversedBy('people'),
      memberships: () => p.oneToMany(Membership).mappedBy('person'),
      visited: () => p.manyToMany(Country).inversedBy('visitors'),
      passport: () => p.oneToOne(Passport).mappedBy('person').orphanRemoval().nullable(),
      home: () => p.embedded(Home).nullable(),
      work: () => p.embedded(Work).object().nullable(),
      past: () => p.embedded(Work).array().default([]),
      grade: () => p.manyToOne(Grade).nullable(),
      ownGrade: () => p.manyToOne(OwnGrade).nullable(),
      pets: () => p.oneToMany(Animal).mappedBy('owner'),
      vehicles: () => p.oneToMany(Vehicle).mappedBy('owner'),
      comments: () => p.oneToMany(Comment).mappedBy('on'),
      labels: () => p.manyToMany(Label).pivotTable('labelled').discriminator('subject').inversedBy('people'),
      firstPet: () =>
        p
          .manyToOne(Animal)
          .through(() => Animal)
          .orderBy({ name: 'asc' })
          .nullable(),
      idol: () => p.manyToOne(Person).mapToPk().nullable(),
    },
    {
      ...own,
      filters: { present: { name: 'present', cond: { gone: false }, default: false } },
    },
  );
  const Passport: Schema = entity(
    'Passport',
    { person: () => p.oneToOne(Person).primary(), name: p.string(), stamps: () => p.oneToMany(Stamp).mappedBy('passport').orphanRemoval() },
    own,
  );
  const Stamp: Schema = entity(
    'Stamp',
    { passport: () => p.manyToOne(Passport).primary(), country: () => p.manyToOne(Country).primary(), name: p.string() },
    own,
  );
  const Anthem: Schema = entity(
    'Anthem',
    { ...named(), country: () => p.oneToOne(Country).inversedBy('anthem').eager(), composer: () => p.manyToOne(Person).eager() },
    own,
  );
  const Group: Schema = entity(
    'Group',
    { ...named(), people: () => p.manyToMany(Person).pivotTable('group_people').fixedOrder().inversedBy('groups') },
    { ...own, tableName: 'party' },
  );
  const Club: Schema = entity(
    'Club',
    {
      ...named(),
      people: () => p.manyToMany(Person).mappedBy('clubs'),
      members: () => p.oneToMany(Membership).mappedBy('club'),
      comments: () => p.oneToMany(Comment).mappedBy('on'),
      labels: () => p.manyToMany(Label).pivotTable('labelled').discriminator('subject').inversedBy('clubs'),
    },
    own,
  );
  const Membership: Schema = entity(
    'Membership',
    {
      person: () => p.manyToOne(Person).primary(),
      club: () => p.manyToOne(Club).primary(),
      role: p.string().default('member'),
      sponsor: () => p.manyToOne(Person).nullable(),
      badges: () => p.oneToMany(Badge).mappedBy('membership'),
    },
    own,
  );
  const Badge: Schema = entity('Badge', { ...named(), membership: () => p.manyToOne(Membership) }, own);
  const Vehicle: Schema = entity(
    'Vehicle',
    { ...named(), kind: p.enum(['vehicle', 'car', 'bike']), owner: () => p.manyToOne(Person) },
    { ...own, discriminatorColumn: 'kind', discriminatorValue: 'vehicle' },
  );
  const Car: Schema = entity('Car', { garage: () => p.manyToOne(Club).nullable() }, { extends: Vehicle, discriminatorValue: 'car' });
  const Bike: Schema = entity('Bike', { rider: () => p.manyToOne(Person).nullable() }, { extends: Vehicle, discriminatorValue: 'bike' });
  const Animal: Schema = entity('Animal', { ...named(), owner: () => p.manyToOne(Person) }, { ...own, inheritance: 'tpt' });
  const Dog: Schema = entity(
    'Dog',
    {
      trainer: () => p.manyToOne(Person).nullable(),
      dogs: p.integer().formula((_columns, table) => `(select count(*)::int from ${tableOf(table, 'dog')})`),
    },
    { extends: Animal },
  );
  const Cat: Schema = entity('Cat', { lives: p.integer(), toys: () => p.oneToMany(Toy).mappedBy('cat') }, { extends: Animal });
  const Toy: Schema = entity('Toy', { ...named(), cat: () => p.manyToOne(Cat) }, own);
  const Comment: Schema = entity('Comment', { ...named(), on: () => p.manyToOne(oneOf(Person, Club)).nullable() }, own);
  const Label: Schema = entity(
    'Label',
    { ...named(), people: () => p.manyToMany(Person).mappedBy('labels'), clubs: () => p.manyToMany(Club).mappedBy('labels') },
    own,
  );
  const Album: Schema = entity('Album', { ...named(), items: () => p.manyToMany(oneOf(Person, Club)).pivotTable('album_items') }, own);
  const Parcel: Schema = entity('Parcel', { ...named(), to: () => p.manyToOne(Person).targetKey('email') }, own);
  const Roll: Schema = entity(
    'Roll',
    { ...named(), country: () => p.manyToOne(Country).nullable(), mentor: () => p.manyToOne(Person).nullable() },
    { ...own, view: true, expression: 'select id, name, country_id, mentor_id from person where not gone' },
  );
  const Tally: Schema = entity(
    'Tally',
    { country: () => p.manyToOne(Country).primary(), people: p.integer() },
    {
      ...own,
      view: { materialized: true },
      expression: 'select country_id, count(*)::int as people from person where country_id is not null group by 1',
    },
  );
  const Directory: Schema = entity(
    'Directory',
    { name: p.string(), mentor: () => p.manyToOne(Person).nullable() },
    { ...own, expression: (em: SqlEntityManager) => em.createQueryBuilder(Person, 'p').select(['p.name', 'p.mentor']) },
  );
  const Everyone: Schema = entity(
    'Everyone',
    { id, name: p.string() },
    {
      ...own,
      view: true,
      expression: (em: SqlEntityManager) => em.createQueryBuilder(Person, 'p').select(['p.id', 'p.name']).where({ gone: false }),
    },
  );

  return {
    Country,
    Grade,
    OwnGrade,
    Work,
    Home,
    Person,
    Passport,
    Stamp,
    Anthem,
    Group,
    Club,
    Membership,
    Badge,
    Vehicle,
    Car,
    Bike,
    Animal,
    Dog,
    Cat,
    Toy,
    Comment,
    Label,
    Album,
    Parcel,
    Roll,
    Tally,
    Directory,
    Everyone,
  };
}

/** The entities that are shared. */
export const SHARED_ENTITIES: readonly string[] = ['Country', 'Grade'];

/** The tables that are shared. */
export const SHARED_TABLES = ['country', 'grade'] as const;

function entity(name: string, properties: Record<string, unknown>, more: object = {}): Schema {
  return defineEntity({ name, properties, ...more } as never);
}

// MikroORM's declarations know one target alone
function oneOf(...targets: Schema[]): Schema {
  return targets as unknown as Schema;
}

function named(): Record<string, unknown> {
  return { id, name: p.string() };
}

// a plain MikroORM gives a formula no schema where the database has one alone
function tableOf(table: { readonly schema?: string | undefined }, name: string): string {
  return table.schema === undefined ? `"${name}"` : `"${table.schema}"."${name}"`;
}

const id = p.integer().primary();

const MOODS = ['calm', 'cross'];

const NAMES = [
  'Country',
  'Grade',
  'OwnGrade',
  'Work',
  'Home',
  'Person',
  'Passport',
  'Stamp',
  'Anthem',
  'Group',
  'Club',
  'Membership',
  'Badge',
  'Vehicle',
  'Car',
  'Bike',
  'Animal',
  'Dog',
  'Cat',
  'Toy',
  'Comment',
  'Label',
  'Album',
  'Parcel',
  'Roll',
  'Tally',
  'Directory',
  'Everyone',
] as const;
