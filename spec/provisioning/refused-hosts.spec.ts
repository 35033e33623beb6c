import { currentTenant, runInTenant } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Tenancy } from '../../dist/tenancy.js';
import { onDatabases, type SpecDatabase } from '../support/databases/database.ts';
import { expectIdle, POOL_OF_ONE } from '../support/databases/idle-connections.ts';
import { keptBySession } from '../support/databases/sound-pool.ts';
import { openRefusingProxy, type RefusingProxy } from '../support/faults/refusing-proxy.ts';
import { LOSSES, SQLSTATES, Trials } from '../support/faults/trials.ts';
import { effort, turnsOf } from '../support/generators/effort.ts';
import { REPLAY } from '../support/generators/property.ts';
import { randomNumbers } from '../support/generators/random.ts';
import { newShop, openShops, REFUSED_HOSTS, type Heard, type ShopSubject } from '../support/models/refused-hosts.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';

const SEED = REPLAY.seed ?? Date.now() % 0x7fffffff;
/** At how many places each change fails, beside its commit. */
const PLACES = effort(1, 40);

onDatabases(
  `a change of hosts, states and names, with hooks, of which a message fails (FC_SEED=${SEED})`,
  database => {
    const heard: Heard = { committed: [], failures: [] };
    let orm: SpecOrm;
    let proxy: RefusingProxy;
    let trials: Trials<ShopSubject>;

    before(async () => {
      proxy = await openRefusingProxy(database.url ?? '');
      database.atEnd(() => proxy.close());
      orm = await openShops(
        database,
        heard,
        { directory: { listen: false } },
        { ...POOL_OF_ONE, clientUrl: proxy.url, driverOptions: { connectionTimeoutMillis: 5_000 } },
      );
      await orm.em.fork().persistAndFlush(['acme', 'bob'].map(newShop));
      await clear(database);
      let n = 1_000;
      trials = new Trials({
        proxy,
        random: randomNumbers(SEED),
        seed: SEED,
        next: () => {
          heard.committed.length = 0;
          heard.failures.length = 0;

          return { orm, database, heard, n: (n += 1) };
        },
        fillCaches: ({ n: number }) => expectKnown(orm, database, { n: number, label: 'before' }),
        stateOf: of => stateOf(database, of.n),
        expectSound: ({ n: number }, label) => expectSound(orm, database, { n: number, label }),
        clear: () => clear(database),
      });
    });

    afterEach(() => clear(database));

    for (const name of ['suspending and renaming a tenant', 'dropping a tenant with hosts', 'a host of another name']) {
      it(`H10 ${name} is known to the process at once, also if the answer to its commit is lost`, async () => {
        await trials.tryCommit(REFUSED_HOSTS[name]!, 'lost after');
      });
    }

    for (const [name, change] of turnsOf(Object.entries(REFUSED_HOSTS), SEED, 5)) {
      it(`H10 J3 L6 ${name} fails with the server's error or is done, and each process knows what it is now`, async function () {
        this.timeout(effort(180_000, 1_200_000));
        await trials.tryAll(change, [...SQLSTATES, ...LOSSES, ...LOSSES], PLACES);
      });
    }
  },
  ['postgresql'],
);

async function stateOf(database: SpecDatabase, n: number): Promise<string> {
  const [row] = await database.query(STATE);

  return JSON.stringify(row)
    .replaceAll(String(n), 'N')
    .replaceAll(/landlord_deleted_\w+/g, 'DELETED')
    .replaceAll(/\beyJ\w+/g, 'DATA');
}

const STATE = `select
  (select json_agg(json_build_array(schema_name, domain_url, state) order by id) from shop) as shops,
  (select json_agg(json_build_array(d.domain, d.is_primary, s.schema_name) order by d.id) from host d join shop s on s.id = d.tenant_id) as hosts,
  (select json_agg(text order by id) from entry) as entries,
  (select json_agg(json_build_array(nspname, obj_description(oid, 'pg_namespace'), (select count(*) from pg_class where relnamespace = n.oid),
      query_to_xml(format('select text from %I.note order by id', nspname), false, true, '')::text) order by nspname)
    from pg_namespace n where nspname in ('acme', 'bob') or nspname ~ '^[tr][0-9]+$' or nspname ~ '^landlord_') as schemas`;

async function expectSound(
  orm: SpecOrm,
  database: SpecDatabase,
  { n, label }: { readonly n: number; readonly label: string },
): Promise<void> {
  expect(currentTenant()).to.equal(undefined);

  for (const name of ['acme', 'bob']) {
    expect(await runInTenant(name, em => em.execute('select text from note order by id')), label).to.deep.equal([{ text: name }]);
  }

  expect(await orm.em.fork().execute(SESSION), label).to.deep.equal([{ path: '"$user", public', is_own: true }]);
  expect(await keptBySession(orm, database), label).to.deep.equal({ locks: 0, settings: null, temporary: 0 });
  await expectIdle(database);
  await expectKnown(orm, database, { n, label });
}

/** What the process knows of hosts, states and names is so. */
async function expectKnown(
  orm: SpecOrm,
  database: SpecDatabase,
  { n, label }: { readonly n: number; readonly label: string },
): Promise<void> {
  const { directory } = Tenancy.of(orm.config);

  for (const host of ['t', 'a.t', 'b.t', 'c.t', 'd.t', 'r'].map(before => `${before}${n}.example.com`)) {
    const [owner] = await database.query(
      `select schema_name as name, state, (select domain from host where tenant_id = s.id and is_primary) as primary_host from shop s
        where domain_url = $1 or exists (select from host where tenant_id = s.id and domain = $1)`,
      [host],
    );
    const held = await directory.find({ property: 'domainUrl', value: host });
    expect(held && { name: held.schemaName, state: held.state, primary_host: held.primaryHost ?? null }, `${host}, ${label}`).to.deep.equal(
      owner,
    );
  }
}

const SESSION = `select current_setting('search_path') as path, current_user = session_user as is_own`;

async function clear(database: SpecDatabase): Promise<void> {
  const names = await database.query<{ name: string }>(
    `select nspname::text as name from pg_namespace where nspname ~ '^[tr][0-9]+$' or nspname ~ '^landlord_'`,
  );

  for (const { name } of names) {
    await database.query(`drop schema "${name}" cascade`);
  }

  await database.query(`delete from host`);
  await database.query(`delete from shop where schema_name not in ('acme', 'bob')`);
  await database.query('delete from entry');
}
