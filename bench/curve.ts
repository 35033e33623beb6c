import { mkdir, writeFile } from 'node:fs/promises';
import { tenants } from '@landlord/mikro-orm';
import { Client as PgClient } from 'pg';
import { Client, creationScript, migrationOf, openOrm, type MigrationEntry } from './domain.ts';
import { plot } from './plot.ts';
import { BASE, makeSchemas } from './migrate-tenants.ts';
import { median, round, timed, type Report } from './report.ts';
import { openPool } from './server.ts';

/** The time of each kind of work per tenant, with 10, 100, 1,000 and 10,000 tenants in one database. Writes the plot to `docs/`. */
export async function curve(url: string): Promise<Report> {
  const set: (readonly string[])[] = [BASE];
  const list: MigrationEntry[] = [migrationOf('Migration0', BASE)];
  const orm = await openOrm(url, list);
  const pool = openPool(url, 4);
  const pg = new PgClient(url);
  await pg.connect();
  const rows: Record<
    'tenants' | 'create, ms' | 'create by a script over pg, ms' | 'migrate, ms a tenant' | 'nothing to do, ms a tenant',
    number
  >[] = [];
  let made = 0;

  for (const size of SIZES) {
    await makeSchemas(pool, 'a', { asTenants: true, count: size - made, from: made });
    made = size;
    await pool.query('vacuum analyze');
    // the new tenants first get the migrations that ran at earlier sizes
    await tenants(orm).migrate({ skipPublicCheck: true });

    // each size has one migration more to run for a new tenant, here and in the script
    const create: number[] = [];
    const script: number[] = [];

    for (let n = 0; n < CREATED; n += 1) {
      const schemaName = `c${size}_${n}`;
      script.push(
        await timed(() =>
          pg.query(
            creationScript(
              `d${size}_${n}`,
              set,
              list.map(each => each.name),
            ),
          ),
        ),
      );
      create.push(await timed(() => orm.em.fork().persistAndFlush(new Client({ domainUrl: `${schemaName}.example.com`, schemaName }))));
    }

    set.push([`alter table "item" add column "c${size}" int null`]);
    list.push(migrationOf(`Migration${size}`, set.at(-1) ?? []));
    const migrate = await timed(() => tenants(orm).migrate({ skipPublicCheck: true, concurrency: 4 }));
    const nothing = [await timed(() => run()), await timed(() => run()), await timed(() => run())];
    rows.push({
      tenants: size,
      'create, ms': round(median(create)),
      'create by a script over pg, ms': round(median(script)),
      'migrate, ms a tenant': round(migrate / (size + rows.length * CREATED * 2 + CREATED * 2), 3),
      'nothing to do, ms a tenant': round(median(nothing) / (size + rows.length * CREATED * 2 + CREATED * 2), 4),
    });
  }

  await pool.end();
  await pg.end();
  await orm.close();
  await mkdir('docs', { recursive: true });
  await writeFile('docs/curve.svg', plot(rows));

  return { title: 'What a tenant costs, by the number of tenants', rows };

  function run(): Promise<unknown> {
    return tenants(orm).migrate({ skipPublicCheck: true });
  }
}

const SIZES = [10, 100, 1_000, 10_000];
const CREATED = 10;
