import { captureTenant, resumeTenant, runInTenant, tenants, type CapturedWork, type TenantEntityManager } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Logger, makeWorkerUtils, run, type Runner, type WorkerUtils } from 'graphile-worker';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fromKysely, PgBoss } from 'pg-boss';
import { Book, type Client } from '../../docs/examples/bookshop/entities.ts';
import * as graphile from '../../docs/examples/jobs/graphile-worker.ts';
import * as pgBoss from '../../docs/examples/jobs/pg-boss.ts';
import { failureOf } from '../support/assertions/failure.ts';
import { asObserver } from '../support/assertions/statement-watch.ts';
import { until } from '../support/assertions/until.ts';
import { onDatabases } from '../support/databases/database.ts';
import { effort } from '../support/generators/effort.ts';
import { createShop, openBookshop } from '../support/orm/bookshop.ts';
import { ROOT } from '../support/orm/library-orm.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';

const TENANTS = 20;
const JOBS = effort(200, 1_000);

onDatabases(
  'queues on PostgreSQL',
  database => {
    let orm: SpecOrm;
    const names = Array.from({ length: TENANTS }, (_, index) => `shop_${index}`);

    before(async () => {
      orm = await openBookshop(database, { reservedSchemaNames: ['pgboss', 'graphile_worker'] }, { pool: { max: 8 } });

      for (const name of names) {
        await createShop(name);
      }
    });

    describe('pg-boss', () => {
      let boss: PgBoss;
      // the statements of pg-boss are its own, with values in them
      const addBook = (em: TenantEntityManager, title: string): Promise<void> => asObserver(() => pgBoss.addBook(em, boss, title));

      before(async () => {
        boss = await pgBoss.openQueue(database.url!);
      });

      after(() => boss.stop({ graceful: false, close: true }));

      it('J2 a job that is queued in a transaction of a tenant is rolled back with it, and committed with it', async () => {
        await runInTenant('shop_0', async em => {
          await addBook(em, 'kept');
          await failureOf(
            em.transactional(async tx => {
              await addBook(tx, 'undone');
              expect(await countJobs('announce')).to.equal(1);
              throw new Error('rolled back');
            }),
          );
          expect(await em.count(Book, { title: 'undone' })).to.equal(0);
        });
        expect(await countJobs('announce')).to.equal(1);
        // the tenant's own path and role stayed on no connection
        expect(
          await database.query(`select count(*)::int as count from pgboss.job where data->'tenant'->>'schema' = 'shop_0'`),
        ).to.deep.equal([{ count: 1 }]);
      });

      it('J1 J2 each job runs in its tenant: after retries, after a rename, and never for one that was deleted', async () => {
        const announced: string[] = [];
        const attempts = new Map<string, number>();
        await runInTenant('shop_1', em => addBook(em, 'of shop_1'));
        const moved = await createShop('moved');
        const deleted = await createShop('deleted');
        await runInTenant(moved, em => addBook(em, 'of moved'));
        await runInTenant(deleted, em => addBook(em, 'of deleted'));
        await tenants(orm).rename('moved', 'moved_on');
        await tenants(orm).drop('deleted');
        await createShop('deleted');

        await pgBoss.workOn(boss, async title => {
          const attempt = (attempts.get(title) ?? 0) + 1;
          attempts.set(title, attempt);

          if (title === 'of shop_1' && attempt === 1) {
            throw new Error('the first attempt');
          }

          announced.push(
            `${title} in ${(await orm.em.findOneOrFail(Book, { title })).title} of ${(captureTenant() as { schema: string }).schema}`,
          );
        });
        await until('all are done', async () => (await countJobs('announce', `state in ('created', 'active', 'retry')`)) === 0);
        await boss.offWork('announce');

        expect(announced.toSorted()).to.deep.equal([
          'kept in kept of shop_0',
          'of moved in of moved of moved_on',
          'of shop_1 in of shop_1 of shop_1',
        ]);
        expect(attempts.get('of shop_1')).to.equal(2);
        const failed = await database.query<{ state: string; retry_count: number; output: { message: string } }>(
          `select state::text, retry_count, output from pgboss.job where name = 'announce' and state not in ('completed')`,
        );
        expect(failed).to.have.length(1);
        expect(failed[0]).to.deep.include({ state: 'failed', retry_count: 0 });
        expect(failed[0]?.output.message).to.include('was deleted');
      });

      it('J2 J6 the queue’s own schedule visits all tenants, a few at a time, and one failure is told and is not another’s', async () => {
        let [now, most] = [0, 0];
        const visited: string[] = [];
        const result = await pgBoss.cleanAll(async em => {
          [now, most] = [now + 1, Math.max(most, now + 1)];
          visited.push(em.schema!);
          await em.count(Book, {});
          now -= 1;

          if (em.schema === 'shop_7') {
            throw new Error('the disk is full');
          }
        });
        expect(result.failed).to.have.length(1);
        expect(result.failed[0]).to.include('shop_7').and.to.include('the disk is full');
        expect(most).to.equal(4);
        expect(visited).to.include.members(names);

        const cleaned: string[] = [];
        await pgBoss.scheduleCleaning(boss, async em => void cleaned.push(em.schema!));
        expect(await boss.getSchedules('clean')).to.have.length(1);
        await boss.send('clean');
        await until('all were visited', () => cleaned.length === visited.length);
        expect(cleaned.toSorted()).to.deep.equal(visited.toSorted());
        await boss.offWork('clean');
      });

      async function countJobs(name: string, condition = 'true'): Promise<number> {
        const [row] = await database.query<{ count: number }>(
          `select count(*)::int as count from pgboss.job where name = $1 and ${condition}`,
          [name],
        );

        return row!.count;
      }
    });

    describe('graphile-worker', () => {
      let utils: WorkerUtils;

      before(async () => {
        utils = await makeWorkerUtils({ connectionString: database.url!, logger: QUIET });
        await utils.migrate();
      });

      after(() => utils.release());

      it('J1 J2 rolls a job back with the transaction of the tenant, runs it in its tenant, and gives up the job of a deleted one', async () => {
        const announced: string[] = [];
        await runInTenant('shop_2', async em => {
          await graphile.addBook(em, 'for graphile');
          await failureOf(
            em.transactional(async tx => {
              await graphile.addBook(tx, 'undone');
              throw new Error('rolled back');
            }),
          );
        });
        const shop = await createShop('short');
        await runInTenant(shop, em => graphile.addBook(em, 'of short'));
        await tenants(orm).drop('short');
        expect(await countJobs()).to.equal(2);
        const runner = await graphile.startWorker(
          database.url!,
          async title => {
            announced.push(`${title} of ${orm.em.schema} ${(captureTenant() as { schema: string }).schema}`);
          },
          QUIET,
        );
        await until('all are done', async () => (await countJobs()) === 0);
        await runner.stop();

        expect(announced).to.deep.equal(['for graphile of shop_2 shop_2']);
      });

      it(`J1 J2 S12 ${JOBS} jobs of ${TENANTS} tenants among requests, retries and a worker that is killed: none in another tenant, none lost, none twice but for retries`, async () => {
        const before = await countBooks();
        const firstAttempts = new Set<number>();
        const runs: Runner[] = [];
        const stop = new AbortController();

        for (let index = 0; index < JOBS; index += 1) {
          await runInTenant(names[index % TENANTS]!, async () => {
            await utils.addJob('mark', { tenant: captureTenant(), index, schema: names[index % TENANTS] }, { maxAttempts: 25 });
          });
        }

        const requests = Promise.all(Array.from({ length: 4 }, (_, nr) => request(nr)));
        await killWorkerOnceItWorks();
        await utils.forceUnlockWorkers(
          (
            await database.query<{ id: string }>(
              'select distinct locked_by as id from graphile_worker._private_jobs where locked_by is not null',
            )
          ).map(({ id }) => id),
        );

        for (let nr = 0; nr < 2; nr += 1) {
          runs.push(
            await run({
              connectionString: database.url!,
              concurrency: 4,
              noHandleSignals: true,
              logger: QUIET,
              taskList: { mark: graphile.inTenant<MarkJob>(mark) },
            }),
          );
        }

        await until('all are done', async () => {
          // a retry would wait for seconds
          await database.query('update graphile_worker._private_jobs set run_at = now() where locked_by is null and run_at > now()');

          return (await countJobs()) === 0;
        });
        stop.abort();
        await requests;
        await Promise.all(runs.map(each => each.stop()));

        const marks = await Promise.all(
          names.map(async name =>
            runInTenant(name, async em => (await em.find(Book, { title: { $like: 'job %' } })).map(({ title }) => ({ name, title }))),
          ),
        );
        const all = marks.flat().map(({ name, title }) => ({ name, ...parse(title) }));
        expect(all.filter(({ name, schema }) => name !== schema)).to.deep.equal([]);
        expect(new Set(all.map(({ index }) => index)).size).to.equal(JOBS);
        const twice = Array.from({ length: JOBS }, (_, index) => all.filter(each => each.index === index)).filter(each => each.length > 1);
        // what the killed worker had committed and not yet told the queue
        expect(twice.length).to.be.at.most(4);
        expect(twice.every(each => new Set(each.map(({ worker }) => worker)).size === 2)).to.equal(true);
        expect(await countBooks()).to.equal(before);

        async function mark(em: TenantEntityManager, { index, schema }: MarkJob): Promise<void> {
          if (index % 7 === 0 && !firstAttempts.has(index)) {
            firstAttempts.add(index);
            await em.execute('select 1');
            throw new Error('the first attempt');
          }

          await orm.em.persist(orm.em.create(Book, { title: `job ${index} ${schema} survivor` })).flush();
        }

        async function request(nr: number): Promise<void> {
          for (let index = nr; !stop.signal.aborted; index += 1) {
            const name = names[index % TENANTS]!;
            await runInTenant(name, async em => {
              expect(
                (await em.find(Book, { title: { $like: 'job %' } })).filter(({ title }) => parse(title).schema !== name),
              ).to.deep.equal([]);
            });
          }
        }

        async function killWorkerOnceItWorks(): Promise<void> {
          const child: ChildProcess = fork(join(ROOT, 'spec/jobs/worker.mjs'), [database.url!], { stdio: 'inherit', execArgv: [] });
          await until('it has done some', async () => (await countJobs()) < JOBS - 20);
          child.kill('SIGKILL');
          await once(child, 'exit');
          expect(await countJobs()).to.be.above(0);
        }
      });

      async function countJobs(): Promise<number> {
        const [row] = await database.query<{ count: number }>('select count(*)::int as count from graphile_worker._private_jobs');

        return row!.count;
      }

      async function countBooks(): Promise<number> {
        const [row] = await database.query<{ count: number }>(
          `select sum((xpath('/row/count/text()', query_to_xml(format('select count(*) from %I.book where title not like ''job %%''', schema_name), false, true, '')))[1]::text::int)::int as count from client`,
        );

        return row!.count;
      }
    });

    it('J1 a job that was queued outside a tenant inherits none from the worker that a request has started', async () => {
      const boss = new PgBoss({ connectionString: database.url! });
      const seen: unknown[] = [];
      let client: Client | undefined;
      await runInTenant<void, Client>('shop_3', async (_em, tenant) => {
        client = tenant;
        await boss.start();
        await boss.createQueue('plain');
        await boss.work<{ readonly tenant: CapturedWork }>('plain', { pollingIntervalSeconds: 0.5 }, async ([job]) => {
          await resumeTenant(job!.data.tenant, (em, found) => seen.push([em.schema, found]));
          seen.push(await failureOf(resumeTenant(job!.data.tenant, em => em.find(Book, {}))));
        });
      });
      await asObserver(() => boss.send('plain', { tenant: captureTenant() }, { db: fromKysely(orm.em.fork().getKysely() as never) }));
      await until('it has run', () => seen.length === 2);
      await boss.stop({ graceful: false, close: true });

      expect(client?.schemaName).to.equal('shop_3');
      expect(seen[0]).to.deep.equal([undefined, undefined]);
      expect(seen[1]).to.include({ code: 'TENANT_CONTEXT_REQUIRED' });
    });
  },
  ['postgresql'],
);

/** graphile-worker writes a line for each job. */
const QUIET = new Logger(() => () => undefined);

function parse(title: string): { readonly index: number; readonly schema: string; readonly worker: string } {
  const [, index = '', schema = '', worker = ''] = title.split(' ');

  return { index: Number(index), schema, worker };
}

interface MarkJob {
  readonly tenant: CapturedWork;
  readonly index: number;
  readonly schema: string;
}
