import { helper, raw, ref, wrap } from '@mikro-orm/core';
import { Person } from './domain.ts';
import { READS } from './reads.ts';
import { plain, type Use } from './using.ts';
import { WRITES } from './writes.ts';

/** What is done with the thing itself. */
export const OWN: Readonly<Record<string, Use>> = {
  'its own: init': u => wrap(u.thing).init(u.pick([undefined, { populate: ['friends'] }, { refresh: true }]) as never),
  'its own: load': u => u.thing.load(u.pick([undefined, { dataloader: true }, { refresh: true }])),
  'its own: loadItems': u => u.thing.loadItems(),
  'its own: loadCount': u => u.thing.loadCount(true),
  'its own: matching': u => u.thing.matching({ where: u.pick([{}, { name: { $ne: null } }]), store: u.pick([true, false]) }),
  'its own: load of its relation': u => u.thing.mentor.load(u.pick([undefined, { dataloader: true }])),
  'its own: load of its collection': u =>
    u.thing[u.pick(['friends', 'pupils', 'pets', 'comments', 'people'])].load(u.pick([undefined, { dataloader: true }, { refresh: true }])),
  'its own: load of its scalar': u => u.thing.secret.load(),
  'its own: populate': u => wrap(u.thing).populate(u.pick([['friends'], ['mentor'], ['secret']]) as never),
  'its own: assign own': async u => {
    const own = await u.em.findOneOrFail(Person, 1);
    wrap(u.thing).assign({ [u.pick(['mentor', 'friends', 'data'])]: u.pick([own, [own]]) } as never);
    await helper(u.thing as object).__em?.flush();
  },
  'its own: add own': async u => {
    u.thing.add(await u.em.findOneOrFail(Person, 1));
    await helper(u.thing.owner as object).__em?.flush();
  },
  'its own: relate own': async u => {
    const em = u.em.fork();
    const own = await em.findOneOrFail(Person, 1);
    u.thing.mentor = ref(own);
    await em.flush();
    await helper(u.thing as object).__em?.flush();
  },
  'its own: its em': u =>
    helper(u.thing as object)
      .__em?.fork()
      .find(Person as never, {}),
  'its own: find': u => u.thing.find(u.pick([Person, {}]), {}),
  'its own: find all of a repository': u => u.thing.findAll({ refresh: true }),
  'its own: count': u => u.thing.count(Person, {}),
  'its own: create, and flush': async u => {
    const em = u.thing.em ?? u.thing;
    em.create(Person, { id: u.key + u.next(), name: 'x', email: `x${u.next()}` });
    await em.flush();
  },
  'its own: flush': u => (u.thing.em ?? u.thing).flush(),
  'its own: execute': u => u.thing.execute('select * from person'),
  'its own: nativeUpdate': u => u.thing.nativeUpdate(Person, { id: 1 }, { name: 'x' }),
  'its own: transactional': u => (u.thing.em ?? u.thing).transactional((em: any) => em.find(Person, {})),
  'its own: qb': u => (u.thing.em ?? u.thing).qb(Person).execute(),
  'its own: its Kysely': u => (u.thing.em ?? u.thing).getKysely().selectFrom('person').selectAll().execute(),
  'its own: Kysely': u => u.thing.selectFrom('person').selectAll().execute(),
  'its own: Kysely transaction': u => u.thing.transaction().execute((trx: any) => trx.selectFrom('person').selectAll().execute()),
  'its own: a unit of work’s entity': u => plain(u.thing.getById(Person.class, 1)),
  'its own: a unit of work’s commit': u => u.thing.commit(),
  'its own: a factory’s reference': u => plain(u.thing.createReference(Person.class, 1)),
  'its own: a loader’s populate': async u =>
    u.thing.populate(Person.class, await u.em.find(Person, {}), [{ field: 'friends', all: true }], {}),
  'its own: a dataloader’s load': async u => (await u.thing).load([(await u.em.findOneOrFail(Person, 2)).mentor]),
  'its own: an event’s em': u => u.thing.em.find(Person, {}),
  'its own: an event’s entity': async u => {
    u.thing.entity.tags = ['x'];
    await u.thing.em.flush();
  },
  'its own: a cursor’s page': u => u.em.findByCursor(Person, { first: 1, after: u.thing, orderBy: { id: 'desc' } }),
  'its own: raw of it': u => u.em.execute(raw('select ?', [u.thing])),
};

export const USES: Readonly<Record<string, Use>> = { ...WRITES, ...READS };

export type { Use };
