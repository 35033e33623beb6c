import { TransactionContext } from '@mikro-orm/core';
import { refuses, see, seeOwn, type Probe } from '../probe.js';
import { OTHER, OWN, rawValue, schemaOf, type ProbeEm } from '../probe-world.js';

const TO_OWN = { schema: OWN };

/** What shows at once. */
export const ENTITY_MANAGER_PROBES: readonly Probe[] = [
  {
    shows: ['EntityManager.getContext'],
    run: world => {
      const own = world.as(OWN, em => em);
      see(world.as(OTHER, () => own.schema) === OWN, 'an EntityManager of one scope has the schema of another');
    },
  },
  {
    shows: ['EntityManager.fork', 'TransactionContext.storage', 'TransactionContext.create'],
    run: world =>
      world.as(OWN, em => {
        const fork = em.fork();
        see(
          TransactionContext.create(fork, () => em.getContext(false)) === fork,
          'a fork in a transaction is not of the scope that it was made in',
        );
        const { schema, boundScope }: ProbeEm = world.orm.em.fork({ disableContextResolution: true });
        see(schema === undefined && boundScope === undefined, 'a fork that asks for no context has one');
      }),
  },
  {
    shows: ['EntityManager.schema', 'WrappedEntity.__schema'],
    run: world => see(schemaOf(world.as(OWN, em => world.authorIn(em, 4))) === OWN, 'an entity of a scope is in no tenant'),
  },
  {
    shows: ['EntityManager.name', 'RequestContext.storage'],
    run: world =>
      see(
        world.as(OWN, em => world.orm.em.getContext() === em),
        'the global EntityManager is not the one of the scope',
      ),
  },
  {
    shows: ['EntityManager.create'],
    run: ({ em, foreign, entities: { Author } }) => refuses('CROSS_TENANT', () => em.create(Author, { mentor: foreign }, TO_OWN)),
  },
  {
    shows: ['EntityManager.assign'],
    run: world => refuses('CROSS_TENANT', () => world.em.assign(world.authorIn(world.ownEm, 5), { mentor: world.foreign })),
  },
  {
    shows: ['EntityManager.merge'],
    run: ({ em, ownEm, foreign, entities: { Author } }) => {
      const data = { id: 6, name: 'x', mentor: foreign };
      refuses('CROSS_TENANT', () => em.merge(Author, data, TO_OWN));
      refuses('CROSS_TENANT', () => ownEm.map(Author, data));
    },
  },
  {
    shows: ['SqlEntityManager.createQueryBuilder'],
    run: world => {
      const query = world.as(OWN, () => world.orm.em.qb(world.entities.Author).select('id'));
      see(world.as(OTHER, () => query.getQuery()).includes(OWN), 'a query of the global EntityManager is of the scope that it is run in');
    },
  },
  {
    shows: [
      'SqlEntityManager.getKysely',
      'Kysely.withSchema',
      'Kysely.withPlugin',
      'KyselyExecutor.withPlugin',
      'KyselyExecutor.transformQuery',
    ],
    run: world =>
      world.as(OWN, em => {
        const kysely = em.getKysely();
        const { sql } = kysely.selectFrom('probe_author').selectAll().compile();
        see(sql.includes(`"${OWN}"."probe_author"`), `a Kysely query became ${sql}`);
        refuses('CROSS_TENANT', () => kysely.withSchema(OTHER).selectFrom('probe_author').selectAll().compile());
      }),
  },
  {
    shows: ['OperationNode.kind'],
    run: ({ ownEm }) => {
      const authors = (db: ProbeEm): ProbeEm => db.selectFrom('probe_author').select('probe_author.id');
      const ids = (db: ProbeEm): ProbeEm => authors(db).where('id', '=', 1).where('id', 'in', [2]).orderBy('id', 'asc');
      const node = ownEm.getKysely().with('probe_cte', ids).selectFrom('probe_cte').select('id').toOperationNode();
      const kinds = [...new Set(JSON.stringify(node).match(/(?<="kind":")\w+/g))];
      const unseen = NODES.filter(kind => !kinds.includes(kind));
      see(
        unseen.length === 0 && node.with?.expressions?.[0]?.name?.table?.kind === 'TableNode',
        `a Kysely query has no ${unseen.join(', ')}`,
      );
    },
  },
];

/** The kinds of nodes that the guard of Kysely tells apart. */
const NODES = ['SchemableIdentifierNode', 'TableNode', 'ReferenceNode', 'RawNode', 'ValueNode', 'PrimitiveValueListNode'];

/** A write that hands another tenant's entity over, and one of tenants themselves. */
function refusesWrites(method: string, fn: (write: (...args: unknown[]) => unknown, data: object) => unknown): Probe {
  return {
    shows: [`EntityManager.${method}`],
    run: async ({ em, foreign, entities: { Author, Tenant } }) => {
      await refuses('CROSS_TENANT', () => fn((...args) => em[method](Author, ...args), { id: 7, name: 'x', mentor: foreign }));
      await refuses('TENANT_WRITE_REFUSED', () => fn((...args) => em.getRepository(Tenant)[method](...args), { schemaName: 'x' }));
    },
  };
}

/** What shows when something is awaited. */
export const RECORDED_ENTITY_MANAGER_PROBES: readonly Probe[] = [
  {
    shows: ['EntityManager.processWhere'],
    run: async ({ em, foreign, entities: { Author } }) => {
      const where = { mentor: foreign };
      await refuses('CROSS_TENANT', () => em.find(Author, where, TO_OWN));
      await refuses('CROSS_TENANT', () => em.count(Author, where, TO_OWN));
      await refuses('CROSS_TENANT', () => em.countBy(Author, 'name', { where, ...TO_OWN }));
      await refuses('CROSS_TENANT', () => em.nativeDelete(Author, where, TO_OWN));
      await refuses('CROSS_TENANT', () => em.nativeUpdate(Author, where, { name: 'x' }, TO_OWN));
      await refuses('CROSS_TENANT', () => em.stream(Author, { where, ...TO_OWN }).next());
    },
  },
  {
    shows: ['EntityManager.findOne'],
    run: async world => {
      const { Author } = world.entities;
      const em = world.ownEm.fork();
      const other = world.em.fork();
      // which are new, so they are found in the identity map and without a condition
      em.create(Author, { id: 1, name: 'x' });
      other.create(Author, { id: 1, name: 'x' }, TO_OWN);
      await refuses('CROSS_TENANT', () => em.findOneOrFail(Author, world.foreign));
      await refuses('CROSS_TENANT', () => other.findOneOrFail(Author, world.foreign, TO_OWN));
    },
  },
  refusesWrites('insert', (write, data) => write(data, TO_OWN)),
  refusesWrites('upsert', (write, data) => write(data, TO_OWN)),
  refusesWrites('insertMany', (write, data) => write([data], TO_OWN)),
  refusesWrites('upsertMany', (write, data) => write([data], TO_OWN)),
  {
    shows: ['EntityManager.clone'],
    run: async ({ em, foreign, entities: { Author, Tenant } }) => {
      // in an object of a class, which nothing that is sent is looked into for
      const held = Object.assign(new (class Held {})(), { by: foreign });
      await refuses('CROSS_TENANT', () => em.clone(Author, { id: 1 }, { mentor: held }, TO_OWN));
      await refuses('CROSS_TENANT', () => em.clone(Author, { mentor: foreign }, {}, TO_OWN));
      await refuses('TENANT_WRITE_REFUSED', () => em.clone(Tenant, { id: 1 }));
    },
  },
  {
    shows: ['EntityManager.nativeDelete'],
    run: ({ em, entities: { Tenant } }) => refuses('TENANT_WRITE_REFUSED', () => em.getRepository(Tenant).nativeDelete({ id: 1 })),
  },
  {
    shows: ['EntityManager.nativeUpdate'],
    run: async ({ em, foreign, entities: { Author, Tenant } }) => {
      await refuses('CROSS_TENANT', () => em.nativeUpdate(Author, { id: 1 }, { mentor: foreign }, TO_OWN));
      await refuses('TENANT_WRITE_REFUSED', () => em.getRepository(Tenant).nativeUpdate({ id: 1 }, { schemaName: 'x' }));
    },
  },
  {
    shows: ['EntityManager.populate'],
    run: async world => {
      const { em, ownEm } = world;
      await em.populate([world.authorIn(em, 17, OWN)], ['friends']);
      seeOwn(world, 'probe_author_friends');
      const topic = ownEm.merge(world.entities.Topic, { id: 2, name: 'x' });
      await refuses('CROSS_TENANT', () => ownEm.populate([topic], ['authors'], { schema: OTHER }));
    },
  },
  {
    shows: ['EntityManager.preparePopulate', 'Collection.matching'],
    run: async world => {
      const options = {};
      await refuses('CROSS_TENANT', () => world.ownEm.find(world.entities.Topic, {}, { populate: ['authors'], schema: OTHER }));
      // which takes its options to the driver without a schema
      await world.authorIn(world.ownEm, 8).friends.matching(options);
      seeOwn(world, 'probe_author_friends');
      see(Object.keys(options).length === 0, 'the options of a caller name a tenant from then on');
    },
  },
  {
    shows: ['EntityManager.tryCache', 'EntityManager.storeCache', 'EntityManager.clearCache'],
    run: world =>
      world.as(OWN, async em => {
        const { Author } = world.entities;
        const { names, held, stored } = world.cached;
        const cache = ['probe', 1];
        await em.findOne(Author, { name: 'x' }, { cache });
        await em.count(Author, {}, { cache });
        await em.qb(Author).select('id').cache(cache).execute();
        const [name = ''] = names;
        held.set(name, [{ id: 9, name: 'x' }]);
        const [found] = await em.find(Author, {}, { cache });
        held.clear();
        see(name.includes(OWN) && names.length === 4 && new Set(names).size === 1, `the cache was asked for ${names.splice(0).join(', ')}`);
        see(schemaOf(found) === OWN, 'a cached entity is in no tenant');
        see(stored.splice(0).filter(each => each === name).length === 3, 'what was read is not cached');
        const identity = { schemaName: OWN, key: '1', keyValues: [1], schemaOid: '9' };
        await world.as(OWN, other => refuses('TENANT_CHANGED', () => other.count(Author, {}, { cache })), { identity });
        see(stored.length === 0, "what was read under another tenant's name is cached");
        names.splice(0);
        await em.clearCache('probe');
        see(names.includes(name), 'what is cached of a tenant is not cleared');
      }),
  },
  {
    shows: ['EntityManager.refresh'],
    run: async world => {
      await refuses('CROSS_TENANT', () => world.ownEm.refreshOrFail(world.foreign));
      await world.em.refresh(world.authorIn(world.em, 10, OWN));
      seeOwn(world, 'probe_author');
      await refuses('CROSS_TENANT', () => world.ownEm.refresh(world.authorIn(world.ownEm, 18), { schema: OTHER }));
    },
  },
  {
    shows: ['EntityManager.getConnection'],
    run: world =>
      world.as(OTHER, async () => {
        await refuses('CROSS_TENANT', () => world.ownEm.execute('select 1 from probe_author'));
        await refuses('CROSS_TENANT', () => world.ownEm.getConnection().execute('select 1 from probe_author'));
      }),
  },
  {
    shows: ['EntityManager.withSessionContext'],
    run: async world => {
      await world.ownEm.insertMany(world.entities.Author, [{ name: rawValue() }, { name: rawValue() }]);
      seeOwn(world, 'probe_author');
    },
  },
  {
    shows: ['EntityManager.flush', 'AbstractSqlDriver.getTableName'],
    run: async world => {
      const em = world.ownEm.fork();
      // two, which are not written by a query builder
      world.authorIn(em, 1).name = rawValue();
      world.authorIn(em, 2).name = rawValue();
      await em.flush();
      seeOwn(world, 'probe_author');
    },
  },
  {
    shows: ['EntityManager.stream', 'QueryBuilder.stream'],
    run: async world => {
      const rows = world.as(OWN, em => em.stream(world.entities.Author));
      await world.as(OTHER, () => rows.next());
      seeOwn(world, 'probe_author');
    },
  },
  {
    shows: ['EntityManager.callRoutine', 'AbstractSqlConnection.callRoutine', 'AbstractSqlConnection.execute'],
    run: async world => {
      // PGlite's driver refuses every routine
      if (!world.isPglite) {
        await world.ownEm.callRoutine(world.entities.Count, {});
        seeOwn(world, 'probe_count');
      }
    },
  },
  {
    shows: ['SqlEntityManager.refreshMaterializedView', 'Platform.getSchemaHelper'],
    run: async world => {
      const meta: object = world.orm.getMetadata().get(world.entities.Author.meta.class);
      const view = Object.defineProperties(Object.create(meta), { view: { value: true }, materialized: { value: true } });
      const em = world.ownEm.fork();
      em.getMetadata = (name: unknown) => (name === world.entities.Author ? view : undefined);
      await em.refreshMaterializedView(world.entities.Author, { concurrently: true });
      const [{ sql } = { sql: '' }] = world.take();
      see(sql.includes('concurrently') && sql.includes(`"${OWN}"."probe_author"`), `a view was refreshed by ${sql}`);
    },
  },
];
