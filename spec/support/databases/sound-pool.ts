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
    expect((await runInTenant(name, em => em.findOneOrFail(Book, 1))).title).to.equal(`${name} book 1`);
    expect(await runInTenant(name, em => em.execute('select title from book where id = 2'))).to.deep.equal([{ title: `${name} book 2` }]);
  }

  expect(await orm.em.fork().execute(STATE)).to.deep.equal([{ path: '"$user", public', is_own: true, title: 'decoy' }]);
  const pool = await poolOf(orm);
  // the directory may be looking a tenant up again
  await until('every place of the pool is free', () => pool.totalCount === pool.idleCount && pool.waitingCount === 0);
  await expectIdle(database);
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
