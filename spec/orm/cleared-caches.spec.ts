import { runInPublic, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Genre } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

onDatabases('What was cached outside of tenants', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openTwins(database);
  });

  it('S10 is cleared from a tenant’s scope too: it has no tenant to clear it from', async () => {
    const count = (em: TenantEntityManager): Promise<number> => em.count(Genre, {}, { cache: ['of none', 60_000] });
    const readers: Readonly<Record<string, () => Promise<number>>> = {
      'in the public scope': () => runInPublic(count),
      'in no scope': () => count(orm.em.fork()),
    };

    for (const [where, read] of Object.entries(readers)) {
      const isAsked = async (): Promise<boolean> => {
        database.statements.length = 0;
        await read();

        return database.statements.some(sql => sql.includes('"genre"'));
      };

      expect(await isAsked(), where).to.equal(true);
      expect(await isAsked(), `${where}, cached`).to.equal(false);
      await runInTenant('acme', em => em.clearCache('of none'));
      expect(await isAsked(), `${where}, cleared`).to.equal(true);
    }
  });
});
