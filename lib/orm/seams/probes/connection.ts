import { onCommit } from '../../../database/on-commit.js';
import { addLiveOrm, isLiveOrm, removeLiveOrm } from '../../../scope/live-orms.js';
import { NotSeen, refuses, see, type Probe } from '../probe.js';
import { OWN, type ProbeEm, type ProbeWorld } from '../probe-world.js';

const RAW = 'select 1 from probe_setting';

/** Looks that the statements were sent in this order, and takes them. */
function seeInOrder({ database }: ProbeWorld, patterns: readonly RegExp[], what: string): void {
  const sent = database.take();
  let at = -1;

  for (const pattern of patterns) {
    at = sent.findIndex((sql, index) => index > at && pattern.test(sql));
    see(at !== -1, `${what}: ${sent.join('; ')}`);
  }
}

function seePath(world: ProbeWorld, what: string): void {
  seeInOrder(world, [new RegExp(`search_path.*${OWN}`), /probe_setting/], `${what} was sent without its path`);
}

export const CONNECTION_PROBES: readonly Probe[] = [
  {
    shows: ['AbstractSqlConnection.createKysely', 'AbstractSqlConnection.options'],
    run: ({ orm }) => {
      const replica: ProbeEm = orm.driver.getConnection('read');
      const { options } = replica;
      replica.options = { ...options, driverOptions: orm.driver.getConnection('write').getClient() };

      try {
        refuses('TENANT_CONFIG', () => replica.getClient());
      } finally {
        replica.options = options;
      }
    },
  },
];

export const SENT_CONNECTION_PROBES: readonly Probe[] = [
  {
    shows: [
      'AbstractSqlConnection.createKyselyDialect',
      'AbstractSqlDriver.connection',
      'KyselyDialect.createDriver',
      'KyselyDriver.acquireConnection',
      'KyselyConnection.executeQuery',
    ],
    run: async world => {
      await world.as(OWN, em => em.getConnection().execute(RAW));
      seePath(world, 'a statement');
    },
  },
  {
    shows: ['AbstractSqlConnection.createKysely', 'AbstractSqlDriver.replicas'],
    run: async world => {
      // over a dialect of the user's
      await world.as(OWN, em => em.getConnection('read').execute(RAW));
      seePath(world, 'a statement over a dialect');
    },
  },
  {
    shows: ['AbstractSqlConnection.stream', 'Pool.on', 'Client.query', 'KyselyConnection.streamQuery'],
    run: async world => {
      if (world.pool !== undefined) {
        const rows = world.as(OWN, em => em.getConnection().stream(RAW));
        const failure: unknown = await rows.next().then(
          () => undefined,
          (error: unknown) => error,
        );
        see(failure instanceof Error && failure.message.includes('terminated'), 'a stream over a lost connection does not end');
        seePath(world, 'a stream that is read in no scope');
      }
    },
  },
  {
    shows: ['AbstractSqlConnection.executeDump'],
    run: async world => {
      await world.as(OWN, em => em.getConnection().executeDump(RAW));
      seePath(world, 'a dump');
    },
  },
  {
    shows: [
      'AbstractSqlConnection.begin',
      'AbstractSqlConnection.commit',
      'KyselyDriver.beginTransaction',
      'KyselyDriver.commitTransaction',
      'KyselyDriver.savepoint',
      'KyselyDriver.releaseSavepoint',
      'KyselyTransaction.isCommitted',
    ],
    run: async world => {
      let told = 0;
      await world.as(OWN, em =>
        em.transactional(async (tx: ProbeEm) => {
          await tx.transactional(async (inner: ProbeEm) => {
            onCommit(inner.getTransactionContext(), () => (told += 1));
            await inner.execute(RAW);
          });
          see(told === 0, 'what waits for a commit was told of a savepoint');
        }),
      );
      see(told === 1, 'what waits for a commit was not told of it');
      seeInOrder(
        world,
        [/^begin/, /^savepoint/, /search_path/, /probe_setting/, /search_path/, /^release/, /search_path/, /^commit/],
        'raw SQL in a transaction was sent without its path',
      );
    },
  },
  {
    shows: ['AbstractSqlConnection.applySessionContext', 'EntityManager.getTransactionSessionContext'],
    run: async world => {
      const session = { variables: { 'probe.name': 'x' } };
      await world.as(OWN, em => em.fork({ session }).count(world.entities.Topic));
      see(!world.database.take().some(sql => sql.includes('search_path')), 'what a session context sets is set for one statement alone');
      await world.em.fork({ session }).qb(world.entities.Tenant).update({ plan: 'x' }).execute();
      seeInOrder(world, [/^begin/, /probe\.name/, /^update/, /pg_notify/, /^commit/], 'an update of tenants was sent without its session context');
    },
  },
  {
    shows: ['KyselyDriver.rollbackTransaction', 'KyselyDriver.rollbackToSavepoint', 'KyselyDriver.releaseConnection', 'Pool.once', 'Pool.off', 'Client.end'],
    run: async world => {
      const failing = world.em.transactional(async (tx: ProbeEm) => {
        await tx.transactional(() => Promise.reject(new NotSeen())).catch(() => undefined);
        world.database.answer(/^rollback$/, new Error('probe'));
        throw new NotSeen();
      });
      await failing.catch(() => undefined);
      seeInOrder(world, [/^begin/, /^savepoint/, /^rollback to/, /^rollback$/], 'a transaction was not rolled back');
      see(world.pool === undefined || world.pool.totalCount === 0, 'a connection that cannot be rolled back keeps its place in the pool');
    },
  },
];


/** What shows at the very end: the ORM of the probes is closed by it. */
export const CLOSING_PROBES: readonly Probe[] = [
  {
    shows: ['AbstractSqlDriver.setMetadata'],
    run: world => see(world.isLive, 'the scope functions do not find an ORM that has started'),
  },
  {
    shows: ['AbstractSqlDriver.close', 'KyselyDriver.destroy'],
    run: async world => {
      const { config } = world.orm;
      addLiveOrm(config);

      try {
        const closing = world.orm.close(true);
        see(!isLiveOrm(config), 'the scope functions find an ORM that is closed');
        await closing;
      } finally {
        removeLiveOrm(config);
      }

      see(world.pool === undefined || world.pool.ended === true, 'an ORM that is closed keeps its connections');
    },
  },
];
