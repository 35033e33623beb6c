import {
  runInTenant,
  TenantMixin,
  tenantContext,
  type TenantOverloadedError,
  type LimitsOption,
  type TenantEntityManager,
} from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import fc from 'fast-check';
import Koa from 'koa';
import { KnownNodes } from '../../dist/connection/pool/known-nodes.js';
import type { CitusOption } from '../../dist/tenant/citus-options.js';
import { failureOf } from '../support/assertions/failure.ts';
import { Gate } from '../support/assertions/gate.ts';
import { until } from '../support/assertions/until.ts';
import { onDatabases } from '../support/databases/database.ts';
import { poolOf } from '../support/databases/sound-pool.ts';
import { effort } from '../support/generators/effort.ts';
import { checkProperty } from '../support/generators/property.ts';
import { doWork, nestedWork } from '../support/models/nested-work.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';
import { openOrm, type SpecOrm } from '../support/orm/open-orm.ts';
import { hostOf } from '../support/web/web-library.ts';
import { serve } from '../support/web/web-server.ts';

class Town extends TenantMixin {
  inhabitants = 0;
}

const TownSchema = defineEntity({ class: Town, extends: TenantMixin, properties: { inhabitants: p.integer() } });

onDatabases(
  'limits of a tenant',
  database => {
    const opened: SpecOrm[] = [];

    before(async () => {
      const orm = await openNoteOrm(database, TownSchema.class);
      await orm.em
        .fork()
        .persistAndFlush(['acme', 'bob'].map(schemaName => Object.assign(new Town(), { schemaName, domainUrl: hostOf(schemaName) })));

      for (const name of ['acme', 'bob']) {
        await database.query(`insert into ${name}.note (text) values ('of ${name}')`);
      }
    });

    afterEach(async () => {
      await Promise.all(opened.splice(0).map(orm => orm.close()));
    });

    const open = async (
      limits: LimitsOption<Town> | undefined,
      max = 10,
      driverOptions = {},
      citus: CitusOption = 'auto',
    ): Promise<SpecOrm> => {
      const orm = await openOrm(database, { tenant: Town, limits, citus, migrations: { migrationsList: [] } } as never, {
        entities: [TownSchema, Note],
        pool: { min: 0, max },
        driverOptions,
      });
      opened.push(orm);

      return orm;
    };

    it('P3 S24 so many pieces of its work have connections at once, and the rest wait in order, while others go on', async () => {
      const orm = await open({ concurrency: 2 });
      const { begun, gate, done } = begin(orm, 'acme', 6);

      for (let ended = 0; ended < 6; ended += 1) {
        await until('as many as may have begun', () => begun.length === Math.min(6, ended + 2));
        expect(await textsIn(orm, 'bob')).to.deep.equal(['of bob']);
        expect(begun.toSorted((a, b) => a - b)).to.deep.equal([0, 1, 2, 3, 4, 5].slice(0, ended + 2));
        gate.open();
      }

      await done;
      expect(await textsIn(orm, 'acme')).to.deep.equal(['of acme']);
    });

    it('P3 S24 single statements of one scope wait for each other too', async () => {
      const orm = await open({ concurrency: 2 }, 6);
      const pool = await poolOf(orm);
      let most = 0;
      await runInTenant(
        'acme',
        em =>
          Promise.all(
            Array.from({ length: 20 }, async () => {
              await em.fork().execute('select pg_sleep(0.005)');
              most = Math.max(most, pool.totalCount);
            }),
          ),
        { orm },
      );

      // one more for what the library looks up itself, which is no tenant's
      expect(most).to.be.at.most(3);
    });

    it('P3 S24 by default it is half of the pool', async () => {
      const orm = await open({}, 4);
      const { begun, gate, done } = begin(orm, 'acme', 3);
      await until('two have begun', () => begun.length === 2);
      expect(await textsIn(orm, 'bob')).to.deep.equal(['of bob']);
      expect(begun.toSorted((a, b) => a - b)).to.deep.equal([0, 1]);
      [0, 1, 2].forEach(() => gate.open());
      await done;
    });

    it('P3 S24 what does not fit into the queue fails at once, and what has waited too long fails then, with nothing sent', async () => {
      const orm = await open({ concurrency: 1, queue: 1, timeoutMs: 300 });
      const { begun, gate, done } = begin(orm, 'acme', 1);
      await until('it has begun', () => begun.length === 1);
      const start = performance.now();
      const failures = await Promise.all(
        [0, 1, 2].map(async () => {
          const error = (await failureOf(textsIn(orm, 'acme'))) as TenantOverloadedError;

          return { error, after: performance.now() - start };
        }),
      );
      const [full, second, late] = failures.toSorted((one, other) => one.after - other.after).map(({ error }) => error);

      for (const error of [full, second, late]) {
        expect(error).to.include({ code: 'TENANT_OVERLOADED', status: 503, schemaName: 'acme' });
      }

      expect([full?.message, second?.message].join()).to.not.contain('has waited');
      expect(full?.message).to.contain('1 pieces of its work wait already');
      expect(late?.message).to.contain('has waited for 300 ms');
      gate.open();
      await done;
      expect(await textsIn(orm, 'acme')).to.deep.equal(['of acme']);
    });

    it('P3 S24 by default a hundred wait, and for ten seconds', async () => {
      const orm = await open({ concurrency: 1 });
      const { begun, gate, done } = begin(orm, 'acme', 1);
      await until('it has begun', () => begun.length === 1);
      const waiting = Array.from({ length: 101 }, () => textsIn(orm, 'acme').catch((error: TenantOverloadedError) => error));
      const full = (await Promise.race(waiting)) as TenantOverloadedError;
      gate.open();
      await done;

      expect(full.message).to.contain('100 pieces of its work wait already');
      expect(full.headers).to.deep.equal({ 'Retry-After': '10' });
      expect((await Promise.all(waiting)).filter(each => each instanceof Error)).to.deep.equal([full]);
    });

    it('P3 S24 a function gives each tenant its own, or none, and what it returns is checked', async () => {
      const orm = await open(town => (town.schemaName === 'acme' ? { concurrency: 1 } : undefined), 4);
      const acme = begin(orm, 'acme', 2);
      const bob = begin(orm, 'bob', 3);
      await until('those that may have begun', () => acme.begun.length === 1 && bob.begun.length === 3);
      [0, 1, 2].forEach(() => [acme, bob].forEach(({ gate }) => gate.open()));
      await Promise.all([acme.done, bob.done]);

      const wrong = await open(() => ({ concurrency: 0 }));
      expect(await failureOf(textsIn(wrong, 'acme'))).to.include({ code: 'TENANT_CONFIG' });
    });

    it('P3 S24 a connection that is lost in a transaction gives its place back', async () => {
      const orm = await open({ concurrency: 1, timeoutMs: 2_000 });

      for (let n = 0; n < 3; n += 1) {
        await failureOf(
          runInTenant(
            'acme',
            em =>
              em.transactional(async inner => {
                const [row] = await inner.execute<{ pid: number }[]>('select pg_catalog.pg_backend_pid() as pid');
                await database.query('select pg_terminate_backend($1)', [row?.pid]);
                await inner.execute('select text from note');
              }),
            { orm },
          ),
        );
        expect(await textsIn(orm, 'acme')).to.deep.equal(['of acme']);
      }
    });

    it('P3 S24 N3 one that is lost before it is committed by hand gives its place back, also if nobody rolls it back', async () => {
      const orm = await open({ concurrency: 1, timeoutMs: 500 });
      await runInTenant(
        'acme',
        async em => {
          const fork = em.fork();
          await fork.begin();
          const [row] = await fork.execute<{ pid: number }[]>('select pg_catalog.pg_backend_pid() as pid');
          await database.query('select pg_terminate_backend($1, 5000)', [row?.pid]);
          await failureOf(fork.commit());
        },
        { orm },
      );

      expect(await textsIn(orm, 'acme')).to.deep.equal(['of acme']);
    });

    it('P3 S24 what has waited too long for its node, or is one too many there, gives its tenant’s place back', async () => {
      for (const queue of [0, 1]) {
        const orm = await open({ concurrency: 1, timeoutMs: 500 }, 10, {}, { nodeLimits: { concurrency: 1, queue, timeoutMs: 50 } });
        const nodes = KnownNodes.of(orm.config);
        // there is no Citus
        nodes.readBy(async () => new Map(['acme', 'bob'].map(name => [name, 'node:5432'])));
        nodes.refresh();
        await until('they are known', () => nodes.nodeOf('acme') !== undefined);
        const { begun, gate, done } = begin(orm, 'bob', 1);
        await until('it has begun', () => begun.length === 1);
        expect(await failureOf(textsIn(orm, 'acme'))).to.include({ code: 'NODE_OVERLOADED' });
        gate.open();
        await done;

        expect(await textsIn(orm, 'acme')).to.deep.equal(['of acme']);
      }
    });

    it('P3 S24 what gets no connection of a full pool fails with the pool’s own error, and gives its place back', async () => {
      const orm = await open({ concurrency: 1, timeoutMs: 2_000 }, 1, { connectionTimeoutMillis: 200 });
      await runInTenant(
        'acme',
        async em => {
          const { begun, gate, done } = begin(orm, 'bob', 1);
          await until('it has the only connection', () => begun.length === 1);
          const failures = [await failureOf(em.fork().find(Note, {})), await failureOf(em.fork().execute('select text from note'))];
          gate.open();
          await done;
          expect(failures.map(String)).to.deep.equal(failures.map(() => 'DriverException: timeout exceeded when trying to connect'));
          expect((await em.fork().find(Note, {})).map(({ text }) => text)).to.deep.equal(['of acme']);
        },
        { orm },
      );
    });

    it('P3 S24 no work waits for itself or for what waits for it, however it is nested, and all of it ends', async () => {
      // none of these waits for the pool, which is as it is without limits
      const orm = await open({ concurrency: 1, queue: 1_000, timeoutMs: 4_000 }, 30);
      const names = ['acme', 'bob'];
      const flows = fc.array(fc.tuple(fc.nat(1), nestedWork(7)), { minLength: 2, maxLength: 4 });
      const property = fc.asyncProperty(flows, async all => {
        await Promise.all(all.map(([tenant, work]) => runInTenant(names[tenant] as string, () => doWork(orm, names, work), { orm })));
        const pool = await poolOf(orm);
        // the directory may be asking something of its own
        await until('no connection is in use', () => pool.totalCount === pool.idleCount && pool.waitingCount === 0, 5_000);
      });

      await checkProperty('nested work', property, effort(60, 1_000));
    });

    it('H13 a visitor of a tenant that is overloaded gets 503 with `Retry-After`, and the others are served', async () => {
      const orm = await open({ concurrency: 1, queue: 2, timeoutMs: 2_500 });
      const app = new Koa();
      const gate = new Gate();
      app.use(tenantContext({ orm })).use(async ctx => {
        ctx.body = await orm.em.transactional(async em => {
          const notes = await em.find(Note, {});
          await (ctx.path === '/slow' ? gate.pass() : undefined);

          return notes.map(({ text }) => text);
        });
      });
      const server = await serve(app);

      try {
        const slow = server.get(hostOf('acme'), '/slow');
        await until('it is in its transaction', () => gate.waiting === 1);
        const answers = [0, 1, 2, 3].map(() => server.get(hostOf('acme')));
        const refused = await Promise.race(answers);
        expect({ status: refused.status, retryAfter: refused.headers['retry-after'] }).to.deep.equal({ status: 503, retryAfter: '3' });
        expect(await server.get(hostOf('bob'))).to.include({ status: 200, body: '["of bob"]' });
        gate.open();
        const statuses = (await Promise.all([slow, ...answers])).map(({ status }) => status).toSorted((a, b) => a - b);
        expect(statuses).to.deep.equal([200, 200, 200, 503, 503]);
        expect(server.errors.map(error => (error as TenantOverloadedError).code)).to.deep.equal(['TENANT_OVERLOADED', 'TENANT_OVERLOADED']);
      } finally {
        await server.close();
      }
    });
  },
  ['postgresql'],
);

/** Transactions of a tenant, in this order, of which each ends when the gate is opened once. */
function begin(orm: SpecOrm, schemaName: string, count: number): { begun: number[]; gate: Gate; done: Promise<unknown> } {
  const begun: number[] = [];
  const gate = new Gate();
  const entered = Array.from({ length: count }, () => new Gate());
  const all = Array.from({ length: count }, async (_, n) =>
    runInTenant(
      schemaName,
      async em => {
        await entered[n]?.pass();
        await em.transactional(async inner => {
          await inner.find(Note, {});
          begun.push(n);
          await gate.pass();
        });
      },
      { orm },
    ),
  );
  // in order, once all are in their scopes
  const start = async (): Promise<void> => {
    await until('all are in their scopes', () => entered.every(each => each.waiting === 1));
    entered.forEach(each => each.open());
  };

  return { begun, gate, done: Promise.all([start(), ...all]) };
}

async function textsIn(orm: SpecOrm, schemaName: string): Promise<string[]> {
  return runInTenant(schemaName, async (em: TenantEntityManager) => (await em.find(Note, {})).map(({ text }) => text), { orm });
}
