import { runInTenant } from '@landlord/mikro-orm';
import { BasePostgreSqlEntityManager } from '@mikro-orm/sql';
import { Author, Book } from '../../fixtures/entities/index.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import { openTwins } from '../support/orm/twins.ts';

onDatabases(
  'conditions that an EntityManager class of the user’s own adds to',
  database => {
    it('law 2: another tenant’s entity that it adds is refused', async () => {
      let added: Author | undefined;

      class Adding extends BasePostgreSqlEntityManager {
        protected override applyDiscriminatorCondition(...args: any[]): any {
          return {
            ...(super.applyDiscriminatorCondition as (...given: any[]) => object).apply(this, args),
            ...(args[0] === Book && added && { author: added }),
          };
        }
      }
      const orm = await openTwins(database, { entityManager: Adding as never });
      const theirs = await runInTenant('bob', em => em.findOneOrFail(Author, 2), { orm });
      added = theirs;
      await runInTenant('acme', em => refusal(em.find(Book, {}), 'CROSS_TENANT'), { orm });
    });
  },
  ['pglite'],
);
