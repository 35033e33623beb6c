import { Cursor, ref, Reference, rel, wrap } from '@mikro-orm/core';
import { Comment, Country, Passport, Person, Pet, pockets, Stamp, Summary } from './domain.ts';
import { dataOf, given, isQuery, optionsOf, plain, where, type Use } from './using.ts';

const rows = (em: any): Promise<unknown> => em.fork().find(Person, {}, { orderBy: { id: 1 } });

export const READS: Readonly<Record<string, Use>> = {
  find: u => u.em.find(Person, where(u), u.pick([undefined, optionsOf(u)])),
  'find with options': u => u.em.fork().find(Person, u.pick([{}, { id: { $gt: 0 } }]), u.pick([optionsOf(u), u.thing])),
  findOne: u => u.em.findOne(Person, where(u), u.pick([undefined, u.thing, optionsOf(u)])),
  'findOne of a stamp': u => u.em.findOne(Stamp, u.pick([{ passport: u.thing, number: 1 }, [u.thing, 1], { by: u.thing }, u.thing])),
  'findOne of a passport': u => u.em.findOne(Passport, u.thing),
  'findOne of a comment': u => u.em.findOne(Comment, { on: u.thing }),
  findOneOrFail: u => u.em.findOneOrFail(Person, where(u), { failHandler: () => u.thing }),
  findAll: u => u.em.findAll(Person, { where: where(u), ...u.pick([{}, optionsOf(u)]) }),
  findAndCount: u => u.em.findAndCount(Person, where(u), u.pick([undefined, optionsOf(u)])),
  findByCursor: u =>
    u.em.findByCursor(Person, {
      where: u.pick([{}, where(u)]),
      orderBy: u.pick([{ id: 'asc' }, { mentor: { id: 'asc' } }]),
      first: 2,
      [u.pick(['after', 'before'])]: u.pick([
        u.thing instanceof Cursor ? { id: u.thing } : u.thing,
        { id: u.thing },
        { mentor: u.thing },
        { mentor: { id: u.thing } },
      ]),
    }),
  count: u =>
    u.em.count(
      Person,
      where(u),
      u.pick([
        undefined,
        { having: where(u) },
        { populateWhere: where(u), populate: ['friends'] },
        { unionWhere: [where(u)] },
        { cache: 100 },
        { groupBy: u.thing },
      ]),
    ),
  countBy: u => u.em.countBy(Person, u.pick(['name', u.thing]), { where: where(u), having: where(u) }),
  stream: async u => {
    const found = [];
    for await (const each of u.em.stream(Person, { where: where(u), ...u.pick([{}, optionsOf(u)]) })) {
      found.push(each);
    }
    return found;
  },
  'a virtual entity': u => u.em.find(Summary, u.pick([{}, { id: u.thing }]), u.pick([undefined, optionsOf(u)])),
  'a virtual entity by the expression': async u => {
    pockets.getStore()!.expression = u.thing;
    try {
      return await u.em.find(Summary, {});
    } finally {
      delete pockets.getStore()!.expression;
    }
  },
  'a stream of a virtual entity': async u => {
    pockets.getStore()!.expression = u.thing;
    try {
      const found = [];
      for await (const each of u.em.stream(Summary, {})) {
        found.push(each);
      }
      return found;
    } finally {
      delete pockets.getStore()!.expression;
    }
  },
  populate: u =>
    u.em.populate(
      u.thing,
      u.pick([['friends'], ['mentor'], ['pets.owner'], ['secret'], ['comments'], ['people']]),
      u.pick([undefined, { refresh: true }, { where: where(u) }, { strategy: 'joined' }]),
    ),
  'populate of one’s own': async u =>
    u.em.populate(await u.em.find(Person, {}), ['friends', 'mentor'], {
      [u.pick(['where', 'populateWhere', 'orderBy', 'filters', 'fields'])]: u.pick([u.thing, { ...given(u) }]),
    }),
  'populate of both': async u => u.em.populate([...(await u.em.find(Person, {})), u.thing], ['friends', 'mentor']),
  refresh: u => u.em.refresh(u.thing, u.pick([undefined, { populate: ['friends'] }])),
  'refresh after': async u => {
    const one = await u.em.findOneOrFail(Person, 1);
    await u.em.refresh(u.thing).catch(() => undefined);
    return u.em.refresh(one, { populate: ['friends', 'mentor'] });
  },
  getReference: async u => {
    const one = u.em.getReference(
      u.pick([Person, Stamp, Passport]),
      u.pick([u.thing, [u.thing, 1], { id: u.thing }, { passport: u.thing, number: 1 }]),
    );
    return u.em.refresh(one);
  },
  'ref, rel': async u => {
    const one: any = u.pick([
      () => ref(Person.class as any, u.thing),
      () => rel(Person.class as any, u.thing),
      () => Reference.createFromPK(Person.class as any, u.thing),
      () => Reference.createNakedFromPK(Person.class as any, u.thing),
    ])();
    return u.em.findOne(Person, one);
  },
  getById: u => plain(u.em.getUnitOfWork().getById(Person.class, u.thing)),
  'a filter’s parameters': u => {
    const em = u.em.fork();
    em.addFilter({ name: 'among', cond: (args: any) => ({ mentor: args.of }), entity: Person });
    em.setFilterParams('among', { of: u.thing });
    return em.find(Person, {}, u.pick([undefined, { filters: { among: true } }, { filters: { among: { of: u.thing } } }]));
  },
  'a filter’s condition': u => {
    const em = u.em.fork();
    em.addFilter({
      name: 'among',
      cond: u.pick([() => where(u), async () => where(u), where(u)]) as never,
      entity: u.pick([Person, [Person], undefined]) as never,
    });
    return u.pick<() => unknown>([
      () => em.find(Person, {}),
      () => em.count(Person),
      () => em.nativeUpdate(Person, { id: 1 }, { name: 'x' }),
      () => em.nativeDelete(Comment, {}),
      () => em.find(Pet, {}, { populate: ['owner'] }),
      () => em.findAndCount(Person, {}),
      async () => {
        const found = [];
        for await (const each of em.stream(Person, {})) {
          found.push(each);
        }
        return found;
      },
      async () => {
        const one = await em.getReference(Person, 1);
        return one.friends.init();
      },
      () => em.findByCursor(Person, { first: 1, orderBy: { id: 'asc' } }),
      async () => {
        const qb = em.qb(Person);
        await qb.applyFilters({ among: true });
        return qb.execute();
      },
    ])();
  },
  'a collection’s load': async u => {
    const one = await u.em.findOneOrFail(Person, 1);
    return one[u.pick(['friends', 'pupils', 'comments', 'pets'])][u.pick(['init', 'load', 'loadItems', 'matching'])]({
      where: u.pick([{ ...given(u) }, u.thing]),
      ...u.pick([{}, { store: true }, { dataloader: true }, { refresh: true }, { orderBy: { [u.thing]: 'asc' } }, u.thing]),
    });
  },
  'a collection’s count': async u => {
    const one = await u.em.findOneOrFail(Person, 1);
    return one.friends.loadCount({ where: { ...given(u) }, refresh: true, dataloader: u.pick([true, false]) });
  },
  'a reference’s load': async u => {
    const one = await u.em.findOneOrFail(Person, 2);
    return one.mentor.load(
      u.pick([
        u.thing,
        { dataloader: true },
        { populate: ['friends'], populateWhere: { friends: { mentor: u.thing } } },
        { filters: u.thing },
      ]),
    );
  },
  'wrap().init': async u => {
    const one = u.em.getReference(Person, 2);
    return wrap(one).init(u.pick([u.thing, optionsOf(u)]));
  },
  'wrap().populate': async u => {
    const one = await u.em.findOneOrFail(Person, 2);
    return wrap(one).populate(['friends'] as never, u.pick([u.thing, { where: { friends: u.thing } }]));
  },
  'qb where': u => u.em.qb(Person, 'a').select(['a.id', 'a.name']).where(where(u)).execute(),
  'qb select': u =>
    u.em
      .qb(Person, 'a')
      .select(u.pick([u.thing, ['a.id', u.thing]]))
      .execute(),
  'qb result': u =>
    u.em
      .fork()
      .qb(Person, 'a')
      .select('*')
      .leftJoinAndSelect('a.friends', 'f', u.pick([{}, { id: u.thing }, { mentor: u.thing }]))
      .where(u.pick([{}, where(u)]))
      .getResult(),
  'qb join': u =>
    u.em
      .qb(Person, 'a')
      .select('a.id')
      [
        u.pick([
          'leftJoin',
          'join',
          'innerJoin',
          'leftJoinLateral',
          'innerJoinLateral',
          'leftJoinAndSelect',
          'innerJoinAndSelect',
          'joinAndSelect',
        ])
      ](u.pick([u.thing, ['x', u.thing], 'a.friends']), 'z', u.pick([{}, { id: u.thing }, u.thing]))
      .execute(),
  // without `setLockMode`, and without a page for a condition: no statement that PostgreSQL takes can be made of these
  'qb order': u =>
    u.em
      .qb(Person, 'a')
      [
        u.pick([
          'orderBy',
          'groupBy',
          'having',
          'distinctOn',
          'andWhere',
          'orWhere',
          'andHaving',
          'returning',
          'comment',
          'hintComment',
          'indexHint',
          'collation',
          'withSubQuery',
          'cache',
          'andOrderBy',
          'populate',
          'withSchema',
          'setPartitionLimit',
          'setLoggerContext',
          'limit',
          'count',
          'addSelect',
        ])
      ](
        u.pick([u.thing instanceof Cursor ? [u.thing] : u.thing, [u.thing], { id: u.thing }, { [u.thing]: 1 }]),
        u.pick([undefined, u.thing, 'z', [u.thing]]),
      )
      .execute(),
  'qb from a query': u =>
    u.em
      .qb(Person, 'a')
      .from(isQuery(u.thing) ? u.thing : Person, 'z')
      .select('*')
      .execute(),
  'qb of a query': u =>
    u.em
      .createQueryBuilder(isQuery(u.thing) ? u.thing : Person, 'q')
      .select('*')
      .execute(),
  'qb union': u => u.em.qb(Person, 'a').select('a.id')[u.pick(['union', 'unionAll'])](u.thing).execute(),
  'qb with': u => u.em.qb(Person, 'a').select('a.id')[u.pick(['with', 'withRecursive'])]('c', u.thing).from('c').select('*').execute(),
  'qb count': u =>
    u.em
      .qb(Person, 'a')
      .where(where(u))
      .getCount(u.pick([undefined, u.thing])),
  'qb result and count': u => u.em.qb(Person, 'a').where(where(u)).getResultAndCount(),
  'qb stream': async u => {
    const found = [];
    for await (const each of u.em.qb(Person, 'a').where(where(u)).stream()) {
      found.push(each);
    }
    return found;
  },
  'qb of a shared one': u =>
    u.em
      .qb(Country, 'c')
      .select('c.id')
      .leftJoin('c.people', 'p')
      .where(u.pick([{ people: u.thing }, { 'p.id': u.thing }, { 'p.mentor': u.thing }, { visitors: { mentor: u.thing } }]))
      .execute(),
  'find of a shared one': u =>
    u.em
      .fork()
      .find(
        Country,
        u.pick([{}, { people: u.thing }, { visitors: { mentor: u.thing } }, { data: u.thing }]),
        u.pick([undefined, { populate: ['people', 'visitors'] }, { populate: ['people'], populateWhere: { people: u.thing } }]),
      ),
  execute: u => u.em.execute(u.pick([u.thing, 'select ?::text as x']), u.pick([[u.thing], [[u.thing]], { x: u.thing }, u.thing])),
  'the connection’s execute': u => u.em.getConnection().execute(u.pick([u.thing, 'select ?::text as x']), [u.thing]),
  'the driver’s find': u => u.em.getDriver().find(Person.class, where(u), u.pick([{}, { em: u.em }, u.thing])),
  'the driver’s update': u =>
    u.em.getDriver().nativeUpdate(Person.class, { id: 1 }, { ...given(u) }, u.pick([{}, { schema: u.em.schema }])),
  'the driver’s insert': u =>
    u.em.getDriver()[u.pick(['nativeInsert', 'nativeInsertMany'])](Person.class, u.pick([dataOf(u), [dataOf(u)]]), { schema: u.em.schema }),
  'the driver’s delete': u => u.em.getDriver().nativeDelete(Comment.class, { on: u.thing }, { schema: u.em.schema }),
  'the driver’s count': u => u.em.getDriver().count(Person.class, where(u), { schema: u.em.schema }),
  'the driver’s pivot': u =>
    u.em
      .getDriver()
      .loadFromPivotTable(
        Person.meta.properties['friends' as never],
        u.pick([[[u.thing]], [u.thing], [[1]]]),
        u.pick([{}, where(u)]),
        undefined,
        undefined,
        { schema: u.em.schema },
      ),
  'a Kysely condition': u =>
    u.em
      .getKysely()
      .selectFrom(u.pick(['person', u.thing, u.thing?.as?.('t') ?? 'person']))
      .selectAll()
      .where('id', u.pick(['=', 'in']), u.pick([u.thing, [u.thing]]))
      .execute(),
  'a Kysely by names of properties': u =>
    u.em
      .getKysely({ tableNamingStrategy: 'entity', columnNamingStrategy: 'property', convertValues: true })
      .selectFrom('Person')
      .selectAll()
      .where(u.pick(['mentor', 'id']), '=', u.thing)
      .execute(),
  'a Kysely with': u =>
    u.em
      .getKysely()
      .with('c', () => u.thing)
      .selectFrom('c')
      .selectAll()
      .execute(),
  'executeQuery of Kysely': u => u.em.getKysely().executeQuery(u.thing),
  'a cached read': u =>
    u.em.find(Person, u.pick([{}, { id: { $gt: 0 } }, where(u)]), {
      cache: u.pick([1000, ['all', 1000]]),
      populate: u.pick([[], ['mentor']]),
    }),
  'a cached count': u => u.em.count(Person, {}, { cache: u.pick([1000, ['count', 1000]]) }),
  'an unrelated read': u => rows(u.em),
  'a read of one’s EntityManager': u => u.em.find(Person, {}, { populate: ['mentor', 'friends', 'pets', 'passport.stamps', 'comments'] }),
  'a dataloader at once': async u => {
    const all = await u.em.fork().find(Person, {});
    return Promise.all(
      all.flatMap((one: any) =>
        [
          one.mentor?.load({ dataloader: true }),
          one.friends.load({ dataloader: true }),
          one.pets.load({ dataloader: true }),
          u.thing?.load?.({ dataloader: true })?.catch?.(() => undefined),
        ].slice(0, 3),
      ),
    );
  },
  populateFind: u =>
    u.em.find(
      Person,
      {},
      {
        populate: u.pick([['*'], ['mentor.friends:ref'], ['friends:ref'], '$infer']),
        populateWhere: u.pick(['infer', 'all', where(u)]),
        fields: u.pick([undefined, ['name', 'mentor.name']]),
      },
    ),
  'a session’s context': u => {
    const em = u.em.fork();
    em.setSessionContext(u.pick([{ x: u.thing }, u.thing]));
    return em.find(Person, {});
  },
  'a fork of options': u =>
    u.em.fork(u.pick([u.thing, { session: u.thing }, { loggerContext: u.thing }, { schema: u.thing }])).find(Person, {}),
  'in a transaction of options': u =>
    u.em.transactional((em: any) => em.find(Person, {}), u.pick([u.thing, { ctx: u.thing }, { em: u.thing }])),
};
