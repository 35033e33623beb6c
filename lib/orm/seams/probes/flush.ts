import { refuses, see, type Probe } from '../probe.js';
import { OTHER, OWN, schemaOf, type ProbeAuthor, type ProbeEm, type ProbeWorld } from '../probe-world.js';

type Subscriber = Readonly<Record<string, (args: ProbeEm) => void>>;

/** A flush in the own tenant's scope of an author that is changed, with a subscriber of the user's beside the library's. */
function flush(world: ProbeWorld, change: (author: ProbeAuthor, em: ProbeEm) => Subscriber | void): Promise<unknown> {
  return world.as(OWN, async em => {
    const author = world.authorIn(em, 1);
    author.name = 'y';
    const subscriber = change(author, em);

    if (subscriber === undefined) {
      return em.flush();
    }

    em.getEventManager().registerSubscriber(subscriber);

    try {
      return await em.flush();
    } finally {
      em.getEventManager().getSubscribers().delete(subscriber);
    }
  });
}

export const FLUSH_PROBES: readonly Probe[] = [
  {
    shows: ['UnitOfWork.getChangeSets', 'UnitOfWork.getPersistStack', 'WrappedEntity.__meta', 'WrappedEntity.__em'],
    run: async world => {
      const { foreign } = world;
      await refuses('CROSS_TENANT', () => flush(world, author => void (author.mentor = foreign)));
      await refuses('CROSS_TENANT', () => flush(world, (_, em) => void em.persist(foreign)));
      // what changes nothing that is stored is written by nobody, and goes on showing the other tenant's
      await refuses('CROSS_TENANT', () => flush(world, (_, em) => void (world.authorIn(em, 2).mentor = foreign)));
      see(world.take().length === 0, 'a flush had begun before it was refused');
    },
  },
  {
    shows: ['UnitOfWork.getExtraUpdates'],
    run: world =>
      refuses('CROSS_TENANT', () =>
        flush(world, (author, em) => ({ beforeFlush: () => em.getUnitOfWork().getExtraUpdates().add([author, 'mentor', world.foreign]) })),
      ),
  },
  {
    shows: ['UnitOfWork.getChangeSetGroups'],
    run: async world => {
      await refuses('CROSS_TENANT', () => flush(world, author => ({ onFlush: () => void (author.mentor = world.foreign) })));
      see(world.take().length === 0, 'what a subscriber changed was looked at after the transaction had begun');
    },
  },
  {
    shows: ['ChangeSetPersister.runForEachSchema', 'UnitOfWork.getChangeSetPersister'],
    run: async world => {
      await refuses('CROSS_TENANT', () => flush(world, author => ({ beforeUpdate: () => void (author.mentor = world.foreign) })));
      see(!world.take().some(({ sql }) => sql.startsWith('update')), 'what a hook changed was looked at after it was written');
    },
  },
  {
    shows: ['UnitOfWork.commitCollectionUpdates', 'UnitOfWork.getCollectionUpdates'],
    run: async world => {
      await refuses('CROSS_TENANT', () =>
        flush(world, (author, em) => {
          author.friends.add(world.authorIn(em, 2));

          return { afterUpdate: () => void author.friends.add(world.foreign) };
        }),
      );
      see(!world.take().some(({ sql }) => sql.startsWith('insert')), 'what a hook added was looked at after it was written');
    },
  },
  {
    shows: ['UnitOfWork.getIdentityMap'],
    run: world =>
      world.as(OWN, async em => {
        const { Author, Topic } = world.entities;
        const topic = em.merge(Topic, { id: 1, name: 'x', authors: [] });
        const author = em.create(Author, { name: 'x' }, { persist: false, schema: undefined, managed: false });
        delete author.__helper.__schema;
        topic.authors.add(author);
        await em.flush();
        see(schemaOf(author) === OWN, 'a new row in the collection of a shared entity is in no tenant');
        world.take();
      }),
  },
  {
    shows: ['AbstractSqlDriver.nativeUpdateMany', 'AbstractSqlDriver.getTableName'],
    run: async world => {
      const em = world.em.fork();
      [1, 2].forEach(id => (em.merge(world.entities.Topic, { id, name: 'x' }).name = 'y'));
      world.failure = Object.assign(new Error('probe'), { code: '23503', schema: OTHER, table: 'probe_author', constraint: 'probe' });
      await refuses('SHARED_ROW_IN_USE', () => em.flush());
      see(
        world.take().some(({ sql }) => sql.includes('update "public"."probe_topic"')),
        'a shared table was looked up on the path',
      );
    },
  },
];
