import { expect } from 'chai';
import { runInTenant } from '@landlord/mikro-orm';
import { SeedManager } from '@mikro-orm/seeder';
import { TenantLimiter } from '../../dist/connection/pool/tenant-limiter.js';
import { Tenancy } from '../../dist/tenancy.js';
import { Library } from '../../fixtures/entities/index.ts';
import { onDatabases, SERVER_AND_POOLER, type SpecDatabase } from '../support/databases/database.ts';
import { expectSound, keptBySession } from '../support/databases/sound-pool.ts';
import { openRefusing } from '../support/faults/refusing-pglite.ts';
import { LOSSES, SQLSTATES, Trials } from '../support/faults/trials.ts';
import { effort, turnsOf } from '../support/generators/effort.ts';
import { REPLAY } from '../support/generators/property.ts';
import { randomNumbers } from '../support/generators/random.ts';
import { DatabaseSeeder, REFUSED_SERVICES, type ServiceSubject } from '../support/models/refused-services.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { rolesOf } from '../support/orm/roles.ts';
import { openTwins, removeMade, TABLES } from '../support/orm/twins.ts';

const SEED = REPLAY.seed ?? Date.now() % 0x7fffffff;
/** At how many places each service fails, beside its commit. */
const PLACES = effort(1, 40);

for (const hasRoles of turnsOf([false, true], SEED, 1)) {
  onDatabases(
    `a service of which a message fails, on a pool of one${hasRoles ? ', with roles' : ''} (FC_SEED=${SEED})`,
    database => {
      const roles = rolesOf(database, 'services');
      const random = randomNumbers(SEED + (hasRoles ? 1 : 0));
      let orm: LibraryOrm;
      let trials: Trials<ServiceSubject>;

      before(async () => {
        const { proxy, config } = await openRefusing(database);
        await (hasRoles ? roles.create() : undefined);
        orm = await openTwins(
          database,
          {
            pool: { min: 0, max: 1 },
            ...config,
            extensions: [SeedManager],
            seeder: { seedersList: [DatabaseSeeder] },
          },
          {
            directory: { listen: false },
            limits: { concurrency: 1, queue: 10, timeoutMs: 5_000 },
            ...(hasRoles ? { roles: { prefix: roles.prefix, shared: roles.shared } } : {}),
          },
        );

        for (const table of TABLES) {
          await database.query(`alter table public.${table} add column library_id int`);
        }

        await (hasRoles
          ? database.query(`grant select, insert, update, delete on all tables in schema public to "${roles.shared}"`)
          : undefined);
        const [acme, bob] = (await orm.em.fork().find(Library, {}, { orderBy: { schemaName: 'asc' } })) as [Library, Library];
        let n = 1_000;
        const asNew = await keptBySession(orm, database);
        trials = new Trials({
          proxy,
          random,
          seed: SEED,
          next: () => ({ orm, acme, bob, database, rolePrefix: hasRoles ? roles.prefix : undefined, n: (n += 10) }),
          fillCaches: ({ n: number }) => expectKnown(orm, database, { names: [`t${number}`, `r${number}`], label: 'before' }),
          stateOf: of => stateOf(database, of.n),
          expectSound: async ({ n: number }, label) => {
            await expectSound(orm, database);
            expect(TenantLimiter.of(orm.config).stats, label).to.include({ used: 0, waiting: 0 });
            expect(await keptBySession(orm, database), label).to.deep.equal(asNew);
            await expectKnown(orm, database, { names: [`t${number}`, `r${number}`], label });
          },
          clear: () => clear(database),
        });
      });

      afterEach(() => clear(database));

      after(async () => {
        await orm.close();
        await (hasRoles ? roles.drop() : undefined);
      });

      const { changes, ofRoles, readings } = REFUSED_SERVICES;
      const tried = [
        ...turnsOf(Object.entries({ ...changes, ...(hasRoles ? ofRoles : {}) }), SEED, 5),
        ...turnsOf(Object.entries(readings), SEED, 2),
      ];

      for (const [name, service] of tried) {
        it(`N3 L6 ${name} fails with the server's error or is done, takes nothing along, and can be done again`, async function () {
          this.timeout(effort(180_000, 1_200_000));
          await trials.tryAll(service, database.kind === 'pglite' ? SQLSTATES : [...SQLSTATES, ...LOSSES, ...LOSSES], PLACES);
        });
      }
    },
    turnsOf([...SERVER_AND_POOLER, 'pglite'] as const, SEED + (hasRoles ? 1 : 0), 1),
  );
}

async function stateOf(database: SpecDatabase, n: number): Promise<string> {
  const [row] = await database.query(STATE, [n]);
  const tables = await database.query<{ schema: string; name: string }>(
    `select schemaname::text as schema, tablename::text as name from pg_tables
      where schemaname ~ '^[tr][0-9]+$' or schemaname ~ '^landlord_' or schemaname in ('acme', 'bob', 'public') order by 1, 2`,
  );
  const counts = tables.map(
    ({ schema, name }, nr) => `select ${nr} as nr, '${schema}.${name}' as name, count(*)::int as rows from "${schema}"."${name}"`,
  );
  const rows = await database.query(`${counts.join(' union all ')} order by nr`);

  return JSON.stringify([row, rows])
    .replaceAll(String(n), 'N')
    .replaceAll(/landlord_deleted_\w+/g, 'DELETED')
    .replaceAll(/\beyJ\w+/g, 'DATA');
}

const STATE = `select
  (select json_agg(json_build_array(schema_name, domain_url, name) order by name) from public.library where name in ('t' || $1::text, 'r' || $1::text)) as rows,
  (select json_agg(json_build_array(nspname, obj_description(oid, 'pg_namespace'), (select count(*) from pg_class where relnamespace = n.oid), nspowner, nspacl::text) order by nspname)
    from pg_namespace n where nspname ~ '^[tr][0-9]+$' or nspname ~ '^landlord_') as schemas,
  (select json_agg(rolname order by rolname) from pg_roles where rolname ~ ('_[tr]' || $1::text || '$')) as roles,
  (select json_agg(json_build_array('acme', name)) from acme.tag where id = $1::int) as acme,
  (select json_agg(json_build_array('bob', name)) from bob.tag where id = $1::int) as bob,
  (select json_agg(name) from public.tag where id = $1::int) as public,
  (select count(*)::int from pg_index where not indisvalid) as invalid`;

async function expectKnown(
  orm: LibraryOrm,
  database: SpecDatabase,
  { names, label }: { readonly names: readonly string[]; readonly label: string },
): Promise<void> {
  for (const name of names) {
    const rows = await database.query<{ host: string }>('select domain_url as host from public.library where schema_name = $1', [name]);
    const [schema] = await database.query('select from pg_namespace where nspname = $1', [name]);
    const found = await runInTenant(name, async em => (schema === undefined ? 'it' : (await em.execute('select 1'), 'it')), { orm }).catch(
      (error: { code?: string }) => error.code ?? error,
    );
    // one without a role is known too
    expect(found, `${name}, ${label}`).to.be.oneOf(rows.length === 0 ? ['TENANT_UNKNOWN'] : ['it', 'TENANT_ROLE_REFUSED']);
    const host = `${name}.example.com`;
    const [owner] = await database.query<{ name: string }>('select schema_name as name from public.library where domain_url = $1', [host]);
    const held = await Tenancy.of(orm.config).directory.find({ property: 'domainUrl', value: host });
    expect(held?.schemaName, `${host}, ${label}`).to.equal(owner?.name);
  }
}

async function clear(database: SpecDatabase): Promise<void> {
  await removeMade(database);

  for (const table of TABLES) {
    await database.query(`delete from public.${table} where library_id is not null`);
  }

  await database.query(`delete from acme.tag where id >= 1000`);
  await database.query(`delete from bob.tag where id >= 1000`);
}
