import { LockMode, type Collection } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import type { Domain } from './domain.ts';

/** A way to write related rows; what is new has a key of its own, so that the rows can be compared. */
export type Write = (em: SqlEntityManager, all: Domain) => Promise<unknown>;

const find = (em: SqlEntityManager, entity: Domain[keyof Domain], where: object, populate: readonly string[] = []): Promise<any> =>
  em.findOneOrFail(entity, where, { populate: populate as never });

const person = (id: number): object => ({ id, name: `new person ${id}`, email: `${id}@new.example.com` });

export const WRITES: Readonly<Record<string, Write>> = {
  'a m:1, by entity, key and null': async (em, { Person, Country }) => {
    const [one, two, three] = await em.find<any>(Person, {}, { orderBy: { id: 1 } });
    one.country = await em.findOneOrFail(Country, 3);
    two.country = em.getReference(Country, 1);
    em.assign(three, { country: 2, mentor: null, grade: 1, ownGrade: 1 });
    await em.flush();
  },
  'a graph that is cascaded from its root': async (em, { Person, Vehicle, Dog, Cat, Country, Passport, Group }) => {
    const owner: any = em.create(Person, {
      ...person(201),
      country: em.getReference(Country, 1),
      home: { street: 'x', country: 2, neighbour: 1 },
    });
    owner.pupils.add(em.create(Person, person(202), { persist: false }));
    owner.pets.add(em.create(Dog, { id: 203, name: 'new dog', owner, trainer: 1 }, { persist: false }));
    const cat: any = em.create(Cat, { id: 204, name: 'new cat', owner, lives: 7 }, { persist: false });
    owner.pets.add(cat);
    owner.vehicles.add(em.create(Vehicle, { id: 206, name: 'new vehicle', kind: 'vehicle', owner }, { persist: false }));
    owner.passport = em.create(Passport, { person: owner, name: 'new passport' }, { persist: false });
    owner.groups.add(em.getReference(Group, 2));
    owner.friends.add(owner.pupils[0]);
    await em.persist(owner).flush();
  },
  'rows that hang on a shared one': async (em, { Country, Person, Anthem }) => {
    const country = await find(em, Country, { id: 3 }, ['people']);
    country.people.add(Object.assign(em.create(Person, person(201), { persist: false })));
    country.people.remove(country.people[0]);
    em.create(Anthem, { id: 202, name: 'new anthem', country, composer: 1 });
    await em.flush();
  },
  'rows made by hand that hang on a shared one': async (em, { Country, Person }) => {
    const country = await find(em, Country, { id: 3 }, ['people', 'visitors']);
    const by = (id: number): object =>
      Object.assign(new (Person.meta.class as new () => object)(), person(id), { past: [], moods: [], gone: false });
    country.people.add(by(201));
    await em.flush();
    country.visitors.add(by(202));
    await em.flush();
    const other: any = em.create(Country, { id: 203, name: 'shared by hand' });
    other.people.add(by(204));
    await em.flush();
  },
  'a shared row made by hand that hangs on a row': async (em, { Country, Person }) => {
    const other: any = Object.assign(new (Country.meta.class as new () => object)(), { id: 203, name: 'shared by hand' });
    (await find(em, Person, { id: 1 }, ['visited'])).visited.add(other);
    (await find(em, Person, { id: 2 })).country = other;
    await em.flush();
    other.name = 'shared renamed';
    await em.flush();

    return (await em.findOne(Country, 203)) === other;
  },
  'a new shared row with rows that hang on it': async (em, { Country, Person }) => {
    const country: any = em.create(Country, { id: 201, name: 'shared new' });
    country.people.add(em.create(Person, person(202), { persist: false }));
    country.visitors.add(em.getReference(Person, 1));
    await em.flush();
  },
  'data for a shared row, with rows that hang on it': async (em, { Country }) => {
    const country = await find(em, Country, { id: 3 }, ['people', 'visitors']);
    em.assign(country, { people: [{ id: country.people[0].id, name: 'renamed' }, person(201)], visitors: [1, 4] });
    await em.flush();
  },
  'data for a shared row, with keys of rows that are to hang on it': async (em, { Country }) => {
    em.assign(await find(em, Country, { id: 3 }, ['people']), { people: [1, 3] });
    await em.flush();
  },
  'a tenant’s row with a new shared one': async (em, { Country, Person }) => {
    em.create(Person, { ...person(201), country: em.create(Country, { id: 202, name: 'shared new' }, { persist: false }) });
    await em.flush();
    const country = await find(em, Country, { id: 202 });
    country.name = 'shared renamed';
    await em.flush();
  },
  'a m:n from its owner': async (em, { Person }) => {
    const one = await find(em, Person, { id: 1 }, ['friends', 'visited']);
    one.friends.set([em.getReference(Person, 4), em.getReference(Person, 1)]);
    one.visited.removeAll();
    await em.flush();
  },
  'a m:n from its inverse side': async (em, { Person }) => {
    const one = await find(em, Person, { id: 1 }, ['friendOf', 'groups']);
    one.friendOf.add(em.getReference(Person, 4));
    one.groups.removeAll();
    await em.flush();
  },
  'a m:n from its inverse side, not loaded': async (em, { Person, Group }) => {
    (await find(em, Person, { id: 2 })).groups.add(em.getReference(Group, 2));
    await em.flush();
  },
  'a m:n from a shared entity': async (em, { Country, Person }) => {
    const country = await find(em, Country, { id: 3 }, ['visitors']);
    country.visitors.add(em.getReference(Person, 4));
    country.visitors.remove((item: any) => item.id === 2);
    await em.flush();
  },
  'a m:n from a shared entity, emptied': async (em, { Country }) => {
    (await find(em, Country, { id: 3 }, ['visitors'])).visitors.removeAll();
    await em.flush();
  },
  'a m:n with a fixed order': async (em, { Group, Person }) => {
    const group = await find(em, Group, { id: 1 }, ['people']);
    group.people.set([em.getReference(Person, 4), ...group.people.getItems().toReversed()]);
    await em.flush();
  },
  'a m:n by a pivot entity': async (em, { Person, Club, Membership, Badge }) => {
    const four = await find(em, Person, { id: 4 }, ['clubs', 'memberships']);
    em.create(Badge, { id: 201, name: 'new', membership: em.create(Membership, { person: four, club: 2, role: 'new' }) });
    await em.flush();
    await em.nativeDelete(Badge, { id: 2 });
    em.remove(await find(em, Membership, { person: 3, club: 1 }));
    (await find(em, Person, { id: 1 }, ['clubs'])).clubs.add(em.getReference(Club, 2));
    await em.flush();
  },
  'a m:n between two tables of one name': async (em, { OwnGrade, Grade }) => {
    const grade = await find(em, OwnGrade, { id: 1 }, ['equal']);
    grade.equal.set([em.getReference(Grade, 3)]);
    grade.shared = em.getReference(Grade, 1);
    await em.flush();
  },
  'a m:n of one of several entities': async (em, { Person, Club, Label }) => {
    (await find(em, Person, { id: 2 }, ['labels'])).labels.add(em.getReference(Label, 1));
    (await find(em, Club, { id: 1 }, ['labels'])).labels.removeAll();
    await em.flush();
  },
  'a m:n to several entities': async (em, { Album, Person, Club }) => {
    (await find(em, Album, { id: 1 }, ['items'])).items.set([em.getReference(Person, 4), em.getReference(Club, 2)]);
    await em.flush();
  },
  'a m:1 to one of several entities': async (em, { Comment, Club, Person }) => {
    const [one, two] = await em.find<any>(Comment, {}, { orderBy: { id: 1 } });
    one.on = em.getReference(Club, 2);
    two.on = null;
    em.create(Comment, { id: 201, name: 'new', on: em.getReference(Person, 3) });
    await em.flush();
  },
  'a 1:1 from its inverse side': async (em, { Person, Passport }) => {
    const owner = await find(em, Person, { passport: { name: { $ne: '' } } }, ['passport']);
    owner.passport = null;
    (await find(em, Person, { id: 3 })).passport = em.create(Passport, { person: 3, name: 'new' });
    await em.flush();
  },
  orphans: async (em, { Passport }) => {
    (await find(em, Passport, { name: { $ne: '' } }, ['stamps'])).stamps.removeAll();
    await em.flush();
  },
  'a composite key': async (em, { Stamp, Membership }) => {
    (await find(em, Membership, { person: 1, club: 1 })).role = 'new';
    em.remove(await find(em, Stamp, { country: 2 }));
    await em.flush();
  },
  'a tree in one table': async (em, { Car, Bike, Vehicle, Club }) => {
    (await find(em, Car, { id: 1 })).garage = em.getReference(Club, 2);
    em.create(Bike, { id: 201, name: 'new bike', owner: 1, rider: 2 });
    em.remove(await find(em, Vehicle, { id: 2 }));
    await em.flush();
  },
  'a tree of tables': async (em, { Animal, Dog }) => {
    const dog = await find(em, Dog, { id: 1 });
    Object.assign(dog, { name: 'renamed', trainer: null });
    em.remove(await find(em, Animal, { id: 3 }));
    await em.flush();
  },
  embeddables: async (em, { Person, Country }) => {
    const one = await find(em, Person, { id: 1 });
    em.assign(one, { home: { street: 'moved', country: em.getReference(Country, 3), neighbour: 2 }, work: { title: 'new', since: null } });
    one.past.push({ title: 'older', since: 1 });
    (await find(em, Person, { id: 2 })).home = null;
    await em.flush();
  },
  'arrays of enums': async (em, { Person }) => {
    Object.assign(await find(em, Person, { moods: { $contains: ['cross'] } as never }), { moods: ['cross'], mood: 'cross' });
    await em.flush();
  },
  'several changes in one statement': async (em, { Person, Country }) => {
    for (const row of await em.find<any>(Person, {}, { orderBy: { id: 1 } })) {
      Object.assign(row, { name: `batch ${row.id}`, country: em.getReference(Country, 1) });
    }
    for (const row of await em.find<any>(Country, {}, { orderBy: { id: 1 } })) {
      row.name = `shared batch ${row.id}`;
    }
    await em.flush();
  },
  'a version that is out of date': async (em, { Person }) => {
    const one = await find(em, Person, { id: 1 });
    await em.nativeUpdate(Person, { id: 1 }, { version: 9 });
    one.name = 'too late';
    await em.flush();
  },
  'a lock by version': async (em, { Person }) => em.findOne(Person, 1, { lockMode: LockMode.OPTIMISTIC, lockVersion: 2 }),
  'a lock of what is joined': async (em, { Person }) =>
    em.find(Person, {}, { populate: ['ownGrade'] as never, lockMode: LockMode.PESSIMISTIC_WRITE, lockTableAliases: ['p0'] }),
  'upsert by another key': async (em, { Person }) =>
    em.upsert(
      Person,
      { id: 4, email: '9@new.example.com', name: 'upserted', country: 2, moods: [], past: [] },
      { onConflictFields: ['id'] as never },
    ),
  'upsert by a composite key': async (em, { Membership }) => {
    await em.upsert(Membership, { person: 1, club: 1, role: 'upserted' });
    await em.upsertMany(Membership, [
      { person: 1, club: 1, role: 'twice' },
      { person: 4, club: 1, role: 'new' },
    ]);
  },
  'upsert of a shared row': async (em, { Country }) => em.upsert(Country, { id: 1, name: 'shared upserted' }),
  'nativeUpdate by related rows': async (em, { Person, Country }) => {
    await em.nativeUpdate(Person, { country: { name: { $ne: '' } }, pets: { name: { $ne: '' } } }, { name: 'updated' });
    await em.nativeUpdate(Country, { people: { name: 'updated' } }, { name: 'shared updated' });
  },
  'nativeDelete by related rows': async (em, { Toy, Stamp }) => {
    await em.nativeDelete(Toy, { cat: { owner: { name: { $ne: '' } } } });
    await em.nativeDelete(Stamp, { country: { people: { name: { $ne: '' } } } });
  },
  'the query builder by related rows': async (em, { Person, Badge }) => {
    await em
      .createQueryBuilder(Person, 'p')
      .update({ name: 'updated' })
      .where({ mentor: { grade: { name: { $ne: '' } } } })
      .execute();
    await em
      .createQueryBuilder(Badge, 'b')
      .delete({ membership: { club: { name: { $ne: '' } } } })
      .execute();
  },
  'insert with what it refers to': async (em, { Membership, Comment, Stamp, Passport }) => {
    await em.insert(Membership, { person: 4, club: 2, role: 'inserted', sponsor: 1 });
    await em.insertMany(Passport, [{ person: 4, name: 'inserted' }]);
    await em.insert(Stamp, { passport: 4, country: 1, name: 'inserted' });
    await em.insert(Comment, { id: 201, name: 'inserted', on: ['person', 2] });
  },
  'insert with a collection': async (em, { Group, Person }) => {
    await em.insert(Group, { id: 201, name: 'inserted', people: [1, 2] });
    await em.nativeUpdate(Person, { id: 3 }, { visited: [1, 2] });
  },
  'a removal with all that hangs on it': async (em, { Toy, Cat, Passport, Group, Label, Album, Club }) => {
    em.remove(await find(em, Toy, { id: 1 }));
    em.remove(await find(em, Cat, { id: 2 }));
    em.remove(await find(em, Passport, { name: { $ne: '' } }, ['stamps']));
    em.remove(await find(em, Group, { id: 1 }, ['people']));
    em.remove(await find(em, Label, { id: 1 }));
    em.remove(await find(em, Album, { id: 1 }));
    em.remove(await find(em, Club, { id: 2 }));
    await em.flush();
  },
  'a collection’s own update by a condition': async (em, { Person }) => {
    const one = await find(em, Person, { id: 1 });
    const pets: Collection<any> = one.pets;
    await pets.init({ where: { name: { $ne: '' } } });
    pets.getItems().forEach(pet => (pet.name = 'one’s'));
    await em.flush();
  },
  'clone of a row': async (em, { Toy }) => em.clone(Toy, 1, { id: 201 }),
};
