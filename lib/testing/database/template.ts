import { TestDatabaseError } from '../../errors/testing-errors.js';
import { hasSqlState } from '../../postgres/sql-state.js';
import { quoteIdentifier } from '../../postgres/schema-name.js';
import { urlOf, type Admin } from './admin.js';

/**
 * Makes sure that the template is there, and returns whether it was made now. Workers that start at once wait for the one that makes it. A
 * template that was not finished is made anew, and those of the same project with another key are dropped.
 *
 * @throws TestDatabaseError `TEST_SERVER` or `TEST_TEMPLATE`
 */
export async function ensureTemplate(admin: Admin, { server, prefix, name, migrate }: TemplateOptions): Promise<boolean> {
  // shared as long as the worker is connected, so that nobody drops the template that it copies
  await admin.query(`select pg_advisory_lock_shared(${LOCK})`, [name]);

  if (await isReady(admin, name)) {
    return false;
  }

  // another key, which nobody keeps
  await admin.query(`select pg_advisory_lock(${LOCK})`, [`${name} is made`]);

  try {
    if (await isReady(admin, name)) {
      return false;
    }

    await dropDatabase(admin, name);
    await createDatabase(admin, name);
    await migrate(urlOf(server, name));
    await admin.query(`alter database ${quoteIdentifier(name)} with is_template true allow_connections false`);
    await admin.query(`comment on database ${quoteIdentifier(name)} is '${READY}'`);
    await dropOthers(admin, prefix, name);

    return true;
  } finally {
    await admin.query(`select pg_advisory_unlock(${LOCK})`, [`${name} is made`]);
  }
}

/** Makes a worker's database, which is its own as long as `admin` is connected. */
export async function createWorkerDatabase(admin: Admin, { name, template, strategy }: NewDatabase): Promise<void> {
  await admin.query(`select pg_advisory_lock(${LOCK})`, [name]);
  await createDatabase(admin, name, ` template ${quoteIdentifier(template)}${strategy === undefined ? '' : ` strategy ${strategy}`}`);
}

/**
 * Looks at what earlier workers have left. Returns the database of one that has put it back as it had it from the same template, which is now
 * this worker's. Those of killed workers, and those of other templates, are dropped.
 */
export async function takeLeftover(admin: Admin, prefix: string, template: string): Promise<string | undefined> {
  const rows = await admin.query<{ name: string; state: string | null }>(
    `select datname::text as name, shobj_description(oid, 'pg_database') as state from pg_database where starts_with(datname, $1)`,
    [`${prefix}w_`],
  );
  let taken: string | undefined;

  for (const { name } of rows) {
    const [row] = await admin.query<{ locked: boolean }>(`select pg_try_advisory_lock(${LOCK}) as locked`, [name]);

    if (row?.locked !== true) {
      continue;
    }

    // read under the lock, as another worker may have had it meanwhile
    const isClean = (await stateOf(admin, name)) === cleanOf(template);

    if (isClean && taken === undefined) {
      await admin.query(`comment on database ${quoteIdentifier(name)} is null`);
      taken = name;
      continue;
    }

    if (!isClean) {
      await dropDatabase(admin, name);
    }

    await admin.query(`select pg_advisory_unlock(${LOCK})`, [name]);
  }

  return taken;
}

/** Leaves the database to the next worker. Nothing in it differs from the template but how far its sequences are. */
export async function putBack(admin: Admin, name: string, template: string): Promise<void> {
  await admin.query(`comment on database ${quoteIdentifier(name)} is '${cleanOf(template)}'`);
}

export async function dropDatabase(admin: Admin, name: string): Promise<void> {
  try {
    await admin.query(`drop database if exists ${quoteIdentifier(name)} with (force)`);
  } catch (error) {
    // another worker was faster
    if (!hasSqlState(error, ['3D000', 'XX000'])) {
      throw error;
    }
  }
}

async function createDatabase(admin: Admin, name: string, how = ''): Promise<void> {
  try {
    await admin.query(`create database ${quoteIdentifier(name)}${how}`);
  } catch (error) {
    if (hasSqlState(error, ['42501'])) {
      const [row] = await admin.query<{ role: string }>('select current_user::text as role');
      throw TestDatabaseError.mayNotCreate(row?.role ?? '', error);
    }

    throw error;
  }
}

async function isReady(admin: Admin, name: string): Promise<boolean> {
  return (await stateOf(admin, name)) === READY;
}

async function stateOf(admin: Admin, name: string): Promise<string | null | undefined> {
  const [row] = await admin.query<{ state: string | null }>(
    `select shobj_description(oid, 'pg_database') as state from pg_database where datname = $1`,
    [name],
  );

  return row?.state;
}

function cleanOf(template: string): string {
  return `landlord: as ${template}`;
}

async function dropOthers(admin: Admin, prefix: string, name: string): Promise<void> {
  const rows = await admin.query<{ name: string }>(
    `select datname::text as name from pg_database where starts_with(datname, $1) and datname <> $2`,
    [`${prefix}t_`, name],
  );

  for (const { name: other } of rows) {
    // whoever makes or copies it has the lock of its name
    const [row] = await admin.query<{ locked: boolean }>(`select pg_try_advisory_lock(${LOCK}) as locked`, [other]);

    if (row?.locked === true) {
      await admin.query(`alter database ${quoteIdentifier(other)} with is_template false`).catch(() => undefined);
      await dropDatabase(admin, other);
      await admin.query(`select pg_advisory_unlock(${LOCK})`, [other]);
    }
  }
}

const READY = 'landlord: a template for tests';

const LOCK = `hashtextextended('landlord testing:' || $1, 0)`;

interface TemplateOptions {
  readonly server: string;
  /** What the names of all databases of the project begin with. */
  readonly prefix: string;
  readonly name: string;
  /** Makes the tables, and leaves no connection to it. */
  readonly migrate: (url: string) => Promise<void>;
}

interface NewDatabase {
  readonly name: string;
  readonly template: string;
  readonly strategy: 'wal_log' | undefined;
}
