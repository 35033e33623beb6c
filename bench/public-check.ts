import { openOrm, TEN_MIGRATIONS } from './domain.ts';
import { round, scaled, timed, type Report } from './report.ts';
import { openPool } from './server.ts';

/** The public set's `migration:check` and `migration:create` without a snapshot, beside ever more tenants of ten tables. */
export async function publicCheck(url: string): Promise<Report> {
  const orm = await openOrm(url, []);
  const pool = openPool(url, 4);
  const rows: Report['rows'][number][] = [];
  let made = 0;

  for (const tenants of TENANTS) {
    for (; made < tenants; made += 1) {
      const script = [`create schema "t${made}"`, `set local search_path to "t${made}"`, ...TEN_MIGRATIONS.flat()];
      await pool.query(['begin', ...script, 'commit'].join(';\n'));
    }

    await pool.query('analyze');
    await orm.schema.getUpdateSchemaSQL();
    rows.push({ tenants, 'ms a check': round(await timed(() => orm.schema.getUpdateSchemaSQL())) });
  }

  await pool.end();
  await orm.close();

  return { title: 'The public set is compared with the database', rows };
}

const TENANTS = [scaled(40, 4), scaled(400, 8)];
