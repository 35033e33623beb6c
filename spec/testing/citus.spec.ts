import { randomUUID } from 'node:crypto';
import { runInTenant } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Author } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/databases/database.ts';
import { openLibraryKit } from '../support/testing/library-kit.ts';

onDatabases(
  'the kit for tests, on the coordinator of Citus',
  database => {
    it('K1 X1 gives tests a database without Citus, in which a set that is written for Citus runs', async () => {
      const kit = await openLibraryKit('postgresql', {
        tenants: { citus: {} },
        url: Object.assign(new URL(database.url ?? ''), { pathname: '/postgres' }).href,
        version: randomUUID(),
        readyTenants: 1,
      });

      try {
        const counts = await kit.run('on a plain database', async () => {
          const [one, two] = [await kit.testTenant(), await kit.testTenant()];
          await runInTenant(one, em => em.persistAndFlush(em.create(Author, { name: 'one' })), { orm: kit.orm });

          return Promise.all([one, two].map(each => runInTenant(each, em => em.count(Author), { orm: kit.orm })));
        });

        expect(counts).to.deep.equal([1, 0]);
        expect(
          await kit.outside(() => kit.orm.em.fork().execute(`select extname from pg_extension where extname = 'citus'`)),
        ).to.deep.equal([]);
      } finally {
        await kit.close();
      }
    });
  },
  ['citus'],
);
