import { runInTenant } from '@landlord/mikro-orm';
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

describe('a condition that is looked at once', () => {
  const isLookedAtOnce = (Class: unknown): boolean => addsOnlyFilters(guardFilters(Class as never));

  it('law 2: is that of MikroORM’s own EntityManager, and of one that adds nothing', () => {
    expect(isLookedAtOnce(BasePostgreSqlEntityManager)).to.equal(true);
    expect(isLookedAtOnce(class extends BasePostgreSqlEntityManager {})).to.equal(true);
  });

  for (const name of ['processWhere', 'applyDiscriminatorCondition', 'applyFilters']) {
    it(`law 2: is none of an EntityManager with a ${name} of its own`, () => {
      class Adding extends BasePostgreSqlEntityManager {}
      Object.defineProperty(Adding.prototype, name, { value: () => undefined });
      expect(isLookedAtOnce(Adding)).to.equal(false);
    });
  }
});
