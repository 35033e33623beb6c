import { forEachTenant, runInPublic, tenants, TenantMixin, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity } from '@mikro-orm/core';
import { expect } from 'chai';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';
import { failureOf } from '../support/assertions/failure.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';

class Town extends TenantMixin {}
defineEntity({ class: Town, extends: TenantMixin, properties: {} });

onDatabasesAndPooler('forEachTenant in a transaction', database => {
  let orm: SpecOrm;

  before(async () => {
    orm = await openNoteOrm(database, Town);

    for (const name of ['a', 'b', 'c']) {
      await tenants(orm).create({ schemaName: name, domainUrl: `${name}.example.com` });
    }
  });

  beforeEach(async () => {
    for (const name of ['a', 'b', 'c']) {
      await database.query(`delete from ${name}.note`);
    }
  });

  /** Visits in a transaction, each of which writes and then does what is given for it. Resolves to whether each was told as done. */
  async function visit(then: Record<string, (em: TenantEntityManager) => unknown>): Promise<Record<string, boolean>> {
    return runInPublic(em =>
      em.transactional(async () => {
        const outcomes = await forEachTenant(
          async inner => {
            await inner.insert(Note, { text: 'written' });
            await then[inner.schema ?? '']?.(inner);
          },
          { settle: true },
        );

        return Object.fromEntries(outcomes.map(({ schemaName, ok }) => [schemaName, ok]));
      }),
    );
  }

  async function stored(): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};

    for (const name of ['a', 'b', 'c']) {
      counts[name] = (await database.query(`select 1 from ${name}.note`)).length;
    }

    return counts;
  }

  const FAILURES: Record<string, (em: TenantEntityManager) => unknown> = {
    throws: () => {
      throw new Error('thrown');
    },
    'has a statement that fails': em => em.execute('select 1 / 0'),
    'has a statement that fails, and says nothing of it': em => em.execute('select 1 / 0').catch(() => undefined),
    'has a statement that fails in a transaction of its own': em => em.transactional(tx => tx.execute('select 1 / 0')),
  };

  for (const [how, fail] of Object.entries(FAILURES)) {
    it(`S14 tells success of what is stored alone, where a visit ${how}`, async () => {
      expect(await visit({ b: fail })).to.deep.equal({ a: true, b: false, c: true });
      expect(await stored()).to.deep.equal({ a: 1, b: 0, c: 1 });
    });
  }

  it('S14 rejects where a visit fails, so that the transaction around all visits is rolled back', async () => {
    const run = runInPublic(em =>
      em.transactional(() =>
        forEachTenant(async (inner, { schemaName }) => {
          await inner.insert(Note, { text: 'written' });
          expect(schemaName).to.not.equal('b');
        }),
      ),
    );

    expect(await failureOf(run)).to.have.property('code', 'TENANT_VISITS_FAILED');
    expect(await stored()).to.deep.equal({ a: 0, b: 0, c: 0 });
  });

  it('S14 goes on where a visit fails in a transaction of its own and makes up for it', async () => {
    const makeUp = (em: TenantEntityManager): Promise<unknown> => em.transactional(tx => tx.execute('select 1 / 0')).catch(() => undefined);

    expect(await visit({ a: makeUp, b: makeUp })).to.deep.equal({ a: true, b: true, c: true });
    expect(await stored()).to.deep.equal({ a: 1, b: 1, c: 1 });
  });

  it('S14 leaves a transaction around it as it is: what it rolls back is rolled back whole', async () => {
    await runInPublic(em =>
      em.transactional(async () => {
        await forEachTenant(inner => inner.insert(Note, { text: 'written' }));
        throw new Error('rolled back');
      }),
    ).catch(() => undefined);

    expect(await stored()).to.deep.equal({ a: 0, b: 0, c: 0 });
  });

  it('S14, S7 flushes no more in a transaction than outside of one', async () => {
    const persist = (): Promise<unknown> => forEachTenant(em => void em.persist(em.create(Note, { text: 'not flushed' } as never)));
    await persist();
    await runInPublic(em => em.transactional(persist));

    expect(await stored()).to.deep.equal({ a: 0, b: 0, c: 0 });
  });
});
