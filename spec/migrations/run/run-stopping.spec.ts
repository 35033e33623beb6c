import { RunUsageError } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { onDatabases } from '../../support/databases/database.ts';
import { migrationOf, openTenantSet, sqlMigration, type TenantSet } from '../../support/orm/tenant-set.ts';
import { schemasWith } from '../../support/databases/catalog.ts';
import { schemaNamesOf } from '../../support/assertions/run-result.ts';
import { failureOf } from '../../support/assertions/failure.ts';

const NAMES = ['t1', 't2', 't3', 't4', 't5'];
const M2 = sqlMigration('M2', 'alter table "tag" add column "colour" text');

onDatabases('stopping a run', database => {
  let set: TenantSet;

  before(async () => {
    set = await openTenantSet(database);
  });

  beforeEach(async () => {
    await set.create(...NAMES);
    set.use(M2);
  });

  afterEach(() => set.clear());
  it('M4 begins no other tenant after so many failures, and tells which were not begun', async () => {
    await breakTenants('t1', 't2');

    const one = await set.tenants.migrate({ concurrency: 1, maxFailures: 1 });
    expect([schemaNamesOf(one.failed), schemaNamesOf(one.migrated), one.notBegun]).to.deep.equal([['t1'], [], ['t2', 't3', 't4', 't5']]);
    expect(await migrated()).to.deep.equal([]);

    const two = await set.tenants.migrate({ concurrency: 1, maxFailures: 2, skip: ['t3'] });
    expect([schemaNamesOf(two.failed), two.notBegun]).to.deep.equal([
      ['t1', 't2'],
      ['t4', 't5'],
    ]);

    const three = await set.tenants.migrate({ concurrency: 1, maxFailures: 3 });
    expect([schemaNamesOf(three.failed), schemaNamesOf(three.migrated), three.notBegun]).to.deep.equal([
      ['t1', 't2'],
      ['t3', 't4', 't5'],
      [],
    ]);
  });

  it('M4 migrates a canary of so many first, and no other tenant if it fails', async () => {
    await breakTenants('t2');

    const result = await set.tenants.migrate({ canary: 2 });

    expect([schemaNamesOf(result.migrated), schemaNamesOf(result.failed), result.notBegun]).to.deep.equal([
      ['t1'],
      ['t2'],
      ['t3', 't4', 't5'],
    ]);
    expect(await migrated()).to.deep.equal(['t1']);
  });

  it('M4 migrates the named canary before the others, which follow if it lives', async () => {
    await breakTenants('t1');
    const order: string[] = [];

    const result = await set.tenants.migrate({ canary: ['t4', 't5'], onProgress: ({ schemaName }) => order.push(schemaName) });

    expect(order.slice(0, 2)).to.have.members(['t4', 't5']);
    expect([schemaNamesOf(result.migrated), schemaNamesOf(result.failed), result.notBegun]).to.deep.equal([
      ['t2', 't3', 't4', 't5'],
      ['t1'],
      [],
    ]);
  });

  it('M4 takes a canary with nothing to do for one that lives', async () => {
    await set.tenants.migrate({ only: ['t3'] });

    expect(schemaNamesOf((await set.tenants.migrate({ canary: ['t3'] })).migrated)).to.deep.equal(['t1', 't2', 't4', 't5']);
  });

  it('M6 begins nothing where it was aborted before', async () => {
    const result = await set.tenants.migrate({ signal: AbortSignal.abort() });

    expect([result.total, result.migrated, result.failed, result.notBegun]).to.deep.equal([5, [], [], NAMES]);
    expect(await migrated()).to.deep.equal([]);
  });

  for (const [kind, queuesOnly] of [
    ['only queues SQL', true],
    ['reads', false],
  ] as const) {
    it(`M6 finishes the tenants in flight when it is aborted, where a migration ${kind}, and reports them as done`, async () => {
      const stop = new AbortController();
      set.use(
        migrationOf('M2', async migration => {
          if (!queuesOnly) {
            await migration.execute('select 1');
          }

          stop.abort();
          migration.addSql('alter table "tag" add column "colour" text');
        }),
      );

      const result = await set.tenants.migrate({ signal: stop.signal, concurrency: 1 });

      expect([schemaNamesOf(result.migrated), result.failed, result.notBegun]).to.deep.equal([['t1'], [], ['t2', 't3', 't4', 't5']]);
      expect(await migrated()).to.deep.equal(['t1']);
      expect(schemaNamesOf((await set.tenants.migrate()).migrated)).to.deep.equal(['t2', 't3', 't4', 't5']);
    });
  }

  it('M6 a listener that throws does not end the run, and what it threw comes when all is done', async () => {
    const told: string[] = [];
    let wasPlanned = false;
    const run = set.tenants.migrate({
      concurrency: 2,
      onPlan: () => {
        wasPlanned = true;
        throw new Error('of the plan');
      },
      onProgress: ({ schemaName }) => {
        told.push(schemaName);
        throw new Error('of a tenant');
      },
    });
    const error = await failureOf(run);

    expect(error).to.be.instanceOf(Error).with.property('message', 'of the plan');
    expect([wasPlanned, told.toSorted()]).to.deep.equal([true, NAMES]);
    expect(await migrated()).to.deep.equal(NAMES);
  });

  it('M3 refuses numbers it cannot go by before anything runs', async () => {
    const wrong = [
      ...[0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY].flatMap(n => [{ concurrency: n }, { maxFailures: n }, { canary: n }]),
      ...[-1, 1.5, Number.NaN, 2 ** 31].flatMap(n => [
        { lockTimeoutMs: n },
        { busyTimeoutMs: n },
        { statementTimeoutMs: n },
        { retries: n },
      ]),
    ];

    for (const options of wrong) {
      const error = await failureOf(set.tenants.migrate(options));
      expect(error, JSON.stringify(options)).to.be.instanceOf(RunUsageError);
      expect(String(error))
        .to.contain(Object.keys(options)[0])
        .and.contain(String(Object.values(options)[0]));
    }

    expect(await migrated()).to.deep.equal([]);
  });

  async function breakTenants(...schemaNames: readonly string[]): Promise<void> {
    for (const schemaName of schemaNames) {
      await database.query(`drop table ${schemaName}.tag`);
    }
  }

  function migrated(): Promise<string[]> {
    return schemasWith(database, 'tag', 'colour');
  }
});
