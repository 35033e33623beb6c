import { TenantConfigError } from '@landlord/mikro-orm';
import { MikroORM, UnitOfWork } from '@mikro-orm/core';
import { PgliteDriver } from '@mikro-orm/pglite';
import { EntityManager as SqlEntityManager, PostgreSqlDriver, QueryBuilder } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { TenantCheck } from '../../../dist/connection/check/tenant-check.js';
import { guardedEntityManagerOf } from '../../../dist/orm/guarded-classes.js';
import type { Probe } from '../../../dist/orm/seams/probe.js';
import { ProbeEntityManager, ProbeWorld } from '../../../dist/orm/seams/probe-world.js';
import { BASIC } from '../../../dist/orm/seams/probes.js';
import { openProbe } from '../../../dist/with-tenants.js';
import { TenantQueryBuilder } from '../../../dist/query/tenant-query-builder.js';
import { all, ignoreReplacement, prototypesOf, remove, type Open } from '../../support/seams/breakages.ts';
import { asFirst, errorOf, Note, onUnknownCode, startAgain, startConfig } from '../../support/seams/start-again.ts';

describe('The start of an ORM of which a seam is broken', () => {
  let server: Server;
  let connections = 0;
  let clientUrl: string;

  before(async () => {
    server = createServer(socket => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    clientUrl = `postgres://127.0.0.1:${(server.address() as { readonly port: number }).port}/none`;
  });

  beforeEach(() => {
    connections = 0;
  });

  after(() => server.close());

  it('G1 `new MikroORM()` refuses at once where that shows at once', async () => {
    const undo = ignoreHook(QueryBuilder.prototype, TenantQueryBuilder.prototype, 'getSchema');

    try {
      await onUnknownCode(() => {
        expect(() => new MikroORM(startConfig({ clientUrl }))).to.throw(TenantConfigError, 'QueryBuilder.getSchema');
        expect(() => new MikroORM(startConfig({ clientUrl })), 'the second').to.throw(TenantConfigError, 'QueryBuilder.getSchema');
      });
    } finally {
      undo();
    }
  });

  it('G1 what has to be awaited keeps an ORM of `new MikroORM()` from sending anything, and from being used', async () => {
    const undo = ignoreReplacement(UnitOfWork.prototype, 'getChangeSetGroups');
    const told: string[] = [];

    try {
      await onUnknownCode(async () => {
        const orm: Open = new MikroORM(startConfig({ clientUrl, logger: (message: string) => told.push(message) }));
        const { em } = orm;
        const works: readonly (() => unknown)[] = [
          () => em.fork({ schema: 'acme' }).find(Note, {}),
          () => em.fork().execute('select 1'),
          () => em.fork({ schema: 'acme' }).getKysely().selectFrom('note').selectAll().execute(),
          () => em.getConnection().execute('select 1'),
          () => em.getConnection().executeDump('select 1'),
          () => em.getConnection().stream('select 1').next(),
          () => em.transactional(() => undefined),
          () => orm.schema.execute('select 1'),
          () => orm.migrator.up(),
        ];

        for (const work of works) {
          expect(await errorOf(work), String(work))
            .to.have.property('message')
            .that.contains('UnitOfWork.getChangeSetGroups');
        }

        expect(() => orm.em as unknown).to.throw(TenantConfigError);
        expect(told.join()).to.contain('UnitOfWork.getChangeSetGroups');
        expect(connections).to.equal(0);
        expect(() => new MikroORM(startConfig({ clientUrl })), 'the second').to.throw(TenantConfigError);
        await orm.close();
      });
    } finally {
      undo();
    }
  });

  it('G1 `MikroORM.init()` refuses it, before it connects', async () => {
    const undo = ignoreReplacement(UnitOfWork.prototype, 'getChangeSetGroups');

    try {
      expect(await errorOf(() => onUnknownCode(() => MikroORM.init(startConfig({ clientUrl }))))).to.be.instanceOf(TenantConfigError);
      expect(connections).to.equal(0);
    } finally {
      undo();
    }
  });

  it('G1 an ORM on PGlite is refused too, and starts where nothing has changed', async () => {
    const config = startConfig({ driver: PgliteDriver, dbName: 'memory://' });
    await onUnknownCode(async () => (await MikroORM.init(config)).close());
    const undo = ignoreReplacement(UnitOfWork.prototype, 'getChangeSetGroups');

    try {
      expect(await errorOf(() => onUnknownCode(() => MikroORM.init(config)))).to.be.instanceOf(TenantConfigError);
    } finally {
      undo();
    }
  });

  it('G1 one that starts sends nothing for it, and is looked at once', async () => {
    await asFirst(async () => {
      const first = await MikroORM.init(startConfig({ clientUrl }));
      const undo = ignoreReplacement(UnitOfWork.prototype, 'getChangeSetGroups');

      try {
        const second = await MikroORM.init(startConfig({ clientUrl }));
        await delay(20);
        expect(connections).to.equal(0);
        await Promise.all([first.close(), second.close()]);
      } finally {
        undo();
      }
    });
  });

  it('G1 `new MikroORM()` may be used at once where all is well', async () => {
    await asFirst(async () => {
      const orm = new MikroORM(startConfig({ clientUrl }));
      const error = await errorOf(() => orm.em.fork({ schema: 'acme' }).find(Note, {}));

      expect(error).to.not.be.instanceOf(TenantConfigError);
      expect(connections).to.be.greaterThan(0);
      await orm.close();
    });
  });

  describe('with a guard that is not there', () => {
    const em = prototypesOf(guardedEntityManagerOf(ProbeEntityManager), ProbeEntityManager);

    for (const [member, holders] of Object.entries({
      processWhere: em,
      getKysely: em,
      getDataLoader: em,
      getSchema: [TenantQueryBuilder.prototype],
      createQueryBuilderHelper: [TenantQueryBuilder.prototype],
      setFilterParams: em,
      applyFilters: em,
      tenantOf: [TenantCheck.prototype],
    })) {
      it(`G1 a guard that is not there refuses nothing, and no ORM starts: ${member}`, async () => {
        const undo = all(holders.filter(holder => Object.hasOwn(holder, member)).map(holder => remove(holder, member)));

        try {
          expect(await errorOf(() => asFirst(startAgain))).to.be.instanceOf(TenantConfigError);
        } finally {
          undo();
        }
      });
    }
  });

  describe('on code that the library knows', () => {
    const em = prototypesOf(guardedEntityManagerOf(SqlEntityManager), SqlEntityManager);

    for (const [member, holders] of Object.entries({
      processWhere: em,
      getKysely: em,
      getDataLoader: em,
      getSchema: [TenantQueryBuilder.prototype],
      setFilterParams: em,
      applyFilters: em,
      tenantOf: [TenantCheck.prototype],
    })) {
      it(`G1 a guard that is not there refuses nothing, and is seen: ${member}`, async () => {
        const undo = all(holders.filter(holder => Object.hasOwn(holder, member)).map(holder => remove(holder, member)));

        try {
          expect(await unseen()).to.have.length.greaterThan(0);
        } finally {
          undo();
        }
      });
    }

    it('G1 nothing is missed where all guards are there', async () => {
      expect(await unseen()).to.deep.equal([]);
    });

    it('G1 the look leaves no EntityManager of another class than the users’', async () => {
      const world = new ProbeWorld(PostgreSqlDriver, openProbe, { isWhole: false });

      expect(Object.getPrototypeOf(world.orm.em)).to.equal(guardedEntityManagerOf(SqlEntityManager).prototype);
      await world.close();
    });

    it('G1 one guard of each kind is looked at', () => {
      expect([...BASIC.atOnce, ...BASIC.recorded, ...BASIC.sent].flatMap(({ shows }) => shows)).to.include.members([
        'AbstractSqlDriver.createQueryBuilder',
        'AbstractSqlDriver.getSchemaName',
        'Collection.getEntityManager',
        'DataLoader.load',
        'EntityManager.applyFilters',
        'EntityManager.processWhere',
        'EntityManager.setFilterParams',
        'FilterParameters.clone',
        'KyselyConnection.executeQuery',
        'QueryBuilder.getSchema',
        'QueryBuilderHelper.createJoinExpression',
        'SqlEntityManager.getKysely',
        'UnitOfWork.getChangeSets',
      ]);
    });
  });
});

/** What a look at one guard of each kind does not see. The specs themselves are watched by what a start takes for unknown code. */
async function unseen(): Promise<unknown[]> {
  const world = new ProbeWorld(PostgreSqlDriver, openProbe, { isWhole: false });
  const failures: unknown[] = [];
  const look = async (probes: readonly Probe[]): Promise<void> => {
    for (const probe of probes) {
      try {
        await probe.run(world);
      } catch (error) {
        failures.push(error);
      }
    }
  };

  await look(BASIC.atOnce);
  world.record();
  await look(BASIC.recorded);
  world.stopRecording();
  await look(BASIC.sent);
  await world.close();

  return failures;
}

/** MikroORM asks its own, as if it had another name by now. */
function ignoreHook(prototype: Open, ours: Open, member: string): () => void {
  const own = ours[member];
  ours[member] = prototype[member];

  return () => void (ours[member] = own);
}
