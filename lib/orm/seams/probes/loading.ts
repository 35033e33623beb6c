import { helper, LockMode } from '@mikro-orm/core';
import { CrossTenantError } from '../../../errors/index.js';
import { refuses, see, seeOwn, type Probe } from '../probe.js';
import { OTHER, OWN, ProbeEntityManager, schemaOf, type ProbeAuthor, type ProbeEm, type ProbeWorld } from '../probe-world.js';

/** An author of the other tenant in an EntityManager of the own one that is in no scope. */
function borrowed(world: ProbeWorld): ProbeAuthor {
  return world.authorIn(world.ownEm, 1, OTHER);
}

export const LOADING_PROBES: readonly Probe[] = [
  {
    shows: ['AbstractSqlDriver.getSchemaName'],
    run: ({ em, entities: { Author } }) => {
      refuses('TENANT_CONTEXT_REQUIRED', () => em.getReference(Author, 1));
      see(schemaOf(em.getReference(Author, 1, { schema: OWN })) === OWN, 'a reference is in no tenant');
    },
  },
  {
    shows: ['Hydrator.hydrate'],
    run: world => {
      const { em } = world;
      const author = world.authorIn(em, 13, OWN);
      em.getHydrator().hydrate(author, helper(author as object).__meta, { mentor: 2 }, em.getEntityFactory(), 'full', false, false);
      see(schemaOf(author.mentor) === OWN, 'what an entity refers to is in no tenant');
      see(
        schemaOf(em.merge(world.entities.Author, { id: 3, mentor: 4 }, { schema: OTHER }).mentor) === OTHER,
        'what an entity refers to is in another tenant',
      );
    },
  },
];

export const RECORDED_LOADING_PROBES: readonly Probe[] = [
  {
    shows: ['EntityLoader.populate'],
    run: world => refuses('CROSS_TENANT', () => world.ownEm.getEntityLoader().populate(world.entities.Author, [borrowed(world)], [], {})),
  },
  {
    shows: ['EntityProperty.lazy'],
    run: async world => {
      await world.em.find(world.entities.Topic, {});
      world.take();
    },
  },
  {
    shows: ['Collection.getEntityManager'],
    run: async world => {
      const author = borrowed(world);
      await refuses('CROSS_TENANT', () => author.pupils.matching({}));
      await refuses('CROSS_TENANT', () => author.pupils.loadCount());
      await refuses('CROSS_TENANT', () => author.pupils.init({ dataloader: true }));
    },
  },
  {
    shows: ['EntityManager.getDataLoader', 'DataLoader.load'],
    run: async world => {
      const own = world.authorIn(world.ownEm, 14);
      await own.pupils.init({ dataloader: true });
      await own.pupils.loadCount({ dataloader: true });
      const asked = ProbeEntityManager.loaded.splice(0);
      see(
        asked.length === 2 && asked.every(([target, options]) => target.owner === own && options?.schema === OWN),
        'a dataloader was asked without a tenant',
      );
      await world.as(OWN, () =>
        refuses('CROSS_TENANT', async () => (await world.ownEm.getDataLoader('1:m')).load([borrowed(world).pupils, {}])),
      );
    },
  },
  {
    shows: ['EntityManager.getEntityLoader', 'EntityLoader.findChildrenFromPivotTable'],
    run: async world => {
      const { DataloaderUtils } = await import('@mikro-orm/core/dataloader');
      const load: ProbeEm = DataloaderUtils.getManyToManyColBatchLoadFn(world.ownEm);
      await load([[world.authorIn(world.ownEm, 15).friends, {}]]);
      seeOwn(world, 'probe_author_friends');
    },
  },
  {
    shows: ['AbstractSqlDriver.loadFromUnionTargetPolymorphicPivotTable', 'AbstractSqlDriver.find'],
    run: async world => {
      const { properties }: ProbeEm = world.orm.getMetadata().get(world.entities.Author.meta.class);
      await (world.orm.driver as ProbeEm).loadFromPivotTable(properties.marks, [[1]], {}, undefined, undefined, { schema: OWN });
      seeOwn(world, 'probe_author_marks');
    },
  },
  {
    shows: ['AbstractSqlDriver.findVirtual'],
    run: async world => {
      await world.ownEm.find(world.entities.Report, {});
      see(
        world.take().some(({ sql, target }) => sql.includes('probe_author') && target.kind === 'tenant'),
        'a virtual entity was not asked of the own tenant',
      );
    },
  },
  {
    shows: ['VirtualEntity.expression'],
    run: async world => {
      const meta: ProbeEm = world.orm.getMetadata().get((world.entities.Report as ProbeEm).meta.class);
      const { expression } = meta;
      let isCalled = false;
      meta.expression = (...args: unknown[]) => {
        isCalled = true;

        return expression(...args);
      };

      try {
        await world.ownEm.find(world.entities.Report, {});
      } finally {
        meta.expression = expression;
      }

      see(isCalled, 'the expression of a virtual entity was not called');
    },
  },
  {
    shows: ['EntityProperty.onCreate', 'EntityProperty.onUpdate'],
    run: ({ ownEm, entities: { Author } }) => {
      const em: ProbeEm = ownEm.fork();
      const { name }: ProbeEm = em.getMetadata().get((Author as ProbeEm).meta.class).properties;
      const called: string[] = [];
      name.onCreate = () => {
        called.push('onCreate');

        return 'x';
      };
      name.onUpdate = () => {
        called.push('onUpdate');

        return 'x';
      };

      try {
        em.create(Author, { id: 1 }, { processOnCreateHooksEarly: true, persist: false, partial: true });
        em.merge(Author, { id: 2, name: 'y' }).name = 'z';
        em.getUnitOfWork().computeChangeSets();
      } finally {
        delete name.onCreate;
        delete name.onUpdate;
      }

      see(called.includes('onCreate'), 'the function that a property begins with was not called');
      see(called.includes('onUpdate'), 'the function of a property that is updated was not called');
    },
  },
  {
    shows: ['AbstractSqlDriver.lockPessimistic'],
    run: async world => {
      const { ownEm } = world;
      const author = borrowed(world);
      ownEm.setTransactionContext({});
      await ownEm.lock(author, LockMode.PESSIMISTIC_WRITE).finally(() => ownEm.setTransactionContext(undefined));
      see(
        world.take().some(({ sql }) => sql.includes(`"${OTHER}"."probe_author"`)),
        'a lock was not taken on the row of its tenant',
      );
    },
  },
  {
    shows: ['AbstractSqlDriver.convertException'],
    run: ({ orm }) =>
      refuses('CROSS_TENANT', () =>
        (orm.driver as ProbeEm).rethrow(Promise.reject(CrossTenantError.otherSchema('ProbeAuthor', OTHER, OWN))),
      ),
  },
];
