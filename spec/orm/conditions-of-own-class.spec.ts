import { runInTenant } from '@landlord/mikro-orm';
import { EntityManager } from '@mikro-orm/postgresql';
import { BasePostgreSqlEntityManager } from '@mikro-orm/sql';
import { expect } from 'chai';
import { guardFilters } from '../../dist/orm/guarded-filters.js';
import { addsOnlyFilters } from '../../dist/orm/guarded-reads.js';
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

describe('A condition of a read', () => {
  for (const Mikro of [EntityManager, BasePostgreSqlEntityManager]) {
    it(`law 2: is looked at again for a filter alone in a class of MikroORM's: ${Mikro.name}`, () => {
      expect(addsOnlyFilters(guardFilters(Mikro as never))).to.equal(true);
    });
  }

  for (const name of ['processWhere', 'applyDiscriminatorCondition', 'applyFilters']) {
    it(`law 2: is looked at again in a class of the user's own with \`${name}\``, () => {
      class Own extends BasePostgreSqlEntityManager {}

      Object.defineProperty(Own.prototype, name, { value: () => ({}) });
      expect(addsOnlyFilters(guardFilters(Own as never))).to.equal(false);
    });
  }
});
