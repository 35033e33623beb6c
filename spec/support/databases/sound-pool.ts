import { currentTenant, runInTenant } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Book } from '../../../fixtures/entities/index.ts';
import type { SpecDatabase } from './database.ts';
import { until } from '../assertions/until.ts';
import { expectIdle } from './idle-connections.ts';
import type { LibraryOrm } from '../orm/library-orm.ts';

/**
 * After a fault: no scope is left, the next requests of either twin are answered with their own, whatever connection they are given is
 * as PostgreSQL made it, every place of the pool is free, and the server is not in anybody's transaction.
 */
export async function expectSound(orm: LibraryOrm, database: SpecDatabase): Promise<void> {
  expect(currentTenant()).to.equal(undefined);

  for (const name of ['acme', 'bob']) {
    expect((await runInTenant(name, em => em.findOneOrFail(Book, 1), { orm })).title).to.equal(`${name} book 1`);
    expect(await runInTenant(name, em => em.execute('select title from book where id = 2'), { orm })).to.deep.equal([
      { title: `${name} book 2` },
    ]);
  }

  expect(await orm.em.fork().execute(STATE)).to.deep.equal([
    { path: database.kind === 'pglite' ? 'public' : '"$user", public', is_own: true, title: 'decoy' },
  ]);

  if (database.kind === 'pglite') {
    return;
  }

  const pool = await poolOf(orm);
  // the directory may be looking a tenant up again
  await until('every place of the pool is free', () => pool.totalCount === pool.idleCount && pool.waitingCount === 0);
  await expectIdle(database);
}

/** What a session is not to keep: settings, temporary tables, and locks of whichever session. */
export async function keptBySession(orm: LibraryOrm, database: SpecDatabase): Promise<unknown> {
  const [session] = await orm.em
    .fork()
    .execute<object[]>(
      `select (select json_object_agg(name, setting) from pg_settings where source = 'session' and setting is distinct from reset_val) as settings, (select count(*)::int from pg_class where relnamespace = pg_my_temp_schema()) as temporary`,
    );
  const [locks] = await database.query<{ locks: number }>(
    `select count(*)::int as locks from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
  );

  return { ...session, ...locks };
}

/** What `pg` tells of the ORM's pool. */
export async function poolOf(orm: LibraryOrm): Promise<PoolCounts> {
  return (await orm.em.getConnection().getNativeClient()) as PoolCounts;
}

interface PoolCounts {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
}

const STATE = `select current_setting('search_path') as path, current_user = session_user as is_own, (select title from book where id = 1)`;
