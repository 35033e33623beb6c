import { TenantRules } from '../../../scope/tenant-rules.js';
import type { TenantIdentity } from '../../../scope/tenant-identity.js';
import { poolOwnersOf } from '../owners.js';
import { ProbeClient } from '../probe-database.js';
import { NotSeen, refuses, see, type Probe } from '../probe.js';
import { OTHER, OWN, type ProbeEm, type ProbeWorld } from '../probe-world.js';

const OID = '16384';

const WRITE = `insert into "${OWN}"."probe_author" default values`;

const CATALOG = /^select now\.oid/;

function identity(): TenantIdentity {
  return { schemaName: OWN, key: '1', keyValues: [1], schemaOid: OID };
}

/** Runs `fn` as a tenant of which the database says that its name is this schema's. */
function asIdentified<Result>(world: ProbeWorld, oid: string, fn: (em: ProbeEm, tenant: TenantIdentity) => Result): Result {
  const tenant = identity();
  world.database.answer(CATALOG, [{ oid }]);

  return world.as(OWN, em => fn(em, tenant), { identity: tenant });
}

/** The same of a statement that writes outside of a transaction: it and the check of its tenant are one message, or a transaction. */
function seeLoneChecked(world: ProbeWorld, statement: RegExp, what: string): void {
  if (world.isPglite) {
    seeChecked(world, statement, what);
    return;
  }

  const sent = world.database.take().filter(sql => !CATALOG.test(sql));
  const [message = ''] = sent;
  const check = new RegExp(String.raw`\n; select where .*oideq\(.*'${OWN}'.* ${OID}\b.*\) \/\* first [\w-]+ \*\/$`);
  see(sent.length === 1 && statement.test(message) && check.test(message), `${what} was sent as ${sent.join('; ')}`);
}

/** Looks that what was sent is a transaction with this statement, whose commit comes with a check of the tenant. */
function seeChecked({ database, isPglite }: ProbeWorld, statement: RegExp, what: string): void {
  const sent = database.take();
  const check = String.raw`^select where .*oideq\(.*'${OWN}'.* ${OID}\b.*\)`;
  const begins = sent.findIndex(sql => /^(begin|start transaction)/.test(sql));
  const runs = sent.findIndex((sql, index) => index > begins && statement.test(sql));
  const commits = sent.findIndex((sql, index) => index > runs && new RegExp(isPglite ? check : `${check}; commit$`).test(sql));
  const isLast = isPglite ? sent[commits + 1] === 'commit' && sent.length === commits + 2 : sent.length === commits + 1;
  see(begins !== -1 && runs > begins && commits > runs && isLast, `${what} was sent as ${sent.join('; ')}`);
}

/** What shows when the database is to be sent something, on every start. */
export const TENANT_CHECK_PROBES: readonly Probe[] = [
  {
    shows: ['KyselyConnection.executeQuery', 'KyselyDriver.acquireConnection'],
    run: world => {
      const tenant = identity();
      TenantRules.of(world.orm.config).identities.end(tenant);

      return world.as(OWN, em => refuses('TENANT_CHANGED', () => em.getConnection().execute('select 1')), { identity: tenant });
    },
  },
];

/** The same, of each way to a connection and of each kind of statement. */
export const OTHER_TENANT_CHECK_PROBES: readonly Probe[] = [
  {
    shows: ['KyselyConnection.executeQuery', 'KyselyDriver.acquireConnection'],
    run: world =>
      asIdentified(world, OID, async (em, tenant) => {
        await em.getConnection().execute(WRITE);
        seeLoneChecked(world, /^insert/, 'a lone write');
        TenantRules.of(world.orm.config).identities.end(tenant);
        await refuses('TENANT_CHANGED', () => em.getConnection().execute('select 1'));
        see(world.database.take().length === 0, 'a statement of a tenant that has ended was sent');
      }),
  },
  {
    shows: [
      'KyselyConnection.executeQuery',
      'KyselyDriver.beginTransaction',
      'KyselyDriver.commitTransaction',
      'AbstractSqlConnection.createKyselyDialect',
      'SimpleQuery.commit',
    ],
    run: async world => {
      const { Author } = world.entities;

      for (const write of [
        (em: ProbeEm) => em.transactional((tx: ProbeEm) => tx.execute(WRITE)),
        (em: ProbeEm) => em.transactional((tx: ProbeEm) => tx.getKysely().insertInto('probe_author').defaultValues().execute()),
      ]) {
        world.database.answer(/^insert/, [{ id: 1 }]);
        await asIdentified(world, OID, write);
        seeChecked(world, /^insert/, 'a write of a tenant');
      }

      for (const write of [
        (em: ProbeEm) => em.getKysely().insertInto('probe_author').defaultValues().execute(),
        (em: ProbeEm) => em.insert(Author, { name: 'x' }),
      ]) {
        world.database.answer(/^insert/, [{ id: 1 }]);
        await asIdentified(world, OID, write);
        seeLoneChecked(world, /^insert/, 'a lone write of a tenant');
      }
    },
  },
  {
    shows: ['AbstractSqlConnection.createKysely', 'AbstractSqlDriver.replicas', 'AbstractSqlConnection.type'],
    run: world =>
      asIdentified(world, OID, async (em, tenant) => {
        const { orm, database } = world;
        // over a dialect of the user's, which may take no messages of several statements
        await em.getConnection('read').execute(WRITE);
        const sent = database.take();
        see(
          sent.some(sql => sql.startsWith('select where ')) && sent.at(-1) === 'commit',
          `a write over a dialect was sent as ${sent.join('; ')}`,
        );
        const ofPrimary = TenantRules.of(orm.config).identities.confirmationsOf('write');
        see(!ofPrimary.isTrusted(tenant), 'what a replica has said of a tenant is taken for what the primary says');
      }),
  },
  {
    shows: ['KyselyConnection.executeQuery'],
    run: async world => {
      await asIdentified(world, '16385', em => refuses('TENANT_CHANGED', () => em.getConnection().execute(WRITE)));
      see(!world.database.take().some(sql => sql.startsWith('insert')), "a statement was sent though its tenant's name is another's");
    },
  },
  {
    shows: ['KyselyConnection.streamQuery', 'AbstractSqlConnection.stream'],
    run: async world => {
      // PGlite has no streams
      if (!world.isPglite) {
        ProbeClient.cursor = undefined;
        await asIdentified(world, '16385', em => refuses('TENANT_CHANGED', () => em.getConnection().stream(WRITE).next()));
        see(ProbeClient.cursor === undefined, "a stream was opened though its tenant's name is another's");
        world.database.take();
      }
    },
  },
  {
    shows: ['SimpleQuery.commit'],
    run: world => {
      const { Client }: ProbeEm = poolOwnersOf(world);

      if (Client !== undefined) {
        // which connects to nothing
        const client = new Client.constructor({});
        const sent: string[] = [];
        const parse = (): never => {
          throw new NotSeen('a commit and its check are sent as a prepared statement, which can be one statement only');
        };
        Object.assign(client.connection, { query: (text: string) => void sent.push(text), parse });
        client.readyForQuery = true;
        void client.query('select 1; commit', []);
        see(sent.join() === 'select 1; commit', 'a commit is not sent in one message with a check');
      }
    },
  },
  {
    shows: ['WrappedEntity.__em'],
    run: async world => {
      const former = world.as(OWN, em => world.authorIn(em, 21), { identity: identity() });
      const later = { ...identity(), key: '2', schemaOid: '16385' };
      await world.as(OWN, em => refuses('CROSS_TENANT', () => em.create(world.entities.Author, { name: 'x', mentor: former })), {
        identity: later,
      });
    },
  },
  {
    shows: ['Flush.isTransactionDisabled', 'Platform.supportsTransactions'],
    run: async world => {
      const em = world.orm.em.fork({ disableTransactions: true }) as ProbeEm;
      const tenant = em.merge(world.entities.Tenant, { id: 9, schemaName: OTHER });
      tenant.schemaName = 'probe_renamed';
      const failure: ProbeEm = await em.flush().then(
        () => undefined,
        (error: unknown) => error,
      );
      const isRefused = failure?.code === 'TENANT_WRITE_REFUSED';
      const [first = ''] = world.database.take();
      see(isRefused || first.startsWith('begin'), 'a tenant was renamed without a transaction');
    },
  },
];
