import { TenantError, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { inspect } from 'node:util';
import { until } from '../support/assertions/until.ts';
import { onDatabases } from '../support/databases/database.ts';
import { expectSound } from '../support/databases/sound-pool.ts';
import { openRefusingProxy, type RefusingProxy } from '../support/faults/refusing-proxy.ts';
import { effort, turnsOf } from '../support/generators/effort.ts';
import { REPLAY } from '../support/generators/property.ts';
import { randomNumbers } from '../support/generators/random.ts';
import { LIVES, type PairSubject } from '../support/models/life-pairs.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openBeside } from '../support/orm/open-orm.ts';
import { openTwins, TABLES } from '../support/orm/twins.ts';

const SEED = REPLAY.seed ?? Date.now() % 0x7fffffff;
/** At how many messages of the first the second one begins. */
const PLACES = effort(1, 8);

onDatabases(
  `two things that are done to one tenant at once (FC_SEED=${SEED})`,
  database => {
    const random = randomNumbers(SEED);
    let orm: LibraryOrm;
    let other: LibraryOrm;
    let proxy: RefusingProxy;
    let n = 1_000;

    before(async () => {
      proxy = await openRefusingProxy(database.url ?? '');
      database.atEnd(() => proxy.close());
      orm = await openTwins(database, { clientUrl: proxy.url, pool: { min: 0, max: 4 } }, { directory: { listen: false } });
      other = await openBeside(database, orm, { clientUrl: database.url ?? '' });

      for (const table of TABLES) {
        await database.query(`alter table public.${table} add column library_id int`);
      }
    });

    for (const [life, { prepare, steps }] of turnsOf(Object.entries(LIVES), SEED, 1)) {
      const names = Object.keys(steps);
      const pairs = names.flatMap((first, index) => names.slice(index).map(second => [first, second] as const));

      it(`T10 L6 ${life}: each is done or refused as if one had come after the other`, async function () {
        this.timeout(effort(180_000, 1_800_000));

        const failures: unknown[] = [];

        for (const [first, second] of turnsOf(pairs, SEED, 1)) {
          await tryPair(first, second).catch((error: unknown) => failures.push(error));
          await (first === second ? undefined : tryPair(second, first).catch((error: unknown) => failures.push(error)));
        }

        if (failures.length > 0) {
          throw new AggregateError(failures, inspect(failures, { depth: 3 }));
        }
      });

      async function tryPair(first: string, second: string): Promise<void> {
        const serial = [await inTurn(first, second), await inTurn(second, first).then(({ a, b, state }) => ({ a: b, b: a, state }))];
        const alone = { a: await inTurn(first), b: await inTurn(second) };
        const { messages } = alone.a;

        for (let trial = 0; trial < Math.min(PLACES, messages); trial += 1) {
          const at = PLACES >= messages ? trial + 1 : 1 + Math.floor(random() * messages);
          const isOther = random() < 0.5;
          const label = `${life}: ${first}, and at its message ${at} ${second}${isOther ? ' by another process' : ''} (FC_SEED=${SEED})`;
          const { a, b, state } = await atOnce(first, second, { at, isOther });
          const accepted = [
            ...serial,
            ...(b === 'done' ? [] : [{ a: alone.a.a, b, state: alone.a.state }]),
            ...(a === 'done' ? [] : [{ a, b: alone.b.a, state: alone.b.state }]),
          ];
          expect(
            accepted.map(each => JSON.stringify([each.a, each.b, each.state])),
            label,
          ).to.include(JSON.stringify([a, b, state]));
        }
      }

      async function inTurn(first: string, second?: string): Promise<Outcome> {
        const of = await prepared();
        let messages = 0;
        proxy.decide = () => {
          messages += 1;

          return undefined;
        };
        const a = await told(steps[first]?.(of), first);
        proxy.decide = undefined;
        const b = second === undefined ? '' : await told(steps[second]?.(of), second);

        return { a, b, messages, ...(await ended(of)) };
      }

      async function atOnce(first: string, second: string, { at, isOther }: { at: number; isOther: boolean }): Promise<Outcome> {
        const of = await prepared();
        let b: Promise<string> | undefined;
        let seen = 0;
        proxy.decide = async () => {
          seen += b === undefined ? 1 : 0;

          if (seen === at && b === undefined) {
            let isOver = false;
            b = told(steps[second]?.({ ...of, orm: isOther ? other : orm }), second).finally(() => {
              isOver = true;
            });
            await until('it is over, or waits', async () => isOver || (await isWaiting()));
          }

          return undefined;
        };
        const a = await told(steps[first]?.(of), first);
        const second_ = await b;
        proxy.decide = undefined;

        return { a, b: second_ ?? '', messages: seen, ...(await ended(of)) };
      }

      async function prepared(): Promise<PairSubject> {
        n += 10;
        const of = { orm, database, n };
        await prepare(of);

        return of;
      }
    }

    async function told(work: Promise<unknown> | undefined, name: string): Promise<string> {
      try {
        const answer = await work;

        return typeof answer === 'string' ? answer : 'done';
      } catch (error) {
        if (error instanceof TenantError) {
          return error.code;
        }

        throw new Error(name, { cause: error });
      }
    }

    async function isWaiting(): Promise<boolean> {
      return (
        (
          await database.query(
            `select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and wait_event_type = 'Lock'`,
          )
        ).length > 0
      );
    }

    /** What there is now. It fits together, and is gone afterwards. */
    async function ended(of: PairSubject): Promise<{ readonly state: string }> {
      const [row] = await database.query(STATE, [of.n]);
      const { findings } = await tenants(orm).doctor({ deep: true });
      await expectSound(orm, database);
      const state = JSON.stringify({ ...row, findings: findings.map(({ kind, schemaName }) => `${kind} ${schemaName ?? ''}`) })
        .replaceAll(String(of.n), 'N')
        .replaceAll(/landlord_deleted_\w+/g, 'DELETED')
        .replaceAll(/\beyJ\w+/g, 'DATA');
      const names = await database.query<{ name: string }>(
        `select nspname::text as name from pg_namespace where nspname ~ '^[a-z][0-9]+$' or nspname ~ '^landlord_'`,
      );

      for (const { name } of names) {
        await database.query(`drop schema "${name}" cascade`);
      }

      await database.query(`delete from public.library where name ~ '^[a-z][0-9]+$'`);

      return { state };
    }
  },
  ['postgresql'],
);

const STATE = `select
  (select json_agg(json_build_array(schema_name, domain_url, name) order by name) from public.library where name ~ ('^[a-z]' || $1::text || '$')) as rows,
  (select json_agg(json_build_array(nspname, obj_description(oid, 'pg_namespace'), (select count(*) from pg_class where relnamespace = n.oid)) order by nspname)
    from pg_namespace n where nspname ~ '^[a-z][0-9]+$' or nspname ~ '^landlord_') as schemas,
  (select count(*)::int from acme.tag) as acme, (select count(*)::int from bob.tag) as bob`;

interface Outcome {
  readonly a: string;
  readonly b: string;
  readonly state: string;
  readonly messages: number;
}
