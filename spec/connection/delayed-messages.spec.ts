import { runInTenant } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { CompiledQuery } from 'kysely';
import { TenantLimiter } from '../../dist/connection/pool/tenant-limiter.js';
import { Book, Library, Tag } from '../../fixtures/entities/index.ts';
import { until } from '../support/assertions/until.ts';
import { onDatabases } from '../support/databases/database.ts';
import { expectSound, poolOf } from '../support/databases/sound-pool.ts';
import { openRefusingProxy, type RefusingProxy } from '../support/faults/refusing-proxy.ts';
import { effort, turnsOf } from '../support/generators/effort.ts';
import { REPLAY } from '../support/generators/property.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

interface Abort {
  readonly signal?: AbortSignal;
  readonly inflightQueryAbortStrategy?: 'cancel query' | 'kill session';
}

/** Works in acme, of which each statement can be aborted. `n` is a new number each time. */
const WORKS: Readonly<Record<string, (orm: LibraryOrm, n: number, abort: Abort) => Promise<unknown>>> = {
  'a find': ({ em }, _, abort) => em.find(Book, {}, { populate: ['tags'], ...abort }),
  'raw SQL that reads': ({ em }, _, abort) => em.execute('select title from book', [], abort),
  'raw SQL that writes': ({ em }, n, abort) => em.execute(INSERT, [n, `tag ${n}`], abort),
  'an insert': ({ em }, n, abort) => em.insert(Tag, { id: n, name: `tag ${n}` }, abort),
  'raw SQL in a transaction': ({ em }, n, abort) =>
    em.transactional(async tx => {
      await tx.execute(INSERT, [n, `tag ${n}`], abort);
      await tx.execute('select title from book', [], abort);
    }),
  'a stream of raw SQL': async ({ em }, _, abort) => {
    for await (const row of em.getConnection().stream<{ title: string }>('select title from book', [], undefined, abort as object)) {
      expect(row.title).to.contain('acme');
    }
  },
  'a query of Kysely’s': ({ em }, n, abort) =>
    em.getKysely().executeQuery(CompiledQuery.raw('insert into tag (id, name) values ($1, $2)', [n, `tag ${n}`]), abort),
};

const INSERT = 'insert into tag (id, name) values (?, ?)';

/** What is done to the work while a message of it is under way. The server is told on a connection of its own. */
const ABORTS = ['nothing', 'ignore query', 'cancel query', 'kill session'] as const;

const SEED = REPLAY.seed ?? Math.floor(Date.now() / 1_000);

for (const max of [1, 2]) {
  onDatabases(
    `a message that takes its time, while another tenant works on a pool of ${max} (FC_SEED=${SEED})`,
    database => {
      let orm: LibraryOrm;
      let proxy: RefusingProxy;
      let acme: Library;
      let bob: Library;
      let n = 1_000;

      before(async () => {
        proxy = await openRefusingProxy(database.url ?? '');
        database.atEnd(() => proxy.close());
        orm = await openTwins(
          database,
          { pool: { min: 0, max }, clientUrl: proxy.url, driverOptions: { connectionTimeoutMillis: 5_000 } },
          { directory: { listen: false }, limits: { concurrency: 1, queue: 10, timeoutMs: 5_000 } },
        );
        [acme, bob] = (await orm.em.fork().find(Library, {}, { orderBy: { schemaName: 'asc' } })) as [Library, Library];
      });

      for (const [place, [name, work]] of Object.entries(WORKS).entries()) {
        for (const strategy of turnsOf(ABORTS, SEED + place, effort(2, ABORTS.length))) {
          it(`N3, N4, P3, G4 ${name}, which is met by: ${strategy}. The other tenant has its own rows, and nothing is left`, async () => {
            for (let at = 1; ; at += 1) {
              if (!(await meet(work, { strategy, at }))) {
                return;
              }
            }
          });
        }
      }

      /** False where it has sent fewer messages. */
      async function meet(
        work: (orm: LibraryOrm, n: number, abort: Abort) => Promise<unknown>,
        { strategy, at }: { readonly strategy: (typeof ABORTS)[number]; readonly at: number },
      ): Promise<boolean> {
        n += 1;
        const controller = new AbortController();
        const pool = await poolOf(orm);
        let other: Promise<unknown> | undefined;
        let seen = 0;
        proxy.decide = async () => {
          seen += other === undefined ? 1 : 0;

          if (seen !== at || other !== undefined) {
            return undefined;
          }

          other = workOfBob();
          await (max === 1 ? until('it waits', () => pool.waitingCount > 0) : other);
          controller.abort();

          return undefined;
        };
        const abort: Abort =
          strategy === 'nothing'
            ? {}
            : { signal: controller.signal, ...(strategy === 'ignore query' ? {} : { inflightQueryAbortStrategy: strategy }) };
        const error = await runInTenant(acme, () => work(orm, n, abort)).then(
          () => undefined,
          (failure: Error) => failure,
        );
        await other;
        proxy.decide = undefined;
        const label = `at message ${at}: ${error?.message}`;

        // what ends a session may be told by the session
        expect(
          error === undefined || /aborted|terminating connection|canceling statement|lost|not queryable/i.test(error.message),
          label,
        ).to.equal(true);
        expect(strategy === 'nothing' ? error : undefined, label).to.equal(undefined);
        await expectSound(orm, database);
        await until('each place is given back', () => TenantLimiter.of(orm.config).stats.used === 0);
        expect(
          await database.query('select name from bob.tag where id = $1 union all select name from public.tag where id = $1', [n]),
        ).to.deep.equal([]);

        return seen >= at;
      }

      async function workOfBob(): Promise<void> {
        await runInTenant(bob, async em => {
          expect(await em.execute('select title from book where id = 1')).to.deep.equal([{ title: 'bob book 1' }]);
          expect((await em.findOneOrFail(Book, 1)).title).to.equal('bob book 1');
        });
      }
    },
    ['postgresql'],
  );
}
