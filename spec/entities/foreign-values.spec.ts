import { Cursor, helper, raw, sql, wrap } from '@mikro-orm/core';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { Comment, Country, Person, Summary, type Pocket } from '../support/models/carried-works/domain.ts';
import { World } from '../support/models/carried-works/world.ts';

/** What may hold another tenant's entity where no relation is. */
type Use = (em: any, theirs: any, pocket: Pocket) => unknown;

/** Sets the property of a row, and stores it. */
const setting =
  (set: (person: any, theirs: any) => void): Use =>
  async (em, theirs) => {
    set(await em.findOneOrFail(Person, 1, { populate: ['secret'] }), theirs);
    await em.flush();
  };

const inInstance = (value: unknown): object => Object.assign(new (class Holder {})(), { value });

/** Has a hook of a flush set the property of a person. */
const settingLate =
  (set: (person: any, theirs: any) => void): Use =>
  async (em, theirs, pocket) => {
    pocket.hook = ({ event, entity }) => void (event === 'beforeUpdate' && set(entity, theirs));

    try {
      await setting(person => (person.tags = ['x']))(em, theirs, pocket);
    } finally {
      pocket.hook = undefined;
    }
  };

const newPerson = { id: 110_070, name: 'new', email: 'new@x' };

const NAMES_OF_CLASSES = { tableNamingStrategy: 'entity', columnNamingStrategy: 'property', convertValues: true };

const USES: Readonly<Record<string, Use>> = {
  'a lazy scalar': setting((person, theirs) => person.secret.set(theirs)),
  'an embeddable in a lazy scalar': setting((person, theirs) =>
    person.secret.set(Object.assign(Object.create(Object.getPrototypeOf(person.home)), { neighbour: theirs })),
  ),
  'what wrap() gives, in JSON': setting((person, theirs) => (person.data = { by: wrap(theirs) })),
  'what wrap() gives, in a type of the user’s own': setting((person, theirs) => (person.extra = { by: wrap(theirs) })),
  'what wrap() gives, in a type of the user’s own, in data': (em, theirs) =>
    em.nativeUpdate(Person, { id: 1 }, { extra: inInstance(wrap(theirs)) }),
  'what wrap() gives, in a condition': (em, theirs) => em.find(Person, { mentor: wrap(theirs) }),
  'an object of any class in a type of the user’s own': setting((person, theirs) => (person.extra = inInstance([theirs]))),
  'an object of any class in a type of the user’s own, in data': (em, theirs) =>
    em.insert(Person, { ...newPerson, extra: inInstance({ by: theirs }) }),
  'an object of any class in a type of the user’s own, in a condition': (em, theirs) => em.find(Person, { extra: inInstance(theirs) }),
  'a page in a text, in data of a clone': (em, theirs) =>
    em.clone(Comment, { id: 1 }, { id: 110_072, name: { by: [new Cursor([theirs] as never, 1, {}, Person.meta as never)] } }),
  'a page in the place of an embeddable, in data': (em, theirs) =>
    em
      .qb(Person)
      .insert({ ...newPerson, home: new Cursor([theirs] as never, 1, {}, Person.meta as never) })
      .execute(),
  'a page in the place of a relation, in data': (em, theirs) =>
    em.clone(Comment, { id: 1 }, { id: 110_073, on: { by: new Cursor([theirs] as never, 1, {}, Person.meta as never) } }),
  'an object of any class in a text, in data': (em, theirs) => em.insert(Person, { ...newPerson, note: inInstance(theirs) }),
  'a set in a type of the user’s own': setting((person, theirs) => (person.extra = new Set([theirs]))),
  'a map in a type of the user’s own, in data': (em, theirs) => em.insert(Person, { ...newPerson, extra: new Map([['by', theirs]]) }),
  'a relation to a shared entity that a hook sets': settingLate((person, theirs) => (person.country = theirs)),
  'a number': setting((person, theirs) => (person.age = theirs)),
  'a text of any length': setting((person, theirs) => (person.note = theirs)),
  'a key': setting((person, theirs) => (person.id = theirs)),
  'a value that `onUpdate` takes back': setting((person, theirs) => (person.changed = { by: theirs })),
  'a page in JSON': setting((person, theirs) => (person.data = new Cursor([theirs] as never, 1, {}, Person.meta as never))),
  'a page in a type of the user’s own': setting(
    (person, theirs) => (person.extra = new Cursor([theirs] as never, 1, {}, Person.meta as never)),
  ),
  'a page in a type of the user’s own, in data': (em, theirs) =>
    em.insert(Person, { ...newPerson, extra: new Cursor([theirs] as never, 1, {}, Person.meta as never) }),
  'a page in a type of the user’s own, in a condition': (em, theirs) =>
    em.find(Person, { extra: new Cursor([theirs] as never, 1, {}, Person.meta as never) }),
  'an embeddable in JSON, in data of the driver': (em, theirs) =>
    em.getDriver().nativeInsertMany(Person.class, [{ ...newPerson, homes: { by: theirs } }], { schema: em.schema }),
  'an embeddable in JSON, in data of the driver that change rows': (em, theirs) =>
    em.getDriver().nativeUpdateMany(Person.class, [1, 2], [{ homes: { by: theirs } }, { homes: null }], { schema: em.schema }),
  'an embeddable in JSON, in data': (em, theirs) => em.insert(Person, { ...newPerson, house: { unknown: { by: theirs } } }),
  'a page in data': (em, theirs) =>
    em.insert(Person, { ...newPerson, house: { by: new Cursor([theirs] as never, 1, {}, Person.meta as never) } }),
  '`onCreate`, of em.upsert() of data': (em, theirs, pocket) => {
    pocket.onCreate = { by: theirs };

    return em.upsert(Person, newPerson);
  },
  '`onCreate`, of em.upsertMany() of data': (em, theirs, pocket) => {
    pocket.onCreate = theirs;

    return em.upsertMany(Person, [newPerson]);
  },
  '`onCreate`, of Kysely': (em, theirs, pocket) => {
    pocket.onCreate = theirs;
    const kysely = em.getKysely({ ...NAMES_OF_CLASSES, processOnCreateHooks: true });

    return kysely
      .insertInto('Person')
      .values({ ...newPerson, version: 1 })
      .execute();
  },
  '`onUpdate`, of Kysely': (em, theirs, pocket) => {
    pocket.onUpdate = theirs;
    const kysely = em.getKysely({ ...NAMES_OF_CLASSES, processOnUpdateHooks: true });

    return kysely.updateTable('Person').set({ name: 'x' }).where('id', '=', 1).execute();
  },
  '`onUpdate`, of a flush': async (em, theirs, pocket) => {
    pocket.onUpdate = theirs;
    await setting(person => (person.tags = ['x']))(em, theirs, pocket);
  },
  'an entity that is upserted': (em, theirs) =>
    em.upsert(Object.assign(new (Person.class as any)(), { ...newPerson, name: { by: theirs } })),
  'an entity that is upserted with others': (em, theirs) =>
    em.upsertMany([Object.assign(new (Person.class as any)(), { ...newPerson, note: theirs })]),
  'an entity that is inserted': (em, theirs) =>
    em.insert(Object.assign(new (Person.class as any)(), { ...newPerson, name: { by: theirs } })),
  'a value of Kysely': (em, theirs) => em.getKysely().updateTable('person').set({ data: theirs }).where('id', '=', 1).execute(),
  'a value of Kysely, in an object': (em, theirs) =>
    em
      .getKysely()
      .insertInto('comment')
      .values({ id: 110_071, name: { by: [theirs] } })
      .execute(),
  'a value of Kysely that a plugin converts': (em, theirs) =>
    em
      .getKysely(NAMES_OF_CLASSES)
      .updateTable('Person')
      .set({ data: { by: theirs } })
      .where('id', '=', 1)
      .execute(),
  'a page that is a value of Kysely': (em, theirs) =>
    em
      .getKysely()
      .updateTable('person')
      .set({ data: new Cursor([theirs] as never, 1, {}, Person.meta as never) })
      .where('id', '=', 1)
      .execute(),
  'a collection that is not loaded, in data': (em, theirs) =>
    em
      .qb(Person)
      .insert({ ...newPerson, home: theirs.friends ?? theirs })
      .execute(),
  'a value of a condition of Kysely': (em, theirs) => em.getKysely().selectFrom('person').selectAll().where('data', '=', theirs).execute(),
  'a value of SQL': (em, theirs) => em.execute('select ?::text as x', [{ by: theirs }]),
  'a value of SQL of the connection': (em, theirs) => em.getConnection().execute('select ?::text as x', [[{ by: theirs }]]),
  'a value of SQL, in an object of any class': (em, theirs) =>
    em.execute('select ?::text as x', [{ deep: Object.assign(new (class Holder {})(), { by: theirs }) }]),
  'a value of a fragment': (em, theirs) => em.execute(raw('select ?::text as x', [{ by: theirs }])),
  'a value of a fragment that is selected': (em, theirs) =>
    em
      .qb(Person, 'p')
      .select(['p.id', sql`${{ by: theirs }}`])
      .execute(),
  'a value of a fragment in a condition': (em, theirs) => em.find(Person, { id: raw('?', [theirs]) }),
  'a reference in a fragment': (em, theirs) => em.find(Person, { id: sql`${helper(theirs).toReference()}` }),
  'a fragment in data': (em, theirs) => em.upsert(Person, { ...newPerson, house: raw('?', [theirs]) }),
  'a condition of matching()': async (em, theirs) => (await em.findOneOrFail(Person, 1)).friends.matching({ where: theirs }),
  'an item of a page that is populated': (em, theirs) =>
    em.populate(new Cursor([theirs] as never, 1, {}, Person.meta as never), ['comments']),
  'a row that an expression returns': (em, theirs, pocket) => {
    pocket.expression = [theirs];

    return em.find(Summary, {});
  },
  'a row with a page, that an expression returns': (em, theirs, pocket) => {
    pocket.expression = [{ id: [new Cursor([theirs] as never, 1, {}, Person.meta as never)] }];

    return em.find(Summary, {});
  },
  'a row that an expression promises': (em, theirs, pocket) => {
    pocket.expression = Promise.resolve([{ id: 1, name: theirs }]);

    return em.find(Summary, {});
  },
  'a fragment that an expression returns': (em, theirs, pocket) => {
    pocket.expression = raw('select 1 as id, ?::text as name', [{ by: theirs }]);

    return em.find(Summary, {});
  },
};

/** Where a condition is used that MikroORM writes into. */
const CONDITIONS: Readonly<Record<string, (em: any, where: any) => Promise<unknown>>> = {
  find: (em, where) => em.find(Person, where),
  findOne: (em, where) => em.findOne(Person, where),
  count: (em, where) => em.count(Person, where),
  findByCursor: (em, where) => em.findByCursor(Person, { where, first: 1, orderBy: { id: 'asc' } }),
  stream: async (em, where) => {
    for await (const each of em.stream(Person, { where })) {
      void each;
    }
  },
  nativeUpdate: (em, where) => em.nativeUpdate(Person, where, { note: 'x' }),
  'a filter': (em, where) => {
    const fork = em.fork();
    fork.addFilter({ name: 'given', cond: () => where, entity: Person as never });

    return fork.find(Person, {});
  },
  'the parameters of a filter': (em, where) => {
    const fork = em.fork();
    fork.addFilter({ name: 'given', cond: ({ of }: { of: object }) => of, entity: Person as never, default: false });

    return fork.find(Person, {}, { filters: { given: { of: where } } });
  },
  'qb where': (em, where) => em.qb(Person).where(where).execute(),
  'qb andWhere': (em, where) => em.qb(Person).where({ id: 1 }).andWhere(where).execute(),
  'a condition of a join': (em, where) => em.qb(Person, 'p').leftJoinAndSelect('p.friends', 'f', where.$or[0]).execute(),
};

const DATA: Readonly<Record<string, (em: any, data: any) => Promise<unknown>>> = {
  nativeUpdate: (em, data) => em.nativeUpdate(Person, { id: 2 }, data),
  insert: (em, data) => em.insert(Person, data),
  insertMany: (em, data) => em.insertMany(Person, [data]),
  upsert: (em, data) => em.upsert(Person, data),
  upsertMany: (em, data) => em.upsertMany(Person, [data]),
  'qb update': (em, data) => em.qb(Person).update(data).where({ id: 2 }).execute(),
  'qb insert': (em, data) =>
    em
      .qb(Person)
      .insert({ ...data, version: 1 })
      .execute(),
};

onDatabases('another tenant’s entity in the place of a value', database => {
  let world: World;

  before(async () => {
    world = await World.open(database);
  });

  afterEach(() => world.reset());

  const theirsOf = async (work: (em: any) => Promise<any>): Promise<any> => {
    const { answer, error } = await world.run('bob', async em => [await work(em)]);
    expect(error).to.equal(undefined);

    return (answer as unknown[])[0];
  };

  for (const [name, use] of Object.entries(USES)) {
    it(`law 2: ${name} is refused, and nothing of it is sent`, async () => {
      for (const [kind, get] of Object.entries({
        loaded: (em: any) => em.findOneOrFail(Person, 220_001),
        'known by its key': async (em: any) => em.getReference(Person, 220_001),
      })) {
        const theirs = await theirsOf(get);
        const { wrong, error } = await world.run('acme', (em, pocket) => Promise.resolve(use(em, theirs, pocket)));
        await refusal(() => Promise.reject(error), 'CROSS_TENANT', `${name}, ${kind}`);
        expect(wrong).to.deep.equal([]);
        expect(await world.contents(), kind).to.equal(world.clean);
      }
    });
  }

  it('law 2: a row of a virtual entity is its tenant’s', async () => {
    const theirs = await theirsOf(async em => (await em.find(Summary, { id: 220_001 }))[0]);
    const { error } = await world.run('acme', em => em.nativeUpdate<any>(Person, { id: 1 }, { data: theirs }));
    await refusal(() => Promise.reject(error), 'CROSS_TENANT');
    expect(await world.contents()).to.equal(world.clean);
  });

  for (const [name, use] of Object.entries(CONDITIONS)) {
    if (name === 'stream' && database.kind === 'pglite') {
      // MikroORM has no streams there
      continue;
    }

    it(`law 2: a condition that ${name} has used still tells whose entities are in it`, async () => {
      const where = await theirsOf(async em => {
        const given = { $or: [{ mentor: em.getReference(Person, 220_001) }, { friends: [await em.findOneOrFail(Person, 220_002)] }] };
        await use(em, given);
        await use(em, given);

        return given;
      });
      expect(helper(where.$or[0].mentor)?.__schema).to.equal('bob');
      expect(helper(where.$or[1].friends[0])?.__schema).to.equal('bob');
      const { wrong, error } = await world.run('acme', em => use(em, where));
      await refusal(() => Promise.reject(error), 'CROSS_TENANT');
      expect(wrong).to.deep.equal([]);
    });
  }

  for (const [name, use] of Object.entries(DATA)) {
    it(`law 2: data that ${name} has used still tells whose entities are in it`, async () => {
      const data = await theirsOf(async em => {
        const given = { id: 220_080, name: 'x', email: 'used@x', mentor: em.getReference(Person, 220_001) };
        await use(em, given);

        return given;
      });
      expect(helper(data.mentor)?.__schema).to.equal('bob');
      const { wrong, error } = await world.run('acme', em => use(em, data));
      await refusal(() => Promise.reject(error), 'CROSS_TENANT');
      expect(wrong).to.deep.equal([]);
    });
  }

  it('G4 a value of a type of the user’s own may lead to all that the application has', async () => {
    const theirs = await theirsOf(em => em.findOneOrFail(Person, 220_001));
    const { error } = await world.run('acme', async given => {
      const em = given as any;
      const value = Object.assign(inInstance(inInstance({ em, held: new Map([['latest', theirs]]) })), { toJSON: () => 'its text' });
      (await em.findOneOrFail(Person, 1)).extra = value;
      await em.flush();
      await em.nativeUpdate(Person, { id: 2 }, { extra: value });
    });
    expect(error).to.equal(undefined);
    const stored = await database.query('select distinct extra from acme.person where id in (1, 2)');
    expect(stored).to.deep.equal([{ extra: '"its text"' }]);
  });

  it('G4 an own entity is taken in all of these places as in stock', async () => {
    const { error } = await world.run('acme', async (given, pocket) => {
      const em = given as any;
      const own = await em.findOneOrFail(Person, 110_001);
      const [page, virtual] = [await em.findByCursor(Person, { first: 2, orderBy: { id: 'asc' } }), (await em.find(Summary, {}))[0]];
      pocket.onCreate = { by: own };
      await em.upsert(Person, newPerson);
      await em.nativeUpdate(Person, { id: 2 }, { data: { own, page, virtual } });
      await em.getKysely().updateTable('person').set({ data: { own } }).where('id', '=', 2).execute();
      await em.execute('select ?::text as x', [{ own }]);
      await em.populate(page, ['comments']);
      const person = await em.findOneOrFail(Person, 1);
      person.changed = { own };
      person.extra = inInstance({ own, wrapped: wrap(own), of: [new Set([own])] });
      await em.flush();
      await em.nativeUpdate(Person, { id: 2 }, { extra: inInstance({ wrapped: wrap(own) }) });
      em.create(Comment, { id: 110_090, name: 'x', on: own });
      (await em.findOneOrFail(Country, 1)).data = { name: 'x' };
      await em.flush();
    });
    expect(error).to.equal(undefined);
    const [stored] = await database.query(`select born->>'by' as by, name from acme.person where id = 110070`);
    expect(stored).to.deep.equal({ by: '110001', name: 'new' });
    const [kept] = await database.query(`select data->'own'->>'id' as own from acme.person where id = 2`);
    expect(kept).to.deep.equal({ own: '110001' });
  });
});
