import { Cascade, helper, Reference } from '@mikro-orm/core';
import { refuses, see, seeOwn, type Probe } from '../probe.js';
import { OTHER, OWN, schemaOf, type ProbeAuthor, type ProbeEm, type ProbeWorld } from '../probe-world.js';

/** An author that no EntityManager knows. */
function newAuthor({ entities: { Author } }: ProbeWorld, id: number): ProbeAuthor {
  return Object.assign(new (Author.meta.class as new () => ProbeAuthor)(), { id, name: 'x' });
}

/** A reference that no EntityManager has made. */
function bareReference({ entities: { Author } }: ProbeWorld, id: number): ProbeAuthor {
  return Reference.createNakedFromPK(Author.meta.class as never, id as never);
}

function seeOfOwn(entity: unknown, how: string): void {
  see(schemaOf(entity) === OWN, `${how} is in no tenant, or in another one`);
}

/** What shows at once. */
export const ENTERING_PROBES: readonly Probe[] = [
  {
    shows: ['UnitOfWork.persist', 'UnitOfWork.getPersistStack'],
    run: world => {
      const author = newAuthor(world, 31);
      world.ownEm.fork().persist(author);
      seeOfOwn(author, 'an entity that is persisted');
    },
  },
  {
    shows: ['UnitOfWork.merge'],
    run: world => {
      const author = newAuthor(world, 32);
      world.ownEm.fork().merge(author);
      seeOfOwn(author, 'an entity that is merged');
    },
  },
  {
    shows: ['UnitOfWork.register'],
    run: world => {
      const author = newAuthor(world, 45);
      world.ownEm.fork().getUnitOfWork().register(author);
      seeOfOwn(author, 'an entity that is registered');
    },
  },
  {
    shows: ['UnitOfWork.fixMissingReference'],
    run: world => {
      const em = world.ownEm.fork();
      const author = world.authorIn(em, 43);
      author.mentor = world.as(OTHER, () => bareReference(world, 44));
      refuses('CROSS_TENANT', () => em.getUnitOfWork().cascade(author, Cascade.PERSIST));
    },
  },
  {
    shows: ['UnitOfWork.getById'],
    run: world => {
      const em = world.ownEm.fork();
      const author = world.authorIn(em, 33);
      see(em.getUnitOfWork().getById(world.entities.Author, 33) === author, 'an entity is not found under its tenant');
      const topic: unknown = em.merge(world.entities.Topic, { id: 33, name: 'x', leader: null });
      see(em.getUnitOfWork().getById(world.entities.Topic, 33, OWN) === topic, 'a shared entity is not found under its schema');
    },
  },
  {
    shows: ['UnitOfWork.getByKey'],
    run: world => {
      const em = world.ownEm.fork();
      const { Author } = world.entities;
      const author: unknown = em.getReference(Author, 'y', { key: 'name' });
      see(em.getUnitOfWork().getByKey(Author, 'name', 'y') === author, 'an entity is not found under its tenant');
    },
  },
  {
    shows: ['UnitOfWork.cascade', 'UnitOfWork.getIdentityMap'],
    run: world => {
      const tenant: object = world.em.fork().merge(world.entities.Tenant, { id: 1, schemaName: OWN, domainUrl: 'x' });
      world.as(
        OWN,
        (em: ProbeEm) => {
          const uow = em.getUnitOfWork();
          uow.cascade(tenant, Cascade.PERSIST);
          uow.cascade(tenant, Cascade.MERGE);
          see(!uow.getPersistStack().has(tenant) && uow.getIdentityMap().keys().length === 0, 'the tenant of a scope would be stored');
        },
        { tenant },
      );
    },
  },
  {
    shows: ['EntityFactory.createReference'],
    run: world => {
      seeOfOwn(
        world.as(OWN, () => bareReference(world, 34)),
        'a reference that is made of a key',
      );
      const factory = world.ownEm.fork().getEntityFactory();
      seeOfOwn(factory.createReference(world.entities.Author, 34, { merge: true }), 'a reference of an EntityManager');
    },
  },
  {
    shows: ['EntityFactory.create'],
    run: world => {
      let made: unknown;
      const data = {
        id: 35,
        // the last to read it is the factory, in the place of a constructor
        get name() {
          try {
            made = bareReference(world, 36);
          } catch {
            made = undefined;
          }

          return 'x';
        },
      };
      world.em.fork().create(world.entities.Author, data, { schema: OWN });
      seeOfOwn(made, 'a reference that an entity has from the beginning');
    },
  },
  {
    shows: ['EntityFactory.mergeData'],
    run: world => {
      const em = world.ownEm.fork();
      const author = world.authorIn(em, 37);
      em.getEntityFactory().mergeData(helper(author as object).__meta, author, { name: 'z', mentor: 38 });
      seeOfOwn(author.mentor, 'what an entity refers to');
    },
  },
];

/** What shows when something is awaited. */
export const RECORDED_ENTERING_PROBES: readonly Probe[] = [
  {
    shows: ['UnitOfWork.register'],
    run: async world => {
      const author = newAuthor(world, 41);
      world.rows = [{ id: 41, name: 'x' }];

      try {
        await world.ownEm.fork().upsert(author);
      } finally {
        world.rows = [];
        world.take();
      }

      seeOfOwn(author, 'an entity that is upserted');
    },
  },
  {
    shows: ['UnitOfWork.computeChangeSet'],
    run: async world => {
      const em = world.ownEm.fork();
      em.remove(newAuthor(world, 42));
      await em.flush();
      seeOwn(world, 'probe_author');
    },
  },
];
