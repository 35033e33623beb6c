import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import { effort } from '../support/generators/effort.ts';
import { REPLAY } from '../support/generators/property.ts';
import { randomNumbers, randomPick } from '../support/generators/random.ts';
import { PEER_ENTITIES, PEER_OPTIONS, PeerLife, type Seen } from '../support/models/peer-life.ts';
import { openOrm } from '../support/orm/open-orm.ts';
import { startAsked, type AskedProcess } from '../support/processes/asked-process.ts';

const STEPS = effort(60, 400);
const SEED = REPLAY.seed ?? Date.now() % 0x7fffffff;

/** How long a process may not know of a change: whose a host or a name is, and that a name is another schema's. */
const LISTENING = [
  { title: 'both listen', directory: {}, cutsListeners: false, hostMs: 1_000, nameMs: 1_000 },
  { title: 'both listen, and their connections are cut', directory: {}, cutsListeners: true, hostMs: 1_000, nameMs: 1_000 },
  {
    title: 'neither listens',
    directory: { listen: false, ttlMs: 500, unknownTtlMs: 500 },
    cutsListeners: false,
    hostMs: 1_000,
    nameMs: 100,
  },
] as const;

for (const { title, directory, cutsListeners, hostMs, nameMs } of LISTENING) {
  onDatabases(
    `two processes that live with the same tenants: ${title}`,
    database => {
      const random = randomNumbers(SEED);
      const pick = randomPick(random);
      const pool = { min: 0, max: 8 };
      let child: AskedProcess;
      let life: PeerLife;
      let asked: readonly ((work: string, ...args: string[]) => Promise<any>)[];

      before(async () => {
        // a transaction that is held open holds up changes, and ends only after them
        await database.query(`do $$ begin execute format('alter database %I set lock_timeout to 300', current_database()); end $$`);
        const orm = await openOrm(database, { ...PEER_OPTIONS, directory }, { entities: PEER_ENTITIES, pool });
        await orm.schema.create();
        life = new PeerLife(orm);
        child = await startAsked('peer-process.mjs', {
          DATABASE_URL: database.url ?? '',
          PGAPPNAME: 'spec child',
          PEER_OPTIONS: JSON.stringify({ directory, pool }),
        });
        asked = [(work, ...args) => life.call(work, args), (work, ...args) => child.ask('call', [work, ...args])];
      });

      after(async () => {
        await life.end();
        await child.close();
      });

      it(`S12 S13 H10 no tenant is served another's rows, and none gets what is written for another (FC_SEED=${SEED})`, async function () {
        this.timeout(effort(180_000, 1_800_000));
        const done: string[] = [];
        const moments: Moment[] = [{ from: 0, until: Date.now(), tenants: [] }];
        const held: Holding[] = [];
        const checks: (() => void)[] = [];
        let n = 0;
        let cutAt = 0;

        for (let step = 0; step < STEPS; step += 1) {
          try {
            await (random() < 0.5 ? takeOne() : takeTwo());
            // when it is known what was changed meanwhile
            checks.splice(0).forEach(each => each());
            expect(await misplaced()).to.deep.equal([]);
          } catch (error) {
            throw new Error(`FC_SEED=${SEED}, after:\n${done.slice(-40).join('\n')}`, { cause: error });
          }
        }

        async function takeOne(): Promise<void> {
          await pick([
            change,
            change,
            use,
            use,
            use,
            hold,
            useHeld,
            useHeld,
            ...(cutsListeners ? [cut] : []),
            ...(random() < 0.1 ? [settle] : []),
          ])();
        }

        async function takeTwo(): Promise<void> {
          await Promise.all([change(), pick([use, useHeld, use, hold])(), ...(random() < 0.3 ? [use()] : [])]);
        }

        async function change(): Promise<void> {
          const who = Number(random() < 0.5);
          const [work, ...args] = drawChange();
          const from = Date.now();
          const result = await asked[who]!(work, ...args);
          const now = await tenantsNow();
          const until = Date.now();
          done.push(`${who} ${work} ${args.join(' ')}: ${result}`);
          expect(result, done.at(-1)).to.match(/^(done|gone|LOST|55P03|[A-Z_]+)$/);

          moments.push({ from, until, tenants: now });
        }

        function drawChange(): [string, ...string[]] {
          n += 1;
          const work = pick(['create', 'create', 'create', ...Object.keys(CHANGES)]);

          return [
            work,
            ...(CHANGES[work] ?? ['name', 'host', 'new']).map(kind =>
              kind === 'name' ? pick(NAMES) : kind === 'host' ? pick(HOSTS) : `t${n}`,
            ),
          ];
        }

        async function use(): Promise<void> {
          const who = Number(random() < 0.5);
          const [work, key] = pick(USES);
          const arg = key === undefined ? [] : [pick(key === 'host' ? HOSTS : NAMES)];
          const answer: Seen | Seen[] = await asked[who]!(work, ...arg);
          done.push(`${who} ${work} ${arg.join(' ')}: ${JSON.stringify(answer)}`);

          for (const seen of [answer].flat()) {
            check(seen, key === undefined ? undefined : { key, value: arg[0] ?? '' });
          }
        }

        async function hold(): Promise<void> {
          const who = Number(random() < 0.5);
          const name = pick(NAMES);
          const kind = pick(['scope', 'scope', 'job', 'transaction']);
          n += 1;
          const id = `held ${n}`;
          const seen: Seen = await asked[who]!('hold', name, id, kind);
          done.push(`${who} hold ${name} as ${id}, a ${kind}: ${JSON.stringify(seen)}`);
          check(seen, { key: 'name', value: name });

          if (seen.tenant !== undefined) {
            held.push({ who, id, kind, tenant: seen.tenant, name, since: seen.begunAt });
          }

          if (held.length > 6) {
            await release(held.shift()!);
          }
        }

        async function release({ who, id }: Holding): Promise<void> {
          await asked[who]!('release', id);
          done.push(`${who} release ${id}`);
        }

        async function useHeld(): Promise<void> {
          if (held.length === 0) {
            return;
          }

          const at = Math.floor(random() * held.length);
          const holding = held[at]!;

          if (random() < 0.2 || (holding.kind === 'transaction' && random() < 0.5)) {
            held.splice(at, 1);
            await release(holding);
            return;
          }

          const work = pick(['read in what is held', 'write in what is held']);
          const seen: Seen | undefined | null = await asked[holding.who]!(work, holding.id);
          done.push(`${holding.who} ${work}, ${holding.id} of ${holding.tenant}: ${JSON.stringify(seen)}`);

          if (seen != null) {
            check(seen, undefined, holding);
          }

          if (seen?.refused !== undefined) {
            held.splice(held.indexOf(holding), 1);
            await release(holding);
          }
        }

        /** Ends the connections that listen. */
        async function cut(): Promise<void> {
          cutAt = Date.now();
          const ended = await database.query(
            `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query = 'select 1' and pid <> pg_backend_pid()`,
          );
          done.push(`cut ${ended.length}`);
        }

        /** When all may be known, all is known. */
        async function settle(): Promise<void> {
          await pause(hostMs + 200);
          const now = await tenantsNow();
          moments.push({ from: Date.now(), until: Date.now(), tenants: now });

          for (const [who, ask] of asked.entries()) {
            for (const host of HOSTS) {
              const seen: Seen = await ask('visit', host);
              const owner = now.find(each => each.host === host && each.isActive);
              done.push(`${who} settled ${host}: ${JSON.stringify(seen)}`);
              expect([seen.tenant, seen.refused], done.at(-1)).to.deep.equal([
                owner?.label,
                owner === undefined ? 'HOST_UNKNOWN' : undefined,
              ]);
              check(seen, { key: 'host', value: host });
            }

            for (const name of NAMES) {
              const seen: Seen = await ask('enter', name);
              const owner = now.find(each => each.name === name);
              done.push(`${who} settled ${name}: ${JSON.stringify(seen)}`);
              expect([seen.tenant, seen.refused], done.at(-1)).to.deep.equal([
                owner?.label,
                owner === undefined ? 'TENANT_UNKNOWN' : undefined,
              ]);
              check(seen, { key: 'name', value: name });
            }

            const each: Seen[] = await ask('visit each');
            expect(each.map(({ tenant = '' }) => tenant).toSorted((a, b) => a.localeCompare(b))).to.deep.equal(
              now
                .filter(({ isActive }) => isActive)
                .map(({ label }) => label)
                .toSorted((a, b) => a.localeCompare(b)),
            );
            each.forEach(seen => check(seen, undefined));
          }
        }

        function check(seen: Seen, by?: Named, holding?: Holding): void {
          const endedAt = Date.now();
          checks.push(() => checkNow(seen, { by, holding, endedAt }));
        }

        function checkNow(
          seen: Seen,
          { by, holding, endedAt }: { by: Named | undefined; holding: Holding | undefined; endedAt: number },
        ): void {
          const label = `${JSON.stringify(seen)}, ${endedAt - seen.begunAt} ms long`;
          const { tenant, refused, rows = {}, begunAt } = seen;
          expect(refused ?? '', label).to.match(
            /^(|LOST|55P03|42P01|TENANT_CHANGED|TENANT_UNKNOWN|HOST_UNKNOWN|DIRECTORY_UNAVAILABLE|JOB_\w+|TENANT_\w+)$/,
          );

          // a transaction that has failed cannot be asked whose the name is
          if (refused === '42P01') {
            expect(namesSince(begunAt).size, label).to.be.greaterThan(1);
          }

          if (refused === 'LOST') {
            expect(endedAt - cutAt, label).to.be.lessThan(3_000);
          }

          if (tenant !== undefined && by !== undefined) {
            expect(
              since(begunAt - hostMs).flatMap(({ tenants }) => tenants.flatMap(each => (each[by.key] === by.value ? [each.label] : []))),
              label,
            ).to.include(tenant);
          }

          // what is committed while it is read counts too
          if (namesSince(begunAt - nameMs).size === 1) {
            for (const [way, names] of Object.entries(rows)) {
              expect(
                names.filter(name => name !== tenant),
                `${way}: ${label}`,
              ).to.deep.equal([]);
            }
          }

          if (holding !== undefined && refused !== undefined && !['LOST', '55P03', 'JOB_TENANT_SUSPENDED'].includes(refused)) {
            const names = since(holding.since).map(({ tenants }) => tenants.find(each => each.label === holding.tenant)?.name);
            expect([...new Set(names)], `it has not changed: ${label}`).not.to.deep.equal([holding.name]);
          }
        }

        /** Who had which name since then. */
        function namesSince(time: number): ReadonlySet<string> {
          return new Set(since(time).map(({ tenants }) => JSON.stringify(tenants.map(({ label, name }) => [label, name]))));
        }

        /** What was so at some time since then. */
        function since(time: number): readonly Moment[] {
          const first = moments.findLastIndex(({ from }) => from <= time);
          // until the change before had ended, what was before it held
          const isSure = moments[first]!.until <= time;

          return moments.slice(Math.max(0, isSure ? first : first - 1));
        }
      });

      async function tenantsNow(): Promise<Tenant[]> {
        return database.query<Tenant>(
          `select name as label, schema_name as name, domain_url as host, state = 'active' as "isActive" from client where schema_name !~ '^landlord_' order by id`,
        );
      }

      /** Rows that are not of the tenant whose schema they are in. */
      async function misplaced(): Promise<string[]> {
        const found: string[] = [];

        for (const { name, schema } of await database.query<{ name: string; schema: string }>(
          'select name, schema_name as schema from client',
        )) {
          const notes = await database.query<{ text: string }>(`select text from "${schema}".note where text not like $1`, [`${name}:%`]);
          found.push(...notes.map(({ text }) => `${text} is in the schema of ${name}`));
        }

        return found;
      }
    },
    ['postgresql'],
  );
}

const NAMES = ['a', 'b', 'c'];

const HOSTS = NAMES.map(name => `${name}.example.com`);

/** What is changed, and what with. */
const CHANGES: Readonly<Record<string, readonly ('name' | 'host' | 'new')[]>> = {
  create: ['name', 'host', 'new'],
  'drop and create': ['name', 'host', 'new'],
  drop: ['name'],
  'delete softly': ['name'],
  restore: ['name', 'name'],
  purge: ['name'],
  rename: ['name', 'name'],
  suspend: ['name'],
  'move to another host': ['name', 'host'],
  'swap hosts': ['name', 'name'],
  'swap names': ['name', 'name'],
};

const USES: readonly (readonly [string, 'host' | 'name' | undefined])[] = [
  ['visit', 'host'],
  ['enter', 'name'],
  ['write', 'name'],
  ['read and write', 'name'],
  ['write by SQL', 'name'],
  ['change rows', 'name'],
  ['visit each', undefined],
  ['write to each', undefined],
];

interface Named {
  readonly key: 'host' | 'name';
  readonly value: string;
}

/** Who was there after a change that was made in this time. */
interface Moment {
  readonly from: number;
  readonly until: number;
  readonly tenants: readonly Tenant[];
}

interface Tenant {
  readonly label: string;
  readonly name: string;
  readonly host: string;
  readonly isActive: boolean;
}

interface Holding {
  readonly who: number;
  readonly id: string;
  readonly kind: string;
  readonly tenant: string;
  readonly name: string;
  readonly since: number;
}
