import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { PGlite, type Extensions } from '@electric-sql/pglite';
import { asObserver } from '../assertions/statement-watch.ts';

/** An empty PGlite. To initialise one takes seconds: what the first one has made is a file, of which all others are a copy. */
export async function emptyPglite(extensions: Extensions = {}): Promise<PGlite> {
  const loadDataDir = await (empty ??= readEmpty());

  return PGlite.create('memory://', { loadDataDir, extensions });
}

/** Makes a folder with the data of an empty PGlite, for a process that is to use it. */
export async function writeEmptyData(folder: string): Promise<void> {
  await (empty ??= readEmpty());
  await mkdir(folder, { mode: 0o700 });
  await promisify(execFile)('tar', ['-xf', FILE, '-C', folder]);
}

/** An empty PGlite, which may have served another spec of this process. It is given back by `returnPglite()`, in place of being closed. */
export async function borrowPglite(): Promise<PGlite> {
  const pglite = idle.pop();

  if (pglite !== undefined) {
    return pglite;
  }

  const made = await emptyPglite();
  const [row] = (await asObserver(() => made.query<{ xid: number }>('select pg_current_xact_id()::text::int as xid'))).rows;
  const { xid } = row!;
  asNew.set(made, { xid, state: await clear(made, xid) });

  return made;
}

/**
 * Empties it for the next spec, which takes a tenth of the time of a new one. It is closed where anything is left: a row of a catalog more or less
 * than in a new one, a row that was changed, or a setting.
 */
export async function returnPglite(pglite: PGlite): Promise<void> {
  const { xid = 0, state } = asNew.get(pglite) ?? {};

  if (pglite.closed) {
    return;
  }

  if (idle.length < AT_MOST && (await clear(pglite, xid).catch(() => undefined)) === state) {
    idle.push(pglite);
  } else {
    await pglite.close();
  }
}

/** Closes those that wait for a next spec. Left open, a timer of PGlite's keeps the process from ending. */
export async function closeIdlePglites(): Promise<void> {
  await Promise.all(idle.splice(0).map(pglite => pglite.close()));
}

/** Drops all that specs make, and tells what there is now. */
async function clear(pglite: PGlite, since: number): Promise<string> {
  return asObserver(async () => {
    // each by itself: neither may be in a transaction
    await pglite.exec('rollback');
    await pglite.exec('discard all');
    await pglite.exec(DROP_ALL);
    const { rows: catalogs } = await pglite.query<{ name: string }>(CATALOGS);
    const counts = catalogs.map(
      ({ name }) =>
        `select '${name}' as name, count(*)::int as rows, count(*) filter (where xmin::text::int >= ${since})::int as new from ${name}`,
    );

    return JSON.stringify((await pglite.query(`${[...counts, SETTINGS].join(' union all ')} order by 1`)).rows);
  });
}

async function readEmpty(): Promise<Blob> {
  if (existsSync(FILE)) {
    return new Blob([await readFile(FILE)]);
  }

  const pglite = await PGlite.create('memory://');

  try {
    const dump = await pglite.dumpDataDir('none');
    // by a name that nobody reads until it is whole
    const folder = await mkdtemp(join(tmpdir(), 'landlord-spec-'));
    await writeFile(join(folder, 'pglite'), dump.stream());
    await rename(join(folder, 'pglite'), FILE);
    await rm(folder, { recursive: true });

    return dump;
  } finally {
    await pglite.close();
  }
}

const DROP_ALL = `
  do $$
  declare
    statement text;
  begin
    for statement in select format('drop event trigger %I', evtname) from pg_event_trigger loop execute statement; end loop;
    for statement in select format('drop extension %I cascade', extname) from pg_extension where extname <> 'plpgsql' loop execute statement; end loop;
    for statement in select format('drop publication %I', pubname) from pg_publication loop execute statement; end loop;
    for statement in select format('drop schema %I cascade', nspname) from pg_namespace
      where nspname !~ '^pg_' and nspname <> 'information_schema' loop execute statement; end loop;
    for statement in select format('drop owned by %1$I cascade; drop role %1$I', rolname) from pg_roles
      where rolname !~ '^pg_' and rolname <> current_user loop execute statement; end loop;
    execute format('alter database %I reset all', current_database());
    execute format('alter role %I reset all', current_user);
  end
  $$;
  create schema public authorization pg_database_owner;
  grant usage on schema public to public;
  comment on schema public is 'standard public schema'`;

const CATALOGS = `select relname::text as name from pg_class where relnamespace = 'pg_catalog'::regnamespace and relkind = 'r' and relname !~ '^pg_statistic'`;

// a setting of somebody's own stays in the session with an empty value
const SETTINGS = `select 'settings', count(*)::int, count(*) filter (where setting is distinct from reset_val)::int from pg_settings`;

/** More than one spec ever has at once would only take memory. */
const AT_MOST = 3;

const { version } = createRequire(import.meta.url)(
  join(dirname(createRequire(import.meta.url).resolve('@electric-sql/pglite')), '../package.json'),
) as { readonly version: string };

const FILE = join(tmpdir(), `landlord-spec-pglite-${version}.tar`);

const idle: PGlite[] = [];

const asNew = new WeakMap<PGlite, { readonly xid: number; readonly state: string }>();

let empty: Promise<Blob> | undefined;
