import {
  acrossTenants,
  runInPublic,
  runInTenant,
  TenantMixin,
  tenants,
  type ConnectionOptions,
  type TenantEntityManager,
} from '@landlord/mikro-orm';
import { defineEntity } from '@mikro-orm/core';
import { expect } from 'chai';
import pg from 'pg';
import { shareConnections } from '../../dist/connection/pool/pooled-tenants.js';
import { defaultMaxTenants } from '../../dist/tenant/connection-options.js';
import { Gate } from '../support/assertions/gate.ts';
import { until } from '../support/assertions/until.ts';
import { onDatabases } from '../support/databases/database.ts';
import { poolOf } from '../support/databases/sound-pool.ts';
import { CreateNote, Note, openNoteOrm } from '../support/orm/note-orm.ts';
import { openOrm, type SpecOrm } from '../support/orm/open-orm.ts';
import { sqlMigration, type MigrationEntry } from '../support/orm/tenant-set.ts';

class Town extends TenantMixin {}

const TownSchema = defineEntity({ class: Town, extends: TenantMixin, properties: {} });

const NAMES = ['t0', 't1', 't2', 't3', 't4', 't5'];

const underWay: Hold[] = [];

onDatabases(
  'connections that tenants share',
  database => {
    const opened: SpecOrm[] = [];

    before(async () => {
      const orm = await openNoteOrm(database, TownSchema.class);
      await orm.em
        .fork()
        .persistAndFlush(NAMES.map(schemaName => Object.assign(new Town(), { schemaName, domainUrl: `${schemaName}.example.com` })));

      for (const name of NAMES) {
        await database.query(`insert into ${name}.note (text) values ('of ${name}')`);
      }
    });

    afterEach(async () => {
      // those of a spec that has failed: their connections would never be given back
      await Promise.all(underWay.splice(0).map(hold => hold.end()));
      await Promise.all(opened.splice(0).map(orm => orm.close()));
    });

    const open = async (max: number, connections: ConnectionOptions = {}, migrationsList: MigrationEntry[] = []): Promise<SpecOrm> => {
      const orm = await openOrm(
        database,
        { tenant: Town, connections, migrations: { migrationsList } },
        { entities: [TownSchema, Note], pool: { min: 0, max } },
      );
      opened.push(orm);

      return orm;
    };

    it("S22 a tenant's work takes an idle connection that has served the tenant, in whatever order", async () => {
      const orm = await open(3);
      const own = await atOnce(orm, ['t0', 't1', 't2']);
      expect(new Set(own).size).to.equal(3);

      for (const order of ['012', '210', '0012211', '1020']) {
        for (const n of order) {
          expect(await pidOf(orm, `t${n}`), `t${n} of ${order}`).to.equal(own[Number(n)]);
        }
      }

      // also where several ask before any has got one
      const gate = new Gate();
      const asking = ['t1', 't2', 't0'].map(name =>
        inScope(orm, name, async em => {
          await gate.pass();

          return pid(em);
        }),
      );
      await until('all are in their scopes', () => gate.waiting === 3);
      asking.forEach(() => gate.open());
      expect(await Promise.all(asking)).to.deep.equal([own[1], own[2], own[0]]);
    });

    it('P2 S22 a new tenant gets the connection that has served fewest', async () => {
      const orm = await open(2);
      const [first, second] = await atOnce(orm, ['t0', 't1']);
      const hold = await inTransaction(orm, 't1');
      expect(await pidOf(orm, 't2')).to.equal(first);
      await hold.end();

      expect(await pidOf(orm, 't3')).to.equal(second);
    });

    it('P2 S22 of those that have served as few, it gets the one that was used last, so that others may be closed as idle', async () => {
      for (const last of [0, 1]) {
        const orm = await open(2);
        const pids = await atOnce(orm, ['t0', 't1']);
        await pidOf(orm, `t${last}`);
        expect(await pidOf(orm, 't2')).to.equal(pids[last]);
      }
    });

    it('P2 S22 nothing waits for a connection that has served it while another is idle', async () => {
      const orm = await open(2);
      const [own, other] = await atOnce(orm, ['t0', 't1']);
      const hold = await inTransaction(orm, 't0');

      expect(await pidOf(orm, 't0')).to.equal(hold.pid === own ? other : own);
      await hold.end();
      expect([own, other]).to.include(await pidOf(orm, 't0'));
    });

    for (const preferServed of [true, false]) {
      it(`P2 S22 with \`preferServed: ${preferServed}\`, a connection that becomes free goes to whom it ought among many who wait`, async () => {
        const orm = await open(4, { preferServed });
        const waiters = await enterAll(orm, ['t4', 't5', 't0', 't0', 'public', 't0']);
        const holds: Hold[] = [];

        for (const name of ['t0', 't1', 't2', 't3']) {
          holds.push(await inTransaction(orm, name));
        }

        const got = await inTurn(orm, waiters, async () => {
          await holds[0]?.end();
          await until('the last one has been served', async () => (await poolOf(orm)).waitingCount === 0);
        });
        await Promise.all(holds.map(hold => hold.end()));
        expect(new Set(got.map(each => each.pid))).to.deep.equal(new Set([holds[0]?.pid]));
        // two of four connections may go to others first
        expect(got.map(each => each.name)).to.deep.equal(
          preferServed ? ['t0', 't0', 't4', 't5', 't0', 'public'] : ['t4', 't5', 't0', 't0', 'public', 't0'],
        );
      });
    }

    it('P2 S22 whoever waits lets half as many past as there are connections, however many know theirs', async () => {
      for (const [max, most] of [
        [1, 0],
        [2, 1],
        [5, 3],
      ] as const) {
        const orm = await open(max);
        const waiters = await enterAll(orm, ['t1', ...Array.from({ length: 12 }, () => 't0'), 't2']);
        const holds: Hold[] = [];

        for (let n = 0; n < max; n += 1) {
          holds.push(await inTransaction(orm, 't0'));
        }

        // one connection at a time, so that they are answered in the order in which they get it
        const got = await inTurn(orm, waiters, async () => {
          await holds[0]?.end();
          await until('the last one has been served', async () => (await poolOf(orm)).waitingCount === 0);
        });
        await Promise.all(holds.map(hold => hold.end()));
        expect(
          got.findIndex(({ name }) => name === 't1'),
          `of ${max}`,
        ).to.equal(most);
      }
    });

    it('P2 S22 with `preferServed: false` and `maxTenants: false` the pool is as `pg` made it', async () => {
      const orm = await open(3, { preferServed: false, maxTenants: false });
      await atOnce(orm, ['t0', 't1', 't2']);
      const last = await pidOf(orm, 't0');

      expect(await Promise.all(['t1', 't2', 't0'].map(async name => pidOf(orm, name)))).to.include(last);
      expect([await pidOf(orm, 't1'), await pidOf(orm, 't2'), await pidOf(orm, 't0')].every((each, _, all) => each === all[0])).to.equal(
        true,
      );
    });

    it('P2 S22 where the pool lacks what this needs, it works as it is', async () => {
      const orm = await open(1);
      const real = new pg.Pool({ connectionString: database.url, max: 2 });
      const pool: any = new Proxy(real, {
        get: (target, key) => {
          const value: unknown = /^(_|newClient$)/.test(String(key)) ? undefined : Reflect.get(target, key);

          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
      const connection = { createKyselyDialect: ({ onPoolCreated }: any) => onPoolCreated(pool) };
      shareConnections(connection as never, orm.config);
      (connection as any).createKyselyDialect();

      try {
        for (let n = 0; n < 5; n += 1) {
          const connect = (): Promise<pg.PoolClient> => pool.connect();
          const clients = await Promise.all([inScope(orm, 't0', connect), inScope(orm, 't1', connect)]);
          clients.forEach(client => client.release());
        }

        expect({ total: real.totalCount, idle: real.idleCount }).to.deep.equal({ total: 2, idle: 2 });
      } finally {
        await real.end();
      }
    });

    it('P2 S23 a connection that has served more than `maxTenants` is closed after use, and replaced before anybody asks', async () => {
      const orm = await open(1, { maxTenants: 2 });
      const old = await pidOf(orm, 't0');
      expect([await pidOf(orm, 't1'), await pidOf(orm, 't0'), await pidOf(orm, 't2')]).to.deep.equal([old, old, old]);

      const pool = await poolOf(orm);
      await until('it is replaced', async () => pool.idleCount === 1 && !(await isThere(old)));
      const [next] = await database.query<{ pid: number }>(BACKENDS);
      expect(await pidOf(orm, 't2')).to.equal(next?.pid);
    });

    it('P2 S23 what is under way on it ends there, and counts each tenant of its transaction', async () => {
      const orm = await open(1, { maxTenants: 2 });
      const used: number[] = [];
      await runInPublic(
        em =>
          em.transactional(async () => {
            for (const name of NAMES) {
              used.push(await pidOf(orm, name));
            }
          }),
        { orm },
      );
      expect(new Set(used).size).to.equal(1);

      await until('it is gone', async () => !(await isThere(used[0] as number)));
    });

    it('P2 S23 creating, migrating and dropping tenants counts too', async () => {
      const orm = await open(1, { maxTenants: 1 });
      const work: (() => Promise<unknown>)[] = [
        ...['new0', 'new1', 'new2'].map(schemaName => async () => {
          await orm.em.fork().persistAndFlush(Object.assign(new Town(), { schemaName, domainUrl: `${schemaName}.example.com` }));
        }),
        () => tenants(orm).migrate({ only: ['new0', 'new1'] }),
        async () => {
          await tenants(orm).drop('new0');
          await tenants(orm).drop('new1');
        },
      ];
      let opened = 0;
      ((await orm.em.getConnection().getNativeClient()) as pg.Pool).on('connect', () => (opened += 1));
      const counts: number[] = [];

      for (const each of work) {
        await each();
        await until('what is replaced is there', async () => (await poolOf(orm)).idleCount === 1);
        counts.push(opened);
      }

      expect(counts.slice(0, 3)).to.deep.equal([0, 1, 1]);
      expect(counts.at(-1)).to.be.greaterThan(counts.at(-2) as number);
    });

    it('P2 S23 a migration counts for its tenant, alone and in a message with others', async () => {
      const orm = await open(1, { maxTenants: 1 }, [
        { name: 'CreateNote', class: CreateNote },
        sqlMigration('Shelf', 'create table shelf (id serial primary key)', 'drop table shelf'),
      ]);
      let opened = 0;
      ((await orm.em.getConnection().getNativeClient()) as pg.Pool).on('connect', () => (opened += 1));

      for (const names of [['t0'], ['t1'], ['t2', 't3']]) {
        for (const direction of ['up', 'down'] as const) {
          const { failed, migrated } = await tenants(orm).migrate({ only: names, direction });
          expect([failed, migrated.length]).to.deep.equal([[], names.length]);
        }

        if (names[0] !== 't0') {
          await until('it is replaced', async () => opened > 0 && (await poolOf(orm)).idleCount === 1);
        }

        opened = 0;
      }
    });

    it("P2 S23 a report and the doctor's look at sequences count for each tenant whose tables they open", async () => {
      const orm = await open(1, { maxTenants: 2 });
      const reads: (() => Promise<unknown>)[] = [
        () => acrossTenants(Note, {}, { orm, reason: 'billing' }).toArray(),
        async () => {
          for await (const row of acrossTenants(Note, {}, { orm, reason: 'billing' })) {
            void row;
          }
        },
        () => tenants(orm).doctor({ deep: true, only: ['t0', 't1', 't2'] }),
      ];
      let opened = 0;
      ((await orm.em.getConnection().getNativeClient()) as pg.Pool).on('connect', () => (opened += 1));

      for (const read of reads) {
        await orm.em.fork().execute('select 1');
        const before = opened;
        await read();
        await until('it is replaced', async () => opened > before && (await poolOf(orm)).idleCount === 1);
      }
    });

    it('P2 S23 where somebody always waits, it is closed at twice the number', async () => {
      const orm = await open(1, { maxTenants: 1 });
      const pids = await Promise.all([...NAMES, ...NAMES].map(name => inScope(orm, name, pid)));

      // two names a connection, in whatever order they come
      expect(new Set(pids).size).to.be.within(3, 4);
    });

    it('P2 S23 by default keeps a connection under 256 MB and all of a pool under 1 GB, by the estimate', () => {
      for (const [pool, tables] of [
        [1, 10],
        [4, 10],
        [10, 10],
        [50, 300],
      ] as const) {
        const megabytes = (tenants: number): number => (tenants * tables * 24) / 1_024;
        const most = defaultMaxTenants(tables, pool);
        const limit = Math.min(256, 1_024 / pool);

        expect([megabytes(most) <= limit, megabytes(most + 1) > limit]).to.deep.equal([true, true]);
      }

      expect([defaultMaxTenants(10, 4), defaultMaxTenants(10, 10), defaultMaxTenants(10_000, 10)]).to.deep.equal([1_092, 436, 1]);
    });

    it('P2 S23 warns once, with what to set, when the connections know more tables than the budget allows for', async () => {
      const orm = await open(8, { memoryBudgetMb: 1 });
      const warnings = (): string[] => database.statements.filter(message => message.includes('connections.memoryBudgetMb'));
      database.statements.length = 0;

      // 42 tables are 984 KB, and the next is above 1 MB
      for (const [n, name] of NAMES.entries()) {
        await atOnce(
          orm,
          Array.from({ length: n === 5 ? 2 : 8 }, () => name),
        );
      }

      expect(warnings()).to.deep.equal([]);

      for (const name of ['t5', 't5']) {
        await atOnce(
          orm,
          Array.from({ length: 8 }, () => name),
        );
      }

      expect(warnings()).to.have.length(1);
      expect(warnings()[0])
        .to.contain('The 8 connections of the pool know the tables of 43 tenants in all, 1 of each')
        .and.to.contain('connections: { maxTenants: 5 }');
    });

    it('P2 S23 the ORM closes while a connection is replaced', async () => {
      const orm = await open(1, { maxTenants: 1 });
      const pids = [await pidOf(orm, 't0'), await pidOf(orm, 't1')];
      await orm.close();

      await until('all are gone', async () => !(await isThere(...pids)));
    });

    it('law 2 two connections that are replaced all the time give each tenant its own rows', async () => {
      const orm = await open(2, { maxTenants: 1 });
      const work = async (index: number): Promise<void> => {
        const name = NAMES[(index * 7 + (index >> 3)) % NAMES.length] as string;
        const read = (em: TenantEntityManager): Promise<{ text: string }[]> =>
          index % 2 === 0 ? em.execute('select text from note') : em.find(Note, {});
        const texts = await inScope(orm, name, em => (index % 3 === 0 ? em.transactional(inner => read(inner)) : read(em)));

        expect(texts.map(({ text }) => text)).to.deep.equal([`of ${name}`]);
      };

      for (let round = 0; round < 10; round += 1) {
        await Promise.all(Array.from({ length: 18 }, (_, index) => work(round * 18 + index)));
      }

      await until('no connection is in use', async () => {
        const { totalCount, idleCount, waitingCount } = await poolOf(orm);

        return totalCount === idleCount && waitingCount === 0;
      });
    });

    async function isThere(...pids: readonly number[]): Promise<boolean> {
      return (await database.query<{ pid: number }>(BACKENDS)).some(each => pids.includes(each.pid));
    }
  },
  ['postgresql'],
);

const BACKENDS = `select pid from pg_stat_activity where datname = current_database() and application_name <> 'spec observer'
  and query not ilike '%listen%' order by backend_start desc`;

const pid = async (em: TenantEntityManager): Promise<number> =>
  Number((await em.execute<{ pid: number }[]>('select pg_catalog.pg_backend_pid() as pid'))[0]?.pid);

function inScope<Result>(orm: SpecOrm, schemaName: string, fn: (em: TenantEntityManager) => Promise<Result>): Promise<Result> {
  return runInTenant(schemaName, fn, { orm });
}

/** The connection that answers a tenant. */
function pidOf(orm: SpecOrm, schemaName: string): Promise<number> {
  return inScope(orm, schemaName, pid);
}

/** A transaction that stays open until it is ended. */
async function inTransaction(orm: SpecOrm, schemaName: string): Promise<Hold> {
  const gate = new Gate();
  let begun: number | undefined;
  const done = inScope(orm, schemaName, em =>
    em.transactional(async inner => {
      begun = await pid(inner);
      await gate.pass();
    }),
  );
  await until('it has begun', () => begun !== undefined);

  const hold = {
    pid: Number(begun),
    end: async () => {
      gate.open();
      await done;
    },
  };
  underWay.push(hold);

  return hold;
}

/** The connections that answer these tenants at the same time. */
async function atOnce(orm: SpecOrm, names: readonly string[]): Promise<number[]> {
  const held = [];

  for (const name of names) {
    held.push(await inTransaction(orm, name));
  }

  for (const each of held) {
    await each.end();
  }

  return held.map(each => each.pid);
}

interface Hold {
  readonly pid: number;
  end(): Promise<void>;
}

/** The scopes of these, entered one after the other, in which nothing is sent before the gate opens. */
async function enterAll(orm: SpecOrm, names: readonly string[]): Promise<Waiter[]> {
  const waiters: Waiter[] = [];

  for (const name of names) {
    const gate = new Gate();
    const ask = async (em: TenantEntityManager): Promise<number> => {
      await gate.pass();

      return pid(em);
    };
    waiters.push({ name, gate, pid: name === 'public' ? runInPublic(ask, { orm }) : inScope(orm, name, ask) });
    await until(`${name} is entered`, () => gate.waiting === 1);
  }

  return waiters;
}

/** Has them wait for a connection in their order, and tells in which order they got one. */
async function inTurn(orm: SpecOrm, waiters: readonly Waiter[], free: () => Promise<unknown>): Promise<{ name: string; pid: number }[]> {
  const pool = await poolOf(orm);
  const got: { name: string; pid: number }[] = [];
  const done = [];

  for (const [n, waiter] of waiters.entries()) {
    waiter.gate.open();
    done.push(waiter.pid.then(found => got.push({ name: waiter.name, pid: found })));
    await until(`${waiter.name} waits`, () => pool.waitingCount === n + 1);
  }

  await free();
  await Promise.all(done);

  return got;
}

interface Waiter {
  readonly name: string;
  readonly gate: Gate;
  readonly pid: Promise<number>;
}
