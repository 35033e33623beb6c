import { raw } from '@mikro-orm/postgresql';
import { refuses, type Probe } from '../probe.js';
import { OTHER, OWN, type ProbeEm, type ProbeWorld } from '../probe-world.js';

/** A query that was built for the other tenant. */
function foreignQuery(world: ProbeWorld): ProbeEm {
  return world.as(OTHER, em => em.qb(world.entities.Author, 'o').select('id'));
}

/** Has it refused in each of these uses, each of a query of the own tenant. */
function refusesCarried(world: ProbeWorld, foreign: unknown, uses: readonly ((own: ProbeEm, foreign: unknown) => unknown)[]): void {
  for (const use of uses) {
    refuses('CROSS_TENANT', () =>
      use(
        world.as(OWN, em => em.qb(world.entities.Author, 'a')),
        foreign,
      ),
    );
  }
}

/** What shows at once. */
export const CARRIED_PROBES: readonly Probe[] = [
  {
    shows: [
      'QueryBuilder.where',
      'QueryBuilder.joinReference',
      'QueryBuilder.select',
      'QueryBuilder.from',
      'QueryBuilder.with',
      'QueryBuilder.union',
    ],
    run: world =>
      refusesCarried(world, foreignQuery(world), [
        (own, foreign) => own.where({ id: { $in: foreign } }),
        (own, foreign) => own.select('id').leftJoin(foreign, 'f', {}),
        (own, foreign) => own.select([foreign]),
        (own, foreign) => own.from(foreign),
        (own, foreign) => own.with('probe_cte', foreign),
        (own, foreign) => own.select('id').union(foreign),
      ]),
  },
  {
    shows: ['QueryBuilder.toRaw', 'RawQueryFragment.as'],
    run: world => {
      const fragment = foreignQuery(world).toRaw();
      refusesCarried(world, fragment, [(own, foreign) => own.select(foreign), (own, foreign) => own.update({ name: foreign })]);
      refusesCarried(world, fragment.as('x'), [(own, foreign) => own.select(foreign)]);
    },
  },
  {
    shows: ['QueryBuilder.toQuery', 'RawQueryFragment.as', 'KyselyExecutor.compileQuery'],
    run: world => {
      const kysely = world.as(OTHER, em => em.getKysely().selectFrom('probe_author').select('id'));

      for (const fragment of [raw(foreignQuery(world)), raw(kysely)]) {
        refusesCarried(world, fragment, [(own, foreign) => own.where({ id: { $in: foreign } })]);
        refusesCarried(world, fragment.as('x'), [(own, foreign) => own.select(foreign)]);
      }
    },
  },
  {
    shows: [
      'QueryBuilder.getNativeQuery',
      'Platform.createNativeQueryBuilder',
      'NativeQueryBuilder.from',
      'NativeQueryBuilder.toRaw',
      'NativeQueryBuilder.compile',
    ],
    run: world => {
      const native: ProbeEm = (world.orm.driver.getPlatform() as ProbeEm).createNativeQueryBuilder();
      native.select('*').from(foreignQuery(world).getNativeQuery());
      refusesCarried(world, native.toRaw(), [(own, foreign) => own.select(foreign)]);
      refusesCarried(world, raw(native), [(own, foreign) => own.select(foreign)]);
    },
  },
];

/** What is awaited, before the connection is given anything. */
export const RECORDED_CARRIED_PROBES: readonly Probe[] = [
  {
    shows: ['AbstractSqlDriver.nativeInsertMany'],
    run: world => {
      const data = [{ name: foreignQuery(world).toRaw() }];

      return refuses('CROSS_TENANT', () => world.orm.driver.nativeInsertMany(world.entities.Author, data as never, { schema: OWN }));
    },
  },
  {
    shows: ['AbstractSqlDriver.nativeUpdateMany'],
    run: async world => {
      const fragment = foreignQuery(world).toRaw();

      for (const [where, data] of [
        [[{ id: 1 }], [{ name: fragment }]],
        [[{ id: fragment }], [{ name: 'x' }]],
      ]) {
        await refuses('CROSS_TENANT', () =>
          world.orm.driver.nativeUpdateMany(world.entities.Author, where as never, data as never, { schema: OWN }),
        );
      }
    },
  },
];

/** What is awaited, before the database is sent anything. */
export const SENT_CARRIED_PROBES: readonly Probe[] = [
  {
    shows: ['AbstractSqlConnection.execute'],
    run: async world => {
      const fragment = foreignQuery(world).toRaw();
      await world.as(OWN, em => refuses('CROSS_TENANT', () => em.getConnection().execute(fragment)));
      await world.as(OWN, em => refuses('CROSS_TENANT', () => em.getConnection().execute('select ?', [fragment])));
    },
  },
  {
    shows: ['KyselyExecutor.executeQuery'],
    run: async world => {
      const compiled = world.as(OTHER, em => em.getKysely().selectFrom('probe_author').selectAll().compile());
      await world.as(OWN, em => refuses('CROSS_TENANT', () => em.getKysely().executeQuery(compiled)));
    },
  },
];
