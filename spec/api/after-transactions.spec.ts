import { currentSchema, forEachTenant, runInPublic, runInTenant, tenants, TenantMixin } from '@landlord/mikro-orm';
import { defineEntity } from '@mikro-orm/core';
import { expect } from 'chai';
import { Gate } from '../support/assertions/gate.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';

class Town extends TenantMixin {}
defineEntity({ class: Town, extends: TenantMixin, properties: {} });

onDatabasesAndPooler('work that is queued in a transaction', database => {
  let orm: SpecOrm;

  before(async () => {
    orm = await openNoteOrm(database, Town, {}, { pool: { min: 0, max: 1 } });

    for (const name of ['acme', 'bob']) {
      await tenants(orm).create({ schemaName: name, domainUrl: `${name}.example.com` });
    }
  });

  beforeEach(async () => {
    await database.query('delete from acme.note');
    await database.query('delete from bob.note');
  });

  /** Transactions, each of which calls `queue` as deep as it goes. */
  const TRANSACTIONS: Record<string, (queue: () => void) => Promise<unknown>> = {
    'outside of scopes': queue => orm.em.fork().transactional(async () => queue()),
    'in the public scope': queue => runInPublic(em => em.transactional(async () => queue())),
    'in the scope of another tenant': queue => runInTenant('bob', em => em.transactional(async () => queue())),
    'in a savepoint': queue => runInTenant('acme', em => em.transactional(tx => tx.transactional(async () => queue()))),
    'in a scope that has joined it': queue => runInPublic(em => em.transactional(() => runInTenant('bob', () => queue()))),
    'in a visit': queue => runInPublic(em => em.transactional(() => forEachTenant(() => queue(), { where: { schemaName: 'bob' } }))),
    'that is rolled back': async queue =>
      runInPublic(em =>
        em.transactional(async () => {
          queue();
          throw new Error('rolled back');
        }),
      ).catch(() => undefined),
  };

  for (const [where, inTransaction] of Object.entries(TRANSACTIONS)) {
    it(`S5 is outside of it once it has ended, and each in its own scope: a transaction ${where}`, async () => {
      const gate = new Gate();
      let done: Promise<unknown> = Promise.resolve();
      await inTransaction(() => {
        done = gate.pass().then(async () => {
          await runInTenant('acme', em => em.insert(Note, { text: 'queued' }));
          expect(await runInTenant('bob', em => em.count(Note))).to.equal(0);
          expect(await runInPublic(em => em.count(Town))).to.equal(2);
          const visited = await forEachTenant(async em => [currentSchema(), await em.count(Note)]);
          expect(visited.map(({ value }) => value)).to.deep.equal([
            ['acme', 1],
            ['bob', 0],
          ]);
          await runInTenant('acme', em => em.transactional(tx => tx.insert(Note, { text: 'in one of its own' })));
        });
      });
      gate.open();
      await done;

      expect(await database.query('select text from acme.note order by id')).to.deep.equal([
        { text: 'queued' },
        { text: 'in one of its own' },
      ]);
      expect(await database.query('select text from bob.note')).to.deep.equal([]);
    });
  }

  it('S5 is part of it while it lasts', async () => {
    await runInPublic(em =>
      em.transactional(async () => {
        await Promise.resolve().then(() => runInTenant('acme', inner => inner.insert(Note, { text: 'rolled back' })));
        throw new Error('rolled back');
      }),
    ).catch(() => undefined);

    expect(await database.query('select text from acme.note')).to.deep.equal([]);
  });
});
