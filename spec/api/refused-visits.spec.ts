import {
  captureTenant,
  forEachTenant,
  resumeTenant,
  runInTenant,
  TenantJobError,
  type CapturedWork,
  type TenantEntityManager,
} from '@landlord/mikro-orm';
import { expect } from 'chai';
import { inspect } from 'node:util';
import { Tag } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/databases/database.ts';
import { expectSound } from '../support/databases/sound-pool.ts';
import { openRefusingProxy, type RefusingProxy } from '../support/faults/refusing-proxy.ts';
import { LOSSES, SQLSTATES } from '../support/faults/trials.ts';
import { effort } from '../support/generators/effort.ts';
import { REPLAY } from '../support/generators/property.ts';
import { randomNumbers, randomPick } from '../support/generators/random.ts';
import { newLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

const SEED = REPLAY.seed ?? Date.now() % 0x7fffffff;
const TRIALS = effort(12, 150);

/** How a visit writes its row. */
const WRITES: Readonly<Record<string, (em: TenantEntityManager, n: number) => Promise<unknown>>> = {
  'a flush': (em, n) => em.persistAndFlush(em.create(Tag, { id: n, name: `t${n}` })),
  'a transaction': (em, n) =>
    em.transactional(async tx => {
      await tx.findOneOrFail(Tag, 1);
      await tx.insert(Tag, { id: n, name: `t${n}` });
    }),
  'raw SQL': (em, n) => em.execute('insert into tag (id, name) values (?, ?)', [n, `t${n}`]),
};

onDatabases(
  `visits and jobs of which a message is refused or lost (FC_SEED=${SEED})`,
  database => {
    const random = randomNumbers(SEED);
    const pick = randomPick(random);
    const names = ['acme', 'bob', 'carl', 'dora'];
    let orm: LibraryOrm;
    let proxy: RefusingProxy;
    let n = 1_000;

    before(async () => {
      proxy = await openRefusingProxy(database.url ?? '');
      database.atEnd(() => proxy.close());
      orm = await openTwins(
        database,
        { pool: { min: 0, max: 3 }, clientUrl: proxy.url, driverOptions: { connectionTimeoutMillis: 5_000 } },
        { directory: { listen: false } },
      );
      await orm.em.fork().persistAndFlush(['carl', 'dora'].map(name => newLibrary(name)));
      await database.query(`insert into carl.tag (id, name) values (1, 'x'); insert into dora.tag (id, name) values (1, 'x')`);
    });

    it('S7 S14 each tenant is told as done or as failed, once, as it is, and the failure of one is not another’s', async function () {
      this.timeout(effort(180_000, 600_000));

      for (let trial = 0; trial < TRIALS; trial += 1) {
        n += 1;
        const [way, write] = pick(Object.entries(WRITES));
        const { label, kind, outcome } = await withFault(way, 20, () =>
          forEachTenant(em => write(em, n), { orm, settle: true, concurrency: pick([1, 2]) }),
        );
        const stored = await storedIn();

        if ('error' in outcome) {
          // before any was visited
          expect([...stored.values()], label()).to.not.include(1);
        } else {
          expect(
            outcome.answer.map(({ schemaName }) => schemaName),
            label(),
          ).to.deep.equal(names);
          const failed = outcome.answer.filter(({ ok }) => !ok);
          expect(failed.length, label()).to.be.at.most(1);

          for (const visit of outcome.answer) {
            const told = visit.ok ? [1] : LOSSES.includes(kind) ? [0, 1] : [0];
            expect(stored.get(visit.schemaName), `${visit.schemaName}: ${label()} ${inspect(visit, { depth: 4 })}`).to.be.oneOf(told);
          }
        }

        await expectSound(orm, database);
      }
    });

    it('J1 N4 a job whose tenant cannot be looked up is not told as one of a tenant that is gone', async function () {
      this.timeout(effort(180_000, 600_000));
      const captured: CapturedWork = await runInTenant('acme', () => captureTenant(), { orm });

      for (let trial = 0; trial < TRIALS; trial += 1) {
        n += 1;
        const { label, kind, outcome } = await withFault('a job', 6, () =>
          resumeTenant(captured, em => WRITES['a flush']?.(em, n), { orm }),
        );
        const stored = (await storedIn()).get('acme');

        if ('error' in outcome) {
          // what the server says of a value may be about the key
          const mayBeOfKey = kind.startsWith('22');
          expect(outcome.error instanceof TenantJobError && !mayBeOfKey, `${label()} ${inspect(outcome.error)}`).to.equal(false);
          expect(stored, label()).to.be.oneOf(LOSSES.includes(kind) ? [0, 1] : [0]);
        } else {
          expect(stored, label()).to.equal(1);
        }

        await expectSound(orm, database);
      }
    });

    /** Has one of the first messages refused or lost. */
    async function withFault<Result>(
      way: string,
      most: number,
      work: () => Promise<Result>,
    ): Promise<{ label: () => string; kind: string; outcome: { readonly answer: Result } | { readonly error: unknown } }> {
      const kind = pick([...SQLSTATES, ...LOSSES, ...LOSSES, ...LOSSES]);
      const at = 1 + Math.floor(random() * most);
      let seen = 0;
      let what = 'nothing';
      proxy.decide = ({ statements }) => {
        seen += 1;

        if (seen !== at) {
          return undefined;
        }

        what = statements.join('; ').slice(0, 200);

        return LOSSES.includes(kind) ? (kind as 'lost before') : { place: 0, sqlState: kind };
      };
      const outcome = await work().then(
        answer => ({ answer }),
        (error: unknown) => ({ error }),
      );
      proxy.decide = undefined;

      return { label: () => `${way}: ${kind} at message ${at}, ${what} (FC_SEED=${SEED})`, kind, outcome };
    }

    async function storedIn(): Promise<Map<string, number>> {
      const stored = new Map<string, number>();

      for (const name of names) {
        const [row] = await database.query<{ count: number }>(`select count(*)::int as count from ${name}.tag where id = $1`, [n]);
        stored.set(name, row?.count ?? 0);
      }

      return stored;
    }
  },
  ['postgresql'],
);
