import { expect } from 'chai';
import { inspect } from 'node:util';
import { CompiledQuery } from 'kysely';
import { tenants, TransferError } from '@landlord/mikro-orm';
import { TenantLimiter } from '../../dist/connection/pool/tenant-limiter.js';
import { Library } from '../../fixtures/entities/index.ts';
import { failureOf, sqlStateOf } from '../support/assertions/failure.ts';
import { asObserver } from '../support/assertions/statement-watch.ts';
import { onDatabases, SERVER_AND_POOLER } from '../support/databases/database.ts';
import { expectSound, keptBySession } from '../support/databases/sound-pool.ts';
import { openRefusingProxy, type RefusingProxy } from '../support/faults/refusing-proxy.ts';
import { SQLSTATES } from '../support/faults/trials.ts';
import { effort, turnsOf } from '../support/generators/effort.ts';
import { REPLAY } from '../support/generators/property.ts';
import { randomNumbers, randomPick } from '../support/generators/random.ts';
import { REFUSED_OPERATIONS, stateOf, type RefusedOperation } from '../support/models/refused-operations.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { rolesOf } from '../support/orm/roles.ts';
import { openTwins, removeMade } from '../support/orm/twins.ts';

const SEED = REPLAY.seed ?? Date.now() % 0x7fffffff;
/** At how many places each operation is refused. */
const PLACES = effort(2, Infinity);
/** What may say that a role could not be set: the statement is then sent once more, without it in its message. */
const OF_ROLES = ['42501', '22023', '42704'];

for (const hasRoles of [false, true]) {
  onDatabases(
    `a message that the server refuses, on a pool of one${hasRoles ? ', with roles' : ''} (FC_SEED=${SEED})`,
    database => {
      const roles = rolesOf(database, 'refused');
      const random = randomNumbers(SEED + (hasRoles ? 1 : 0));
      let orm: LibraryOrm;
      let proxy: RefusingProxy;
      let acme: Library;
      let bob: Library;
      let n = 1_000;

      before(async () => {
        proxy = await openRefusingProxy(database.url ?? '');
        database.atEnd(() => proxy.close());
        await (hasRoles ? roles.create() : undefined);
        orm = await openTwins(
          database,
          // what is not given back makes the next one fail
          { pool: { min: 0, max: 1 }, clientUrl: proxy.url, driverOptions: { connectionTimeoutMillis: 5_000 } },
          {
            directory: { listen: false },
            limits: { concurrency: 1, queue: 10, timeoutMs: 5_000 },
            ...(hasRoles ? { roles: { prefix: roles.prefix, shared: roles.shared } } : {}),
          },
        );
        await (hasRoles
          ? database.query(`grant select, insert, update, delete on all tables in schema public to "${roles.shared}"`)
          : undefined);
        [acme, bob] = (await orm.em.fork().find(Library, {}, { orderBy: { schemaName: 'asc' } })) as [Library, Library];
      });

      after(async () => {
        await orm.close();
        await (hasRoles ? roles.drop() : undefined);
      });

      for (const [name, operation] of Object.entries(REFUSED_OPERATIONS)) {
        it(`N3, N4, P3, L6 ${name} fails with the server's error or is done, whole or not at all, and takes nothing along`, async function () {
          this.timeout(effort(180_000, 600_000));
          const { places, state: after, answer } = await runOnce(operation);
          const chosen = takeSome(places, random);

          for (const { at, place } of chosen) {
            const sqlState = randomPick(random)(SQLSTATES);
            await refuse(operation, { at, place, sqlState }, { after, answer });
          }
        });
      }

      for (const name of ['a stream of raw SQL', 'a stream that writes', 'a stream of raw SQL that writes']) {
        it(`N3 ${name} whose commit fails is rolled back before its connection is anybody else's`, async () => {
          n += 1;
          const before = await stateOf(database, n);
          proxy.decide = ({ statements }) => {
            const place = statements.findIndex(sql => sql.startsWith('select where pg_catalog.int4eq'));

            return place === -1 ? undefined : { place, sqlState: '57014' };
          };
          const error = await failureOf(REFUSED_OPERATIONS[name]?.run({ orm, acme, bob, n }) ?? (() => undefined));
          proxy.decide = undefined;

          expect(sqlStateOf(error)).to.equal('57014');
          expect(await stateOf(database, n)).to.equal(before);
          await expectSound(orm, database);
        });
      }

      it('N6 a connection that is given back with a transaction open on it is closed', async () => {
        const pidNow = async (): Promise<unknown> => orm.em.fork().execute('select pg_backend_pid() as pid');
        const pid = await pidNow();
        await orm.em
          .getKysely()
          .connection()
          .execute(db => db.executeQuery(CompiledQuery.raw('begin')));

        expect(await pidNow()).to.not.deep.equal(pid);
        await expectSound(orm, database);
      });

      it('L3 a tenant that is restored is told as restored, whatever the server refuses afterwards', async () => {
        n += 1;
        await REFUSED_OPERATIONS['restoring a tenant']?.prepare?.({ orm, acme, bob, n });
        let isCommitted = false;
        proxy.decide = ({ statements }) => {
          const refusal = isCommitted ? { place: 0, sqlState: '57014' } : undefined;
          isCommitted ||= statements.includes('commit');

          return refusal;
        };
        const restored = await tenants(orm).restore(`t${n}`);
        proxy.decide = undefined;

        expect(restored).to.include({ schemaName: `t${n}`, domainUrl: `t${n}.example.com` });
        await removeMade(database);
      });

      /** Runs it with nothing refused, to see what it sends. */
      async function runOnce(operation: RefusedOperation): Promise<{ places: Place[]; state: string; answer: string }> {
        n += 1;
        const of = { orm, acme, bob, n };
        await operation.prepare?.(of);
        const places: Place[] = [];
        let at = 0;
        proxy.decide = request => {
          at += 1;

          for (let place = 0; place < request.places; place += 1) {
            places.push({ at, place });
          }

          return undefined;
        };
        const answer = told(await operation.run(of));
        proxy.decide = undefined;
        const state = await stateOf(database, n);
        await removeMade(database);

        return { places, state, answer };
      }

      async function refuse(
        operation: RefusedOperation,
        { at, place, sqlState }: Place & { sqlState: string },
        whole: Whole,
      ): Promise<void> {
        n += 1;
        const of = { orm, acme, bob, n };
        await operation.prepare?.(of);
        const before = await stateOf(database, n);
        let seen = 0;
        let label = '';
        proxy.decide = ({ statements, places }) => {
          seen += 1;

          // a cache may have made it shorter
          if (seen !== at || place >= places) {
            return undefined;
          }

          label = `${sqlState} at ${statements[place] ?? 'the end'}, which is place ${place} of message ${at} (FC_SEED=${SEED})`;

          return { place, sqlState };
        };
        let outcome: { readonly answer: unknown } | { readonly error: unknown };

        try {
          outcome = { answer: await (OF_ROLES.includes(sqlState) ? asObserver(() => operation.run(of)) : operation.run(of)) };
        } catch (error) {
          outcome = { error };
        } finally {
          proxy.decide = undefined;
        }

        const state = await stateOf(database, n);

        if ('answer' in outcome) {
          expect({ state, answer: told(outcome.answer) }, label).to.deep.equal({ state: whole.after, answer: whole.answer });
        } else {
          const { error } = outcome;
          expect(inspect(error, { depth: 10 }), label).to.contain(sqlState);
          // the one that says that it is done
          const isSaid = error instanceof TransferError && error.code === 'IMPORT_NOT_MIGRATED';

          if (operation.hasParts !== true) {
            expect(state, `${label}: ${String(error)}`).to.equal(isSaid ? whole.after : before);
          }
        }

        await expectSound(orm, database);
        expect(TenantLimiter.of(orm.config).stats, label).to.include({ used: 0, waiting: 0 });
        expect(await keptBySession(orm, database), label).to.deep.equal({ locks: 0, settings: null, temporary: 0 });
        await removeMade(database);
      }
    },
    // one of them with roles, the other without, and the other way round the next time
    turnsOf(SERVER_AND_POOLER, SEED + (hasRoles ? 1 : 0), 1),
  );
}

interface Place {
  readonly at: number;
  readonly place: number;
}

interface Whole {
  readonly after: string;
  readonly answer: string;
}

function takeSome(places: readonly Place[], random: () => number): readonly Place[] {
  if (places.length <= PLACES) {
    return places;
  }

  return Array.from({ length: PLACES }, () => randomPick(random)(places));
}

/** An answer without what differs from one time to the next. */
function told(answer: unknown): string {
  return Buffer.isBuffer(answer) ? 'bytes' : inspect(answer, { depth: 5 }).replaceAll(/\d+(?:\.\d+)?/g, 'N');
}
