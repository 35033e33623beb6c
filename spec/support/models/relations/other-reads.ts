import { wrap } from '@mikro-orm/core';
import type { Read } from './reads.ts';

/** The ways to read what is no relation, or all of them at once. */
export const OTHER_READS: Readonly<Record<string, Read>> = {
  'populate *, select-in': (em, { Person }) => em.find(Person, {}, { populate: ['*'] as never, strategy: 'select-in' }),
  'populate *, joined': (em, { Person }) => em.find(Person, {}, { populate: ['*'] as never, strategy: 'joined' }),
  'populate *, balanced': (em, { Person }) => em.find(Person, {}, { populate: ['*'] as never, strategy: 'balanced' }),
  'populate * of a shared entity': (em, { Country }) => em.find(Country, {}, { populate: ['*'] as never }),
  'eager relations': (em, { Anthem }) => em.find(Anthem, {}),
  'eager relations, joined': (em, { Anthem }) => em.find(Anthem, {}, { strategy: 'joined' }),
  'through a shared entity and back': (em, { Person }) =>
    em.find(Person, {}, { populate: ['country.people.country.visitors', 'grade.people.ownGrade.people'] as never }),
  'through a shared entity and back, joined': (em, { Person }) =>
    em.find(Person, {}, { populate: ['country.people.mentor.country.anthem', 'ownGrade.shared.people'] as never, strategy: 'joined' }),
  'conditions through a shared entity and back': (em, { Person }) =>
    em.find(Person, { country: { people: { country: { visitors: { name: { $ne: '' } } } } } }),
  'conditions from a shared entity, of two tables of a name': (em, { Grade }) =>
    em.find(Grade, { people: { ownGrade: { shared: { name: { $ne: '' } } } } }),
  '$some through a shared entity': (em, { Person }) =>
    em.find(Person, { country: { people: { $some: { pets: { $some: { name: { $ne: '' } } } } } } }),
  'a lazy column': async (em, { Person }) => wrap(await em.findOneOrFail<any>(Person, 1)).populate(['secret'] as never),
  'a lazy column, at once': (em, { Person }) => em.find(Person, {}, { populate: ['secret'] as never }),
  'a lazy formula': (em, { Person }) => em.find(Person, {}, { populate: ['bookings'] as never }),
  'a lazy formula of what is joined': (em, { Passport }) =>
    em.find(Passport, {}, { populate: ['person.bookings'] as never, strategy: 'joined' }),
  'a formula as a condition': (em, { Person }) => em.find(Person, { petCount: { $gte: 1 } }, { orderBy: { petCount: 'desc', id: 1 } }),
  'a formula of a related row as a condition': (em, { Passport, Country }) =>
    Promise.all([
      em.find(Passport, { person: { petCount: { $gte: 0 } } }, { orderBy: { person: { petCount: 'asc' } } }),
      em.find(Country, { people: { petCount: { $gte: 1 } } }),
    ]),
  'a formula of a shared row as a condition': (em, { Person }) => em.find(Person, { country: { countries: 3 } }),
  'a formula of a child in a table of its own': (em, { Dog, Animal }) =>
    Promise.all([em.find(Dog, { dogs: 2 }), em.find(Animal, {}, { orderBy: { id: 1 } })]),
  'a formula of a child, joined': (em, { Person }) => em.find(Person, {}, { populate: ['pets'] as never, strategy: 'joined' }),
  'a generated column': (em, { Person }) => em.find(Person, { shout: { $like: '%PERSON%' } }, { fields: ['shout'] as never }),
  'an embedded relation': (em, { Person }) =>
    em.find(Person, { home: { country: { name: { $ne: '' } } } }, { populate: ['home.country'] as never }),
  'an embedded relation, joined': (em, { Person }) =>
    em.find(
      Person,
      { home: { neighbour: { name: { $ne: '' } } } },
      { populate: ['home.neighbour', 'home.country'] as never, strategy: 'joined' },
    ),
  'an embedded object': (em, { Person }) => em.find(Person, { work: { title: { $like: '%work 1' } } }),
  'an embedded array': (em, { Person }) => em.find(Person, { past: { $contains: [{ since: 1991 }] } as never }),
  'arrays of enums': (em, { Person }) => em.find(Person, { moods: { $contains: ['cross'] }, mood: null }),
  'a filter on the root': (em, { Person }) => em.find(Person, {}, { filters: ['present'] }),
  'a filter on what is joined': (em, { Group }) =>
    em.find(Group, {}, { filters: ['present'], populate: ['people'] as never, strategy: 'joined' }),
  'a filter, counted': (em, { Person }) => em.count(Person, { country: { people: { name: { $ne: '' } } } }, { filters: ['present'] }),
  'a view': (em, { Roll }) => em.find(Roll, { mentor: { name: { $ne: '' } }, country: { name: { $ne: '' } } }),
  'a view by a query builder': (em, { Everyone }) => em.find(Everyone, {}, { orderBy: { id: 1 } }),
  'a materialized view': (em, { Tally }) => em.find(Tally, { country: { people: { name: { $ne: '' } } } }),
  'a virtual entity': (em, { Directory }) => em.find(Directory, {}, { orderBy: { name: 'asc' } }),
  'a tree of tables': (em, { Animal, Cat }) =>
    Promise.all([em.find(Animal, { owner: { name: { $ne: '' } } }, { orderBy: { id: 1 } }), em.findOne(Cat, { name: { $ne: '' } })]),
  'a tree in one table': (em, { Vehicle, Bike }) =>
    Promise.all([em.find(Vehicle, {}, { orderBy: { id: 1 } }), em.find(Bike, { rider: { name: { $ne: '' } } })]),
  'a union of conditions': (em, { Person }) =>
    em.find(
      Person,
      {},
      { unionWhere: [{ country: { name: { $ne: '' } } }, { mentor: { name: { $ne: '' } } }] as never, orderBy: { id: 1 } },
    ),
  'a page by cursor': (em, { Person }) =>
    em
      .findByCursor(Person, { where: { country: { name: { $ne: '' } } }, first: 1, orderBy: { id: 'asc' } } as never)
      .then(({ items, totalCount }) => [items, totalCount]),
  'two relations of one table in the query builder': (em, { Person }) =>
    em
      .createQueryBuilder(Person, 'p')
      .select('*')
      .leftJoinAndSelect('p.grade', 'g')
      .leftJoinAndSelect('p.ownGrade', 'o')
      .leftJoinAndSelect('o.shared', 's')
      .where({ 'g.name': { $ne: '' }, 'o.name': { $ne: '' }, 's.name': { $ne: '' } })
      .getResult(),
};
