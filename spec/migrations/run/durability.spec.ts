import { setTimeout as sleep } from 'node:timers/promises';
import { RunUsageError, type MigrateOptions, type RunNotice, type RunResult } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { schemaNamesOf } from '../../support/assertions/run-result.ts';
import { failureOf } from '../../support/assertions/failure.ts';
import { schemasWith } from '../../support/databases/catalog.ts';
import type { SpecDatabase } from '../../support/databases/database.ts';
import { databaseOfServer } from '../../support/databases/database-of-server.ts';
import { startEmbeddedServer, type EmbeddedServer } from '../../support/databases/embedded-server.ts';
import { proxyTo } from '../../support/faults/breakable-proxy.ts';
import { migrationOf, openTenantSet, sqlMigration, type TenantSet } from '../../support/orm/tenant-set.ts';

const NAMES = Array.from({ length: 40 }, (_, n) => `t${String(n).padStart(2, '0')}`);
const QUEUED = sqlMigration(
  'M2',
  ['select pg_sleep(0.002)', 'alter table "tag" add column "colour" text'],
  'alter table "tag" drop "colour"',
);

describe('what a run has committed, and a server that crashes', () => {
  let server: EmbeddedServer;
  let database: SpecDatabase;
  let set: TenantSet;
  const opened: (() => unknown)[] = [];

  before(async () => {
    // its log is written to disk by nothing but commits that wait for it
    server = await startEmbeddedServer({ wal_writer_delay: '10s', wal_writer_flush_after: '1GB' });
    database = databaseOfServer(server.url, close => opened.unshift(close));
    set = await openTenantSet(database, { pool: { min: 0, max: 3 } });
    await set.create(...NAMES);
  });

  beforeEach(() => set.use(QUEUED));

  afterEach(async () => {
    await set.tenants.migrate({ direction: 'down', to: 'M1', skipPublicCheck: true });
  });

  after(async () => {
    for (const close of opened) {
      await close();
    }

    await server.remove();
  });

  it('P1, M37 all is there after a crash once the run has said that it is done', async () => {
    const result = await set.tenants.migrate();
    await server.crash();

    expect(result.unconfirmed).to.deep.equal([]);
    expect(schemaNamesOf(result.migrated)).to.deep.equal(NAMES);
    expect(await withColour()).to.deep.equal(NAMES);
  });

  it('P1, M37 the canary is there after a crash before any other tenant is begun', async () => {
    const before: Promise<unknown>[] = [];
    let done = 0;
    const notices: RunNotice[] = [];
    const result = await set.tenants.migrate({
      canary: 5,
      onNotice: notice => notices.push(notice),
      onProgress: () => {
        done += 1;

        // the first of the others
        if (done === 6) {
          before.push(server.crash());
        }
      },
    });
    await Promise.all(before);

    expectDone(result);
    expect(lostIn(notices).filter(name => NAMES.slice(0, 5).includes(name))).to.deep.equal([]);
  });

  for (const [kind, migration] of [
    ['that only queue SQL', QUEUED],
    [
      'that read',
      migrationOf(
        'M2',
        async each => {
          await each.execute('select pg_sleep(0.002)');
          each.addSql('alter table "tag" add column "colour" text');
        },
        { down: each => each.addSql('alter table "tag" drop "colour"') },
      ),
    ],
  ] as const) {
    it(`P1, M37 what a crash has lost is found, said and done again in the same run, with migrations ${kind}`, async () => {
      set.use(migration);
      const lost: string[] = [];

      // not each crash loses something
      for (let round = 0; round < 5 && lost.length === 0; round += 1) {
        const notices = await migrateOverCrashes([8, 25]);
        lost.push(...lostIn(notices));
        expect(await withColour()).to.deep.equal(NAMES);

        const back = await migrateOverCrashes([10], { direction: 'down' });
        lost.push(...lostIn(back));
        expect(await withColour()).to.deep.equal([]);
      }

      expect(lost).not.to.deep.equal([]);
    });
  }

  it('P1, M37 loses nothing with `tenant`, where each commit waits', async () => {
    const notices = await migrateOverCrashes([10, 25], { durability: 'tenant' });

    expect(lostIn(notices)).to.deep.equal([]);
    expect(await withColour()).to.deep.equal(NAMES);
  });

  it('P1, M37 names what it could not wait for, and the next run does what is lacking', async () => {
    const proxy = await proxyTo(database.options().clientUrl ?? '');
    const cut = await openTenantSet({ ...database, options: () => ({ ...database.options(), clientUrl: proxy.url }) }, {}, [QUEUED]);
    const result = await cut.tenants.migrate({ databaseTimeoutMs: 200, only: ['t30'], onProgress: () => void proxy.cut() });
    await cut.orm.close(true);
    await proxy.close();

    expect([result.unconfirmed, result.stopped?.reason]).to.deep.equal([['t30'], 'database']);
    expectDone(await set.tenants.migrate(), NAMES.length);
    expect(await withColour()).to.deep.equal(NAMES);
  });

  it('P1, M37 what is lost after an abort counts as not begun', async () => {
    const controller = new AbortController();
    let crashed: Promise<void> | undefined;
    const result = await set.tenants.migrate({
      signal: controller.signal,
      onProgress: () => {
        crashed ??= server.crash();
        controller.abort();
      },
    });
    await crashed;

    // those in progress are not tried again after an abort
    expect([...schemaNamesOf(result.migrated), ...schemaNamesOf(result.failed), ...result.notBegun].toSorted()).to.deep.equal(NAMES);
    const there = await withColour();
    expect(schemaNamesOf(result.migrated).filter(name => !there.includes(name) && !result.unconfirmed.includes(name))).to.deep.equal([]);
  });

  it('P1, M37 refuses another word', async () => {
    const error = await failureOf(set.tenants.migrate({ durability: 'never' as 'run' }));

    expect(error).to.be.instanceOf(RunUsageError);
    expect(String(error)).to.contain('durability');
  });

  /** Runs beside a server that crashes after so many tenants. No tenant fails for it. */
  async function migrateOverCrashes(after: readonly number[], options: MigrateOptions = {}): Promise<RunNotice[]> {
    const notices: RunNotice[] = [];
    const crashes: Promise<void>[] = [];
    let done = 0;
    const result = await set.tenants.migrate({
      ...options,
      onNotice: notice => notices.push(notice),
      onProgress: () => {
        done += 1;

        if (after.includes(done)) {
          crashes.push((crashes.at(-1) ?? Promise.resolve()).then(() => sleep(1)).then(() => server.crash()));
        }
      },
    });
    await Promise.all(crashes);
    expectDone(result);

    return notices;
  }

  function expectDone(result: RunResult, total = NAMES.length): void {
    expect([result.failed.map(({ error }) => String(error)), result.notBegun, result.unconfirmed, result.stopped]).to.deep.equal([
      [],
      [],
      [],
      undefined,
    ]);
    expect(result.migrated.length + result.upToDate).to.equal(total);
  }

  function withColour(): Promise<string[]> {
    return schemasWith(database, 'tag', 'colour');
  }
});

function lostIn(notices: readonly RunNotice[]): string[] {
  return notices.flatMap(notice => (notice.kind === 'lost' ? notice.schemaNames : []));
}
