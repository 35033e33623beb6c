import { RequestContext } from '@mikro-orm/core';
import { expect } from 'chai';
import { inspect } from 'node:util';
import { setTimeout as pause } from 'node:timers/promises';
import { TenantLimiter } from '../../dist/connection/pool/tenant-limiter.js';
import { TransferError, type TenantFailure } from '@landlord/mikro-orm';
import { Library } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/databases/database.ts';
import { expectSound, keptBySession } from '../support/databases/sound-pool.ts';
import { openRefusing } from '../support/faults/refusing-pglite.ts';
import type { RefusingProxy } from '../support/faults/refusing-proxy.ts';
import { effort, turnsOf } from '../support/generators/effort.ts';
import { REPLAY } from '../support/generators/property.ts';
import { randomNumbers, randomPick } from '../support/generators/random.ts';
import { REFUSED_OPERATIONS, stateOf, type RefusedOperation } from '../support/models/refused-operations.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins, removeMade } from '../support/orm/twins.ts';

const SEED = REPLAY.seed ?? Date.now() % 0x7fffffff;
/** At how many messages each operation is aborted. */
const PLACES = effort(2, Infinity);

onDatabases(
  `a request that is aborted, by the signal of its EntityManager (FC_SEED=${SEED})`,
  database => {
    const random = randomNumbers(SEED);
    const failures: TenantFailure[] = [];
    let orm: LibraryOrm;
    let proxy: RefusingProxy;
    let acme: Library;
    let bob: Library;
    let n = 1_000;

    before(async () => {
      const refusing = await openRefusing(database);
      proxy = refusing.proxy;
      orm = await openTwins(
        database,
        { pool: { min: 0, max: 2 }, ...refusing.config },
        {
          directory: { listen: false },
          limits: { concurrency: 1, queue: 10, timeoutMs: 5_000 },
          hooks: { onError: failure => failures.push(failure) },
        },
      );
      [acme, bob] = (await orm.em.fork().find(Library, {}, { orderBy: { schemaName: 'asc' } })) as [Library, Library];
    });

    afterEach(() => removeMade(database));

    for (const [name, operation] of turnsOf(Object.entries(REFUSED_OPERATIONS), SEED, 12)) {
      it(`N3 N4 G4 L6 ${name} ends as aborted or is done, whole or not at all, and takes nothing along`, async function () {
        this.timeout(effort(180_000, 600_000));
        const { messages, state: after } = await runOnce(operation);
        const places = Array.from({ length: messages + 1 }, (_, index) => index);

        for (const at of places.length <= PLACES ? places : Array.from({ length: PLACES }, () => randomPick(random)(places))) {
          await abortAt(operation, at, { after, messages });
        }
      });
    }

    async function runOnce(operation: RefusedOperation): Promise<{ messages: number; state: string }> {
      n += 1;
      const of = { orm, acme, bob, n };
      await operation.prepare?.(of);
      let messages = 0;
      proxy.decide = () => {
        messages += 1;

        return undefined;
      };
      await operation.run(of);
      proxy.decide = undefined;
      const state = await stateOf(database, n);
      await removeMade(database);

      return { messages, state };
    }

    /** `at` 0 is before the first message. */
    async function abortAt(operation: RefusedOperation, at: number, { after, messages }: Whole): Promise<void> {
      n += 1;
      const of = { orm, acme, bob, n };
      await operation.prepare?.(of);
      const before = await stateOf(database, n);
      const controller = new AbortController();
      const strategy = randomPick(random)([undefined, 'cancel query', 'kill session', 'ignore query'] as const);
      const heldMs = randomPick(random)([0, 0, 5, 20]);
      let seen = 0;
      let label = `${strategy}, before (FC_SEED=${SEED})`;
      failures.length = 0;
      proxy.decide = async ({ statements }) => {
        seen += 1;

        if (seen === at) {
          label = `${strategy}, at message ${at}, held for ${heldMs} ms: ${statements.join('; ').slice(0, 300)} (FC_SEED=${SEED})`;
          controller.abort();
          await pause(heldMs);
        }

        return undefined;
      };
      let outcome: { readonly answer: unknown } | { readonly error: unknown };

      if (at === 0) {
        controller.abort();
      }

      try {
        const em = orm.em.fork({ signal: controller.signal, ...(strategy === undefined ? {} : { inflightQueryAbortStrategy: strategy }) });
        outcome = { answer: await RequestContext.create(em, () => operation.run(of)) };
      } catch (error) {
        outcome = { error };
      }

      proxy.decide = undefined;
      await expectSound(orm, database);
      const state = await stateOf(database, n);

      if ('answer' in outcome) {
        expect(state, label).to.equal(after);
        expect(
          failures.map(({ operation: failed }) => failed),
          label,
        ).to.deep.equal([]);
      } else {
        expect(inspect(outcome.error, { depth: 10 }), label).to.match(/abort/i);

        if (operation.hasParts !== true) {
          // the last message may be what commits, and an import says that it is stored
          const mayBeDone = at === messages || outcome.error instanceof TransferError;
          expect(state, `${label}: ${inspect(outcome.error)}`).to.be.oneOf(mayBeDone ? [before, after] : [before]);
        }

        // what has failed is not there
        expect(failures.length === 0 || state === before, label).to.equal(true);
      }

      expect(TenantLimiter.of(orm.config).stats, label).to.include({ used: 0, waiting: 0 });
      expect(await keptBySession(orm, database), label).to.deep.equal({ locks: 0, settings: null, temporary: 0 });

      if ('error' in outcome && operation.hasParts !== true && (state !== after || state === before)) {
        await operation.run(of);
        expect(await stateOf(database, n), `the second time, after ${label}`).to.equal(after);
      }

      await removeMade(database);
    }
  },
  ['postgresql'],
);

interface Whole {
  readonly after: string;
  /** How many it sends. */
  readonly messages: number;
}
