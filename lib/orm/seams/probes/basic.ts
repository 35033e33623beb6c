import { refuses, see, type Probe } from '../probe.js';
import { OTHER, OWN, schemaOf } from '../probe-world.js';

/** One guard of each kind, asked for another tenant's data: what every start looks at, also where all code is known. */
export const BASIC_PROBES: readonly Probe[] = [
  {
    shows: ['AbstractSqlDriver.getSchemaName'],
    run: ({ em, entities: { Author } }) => refuses('TENANT_CONTEXT_REQUIRED', () => em.getReference(Author, 1)),
  },
  {
    shows: ['EntityManager.name', 'EntityManager.schema', 'RequestContext.storage'],
    run: world =>
      world.as(OWN, em => {
        see(world.orm.em.getContext() === em, 'the global EntityManager is not the one of the scope');
        see(schemaOf(world.orm.em.getReference(world.entities.Author, 4 as never)) === OWN, 'an entity of a scope is in no tenant');
      }),
  },
  {
    shows: ['QueryBuilder.getSchema', 'AbstractSqlDriver.createQueryBuilder'],
    run: world =>
      world.as(OWN, em => {
        const { Author } = world.entities;
        const query = em.qb(Author).withSchema(OTHER);
        refuses('CROSS_TENANT', () => query.getSchema(query.mainAlias));
      }),
  },
  {
    shows: ['QueryBuilderHelper.createJoinExpression', 'QueryBuilder.createQueryBuilderHelper'],
    run: world =>
      world.as(OWN, em => {
        const { helper, state } = em.qb(world.entities.Author, 'a').leftJoin('a.pupils', 'p', {}, OTHER);
        refuses('CROSS_TENANT', () => helper.createJoinExpression(Object.values(state.joins)[0], state.joins));
      }),
  },
  {
    shows: [
      'SqlEntityManager.getKysely',
      'Kysely.withPlugin',
      'KyselyExecutor.withPlugin',
      'KyselyExecutor.transformQuery',
      'OperationNode.kind',
    ],
    run: world =>
      world.as(OWN, em =>
        refuses('CROSS_TENANT', () => em.getKysely().withSchema(OTHER).selectFrom('probe_author').selectAll().toOperationNode()),
      ),
  },
];

/** The same, of what is awaited. */
export const RECORDED_BASIC_PROBES: readonly Probe[] = [
  {
    shows: ['EntityManager.processWhere'],
    run: ({ ownEm, foreign, entities: { Author } }) =>
      refuses('CROSS_TENANT', () => ownEm.processWhere(Author, { mentor: foreign }, {}, 'read')),
  },
  {
    shows: ['UnitOfWork.getChangeSets', 'UnitOfWork.getPersistStack'],
    run: async world => {
      world.ownEm.getReference(world.entities.Author, 2).mentor = world.foreign;
      await refuses('CROSS_TENANT', () => world.ownEm.flush());
      see(world.take().length === 0, 'a flush had begun before it was refused');
    },
  },
  {
    shows: ['Collection.getEntityManager', 'EntityManager.getDataLoader', 'DataLoader.load'],
    run: async world => {
      const { pupils } = world.authorIn(world.ownEm, 1, OTHER);
      await refuses('CROSS_TENANT', () => pupils.matching({}));
      await world.as(OWN, async () => {
        const loader = await world.loaderOf(world.ownEm);
        await refuses('CROSS_TENANT', () => loader.load([pupils, {}]));
      });
    },
  },
];
