import { onCommit } from '../../../database/on-commit.js';
import { addLiveOrm, isLiveOrm, removeLiveOrm } from '../../../scope/live-orms.js';
import { ProbeClient } from '../probe-database.js';
import { NotSeen, refuses, see, type Probe } from '../probe.js';
import { OTHER, OWN, type ProbeEm, type ProbeWorld } from '../probe-world.js';

const RAW = 'select 1 from probe_setting';

const LOST = Object.assign(new Error('Connection terminated unexpectedly'), { code: '57P01' });

/** Looks that the statements were sent in this order, and takes them. */
function seeInOrder({ database }: ProbeWorld, patterns: readonly RegExp[], what: string): void {
  // of a message of several each
  const sent = database.take().flatMap(message => message.split(/;\s+/));
  let at = -1;

  for (const pattern of patterns) {
    at = sent.findIndex((sql, index) => index > at && pattern.test(sql));
    see(at !== -1, `${what}: ${sent.join('; ')}`);
  }
}

// in one message or in several
function seePath({ database }: ProbeWorld, what: string): void {
  const sent = database.take().join('\n');
  see(new RegExp(`search_path.*${OWN}[^]*probe_setting`).test(sent), `${what} was sent without its path: ${sent}`);
}

/** A transaction with a savepoint that is rolled back, of which a statement fails. */
async function transactionThatFails({ em, database }: ProbeWorld, statement: RegExp): Promise<void> {
  database.answer(statement, new Error('probe'));
  const failing = em.transactional(async (tx: ProbeEm) => {
    await tx.transactional(() => Promise.reject(new NotSeen())).catch(() => undefined);
    throw new NotSeen();
  });
  await failing.catch(() => undefined);
}

function seePlaceGivenBack(world: ProbeWorld): void {
  see(world.isPglite || world.pool?.totalCount === 0, 'a connection that is lost keeps its place in the pool');
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
    shows: [
      'AbstractSqlConnection.stream',
      'PoolEvents.connect',
      'Client.query',
      'KyselyConnection.streamQuery',
      'Cursor.read',
      'Cursor.close',
    ],
    run: async world => {
      if (!world.isPglite) {
        const rows = world.as(OWN, em => em.getConnection().stream(RAW));
        const failure: unknown = await rows.next().then(
          () => undefined,
          (error: unknown) => error,
        );
        see(failure instanceof Error && failure.message.includes('terminated'), 'a stream over a lost connection does not end');
        const { read, close }: ProbeEm = ProbeClient.cursor ?? {};
        see(typeof read === 'function' && typeof close === 'function', 'a stream has no cursor');
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
        [/^begin/, /^savepoint/, /search_path/, /probe_setting/, /search_path/, /^release/, /^commit/],
        'raw SQL in a transaction was sent without its path',
      );
    },
  },
  {
    shows: ['Pool.connect'],
    run: async world => {
      if (!world.isPglite) {
        await world.as(OWN, em =>
          em.transactional(async (tx: ProbeEm) => {
            // the server says that raw SQL has ended it
            ProbeClient.status = 'I';
            await tx.execute(RAW).finally(() => (ProbeClient.status = null));
            await tx.execute(RAW);
          }),
        );
        seeInOrder(world, [/^begin/, /probe_setting/, /^begin/, /search_path/, /probe_setting/], 'raw SQL ended its transaction unseen');
      }
    },
  },
  {
    shows: ['AbstractSqlConnection.applySessionContext', 'EntityManager.getTransactionSessionContext'],
    run: async world => {
      const session = { variables: { 'probe.name': 'x' } };
      await world.as(OWN, em => em.fork({ session }).count(world.entities.Topic));
      see(!world.database.take().some(sql => sql.includes('search_path')), 'what a session context sets is set for one statement alone');
      await world.em.fork({ session }).qb(world.entities.Tenant).update({ plan: 'x' }).execute();
      seeInOrder(
        world,
        [/^begin/, /probe\.name/, /^update/, /pg_notify/, /^commit/],
        'an update of tenants was sent without its session context',
      );
    },
  },
  {
    shows: ['KyselyDriver.rollbackTransaction', 'KyselyDriver.rollbackToSavepoint', 'KyselyDialect.createDriver'],
    run: async world => {
      await transactionThatFails(world, /^rollback$/);
      seeInOrder(world, [/^begin/, /^savepoint/, /^rollback to/, /^rollback$/], 'a transaction was not rolled back');
      seePlaceGivenBack(world);
    },
  },
  {
    shows: ['KyselyDriver.beginTransaction', 'KyselyDriver.releaseConnection', 'PoolEvents.release', 'Client.end'],
    run: async world => {
      if (!world.isPglite) {
        await transactionThatFails(world, /^begin$/);
        world.database.take();
        seePlaceGivenBack(world);
      }
    },
  },
  {
    shows: ['KyselyDriver.acquireConnection', 'KyselyDriver.commitTransaction', 'KyselyConnection.executeQuery'],
    run: async world => {
      world.database.answer(/^commit$/, LOST);
      await world.em.transactional(() => undefined).catch(() => undefined);
      seePlaceGivenBack(world);
      world.database.answer(/^select 1$/, LOST);
      await world.em.execute('select 1').catch(() => undefined);
      seePlaceGivenBack(world);
      world.database.take();
    },
  },
  {
    shows: ['KyselyExecutor.transformQuery', 'KyselyConnection.executeQuery'],
    run: async world => {
      const made = world.as(OWN, em =>
        em
          .getKysely()
          .selectFrom('probe_author')
          .select(({ fn }: ProbeEm) => fn('probe_setting').as('x')),
      );
      world.database.answer(/probe_author/, [{ x: 1 }]);
      const [row] = await world.as(OTHER, () => made.execute());
      seePath(world, 'a Kysely query that is run in another scope');
      see(row?.x === 1, 'a Kysely query gives no rows');
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

      see(world.isPglite || world.pool?.ended === true, 'an ORM that is closed keeps its connections');
    },
  },
];
