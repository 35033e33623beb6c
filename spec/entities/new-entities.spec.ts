import { runInTenant } from '@landlord/mikro-orm';
import type { EntityManager } from '@mikro-orm/core';
import { expect } from 'chai';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newEntity, type Kind } from '../support/models/identity-model/entities.ts';
import { openIdentityTwins, type Twins } from '../support/models/identity-model/run.ts';

type Made = Record<string, any>;

/** What a tenant has after something was done with a new entity whose key is known. */
onDatabases('a new entity whose key is known', database => {
  let twins: Twins;

  before(async () => {
    twins = await openIdentityTwins(database);
  });

  beforeEach(() => database.query('truncate acme.doc, acme.note, acme.person cascade'));

  const made = (kind: Kind, data: object): Made => newEntity(twins.scoped.entities, kind, data);

  const docs = async (): Promise<unknown[]> => (await database.query('select id from acme.doc order by id')).map(({ id }) => id);

  it('S16 is gone once it was removed, whatever is flushed then', async () => {
    await runInTenant('acme', async em => {
      const doc = made('Doc', { id: 'x' });
      await em.persistAndFlush(doc);
      await em.removeAndFlush(doc);
      await em.flush();

      expect(await docs()).to.deep.equal([]);
      expect(await em.findOne(twins.scoped.entities.Doc, 'x')).to.equal(null);
      await em.persistAndFlush(made('Doc', { id: 'x' }));
      expect(await docs()).to.deep.equal(['x']);
    });
  });

  it('S16 is gone once it was removed in a transaction, whatever is flushed around it', async () => {
    await runInTenant('acme', async em => {
      const doc = made('Doc', { id: 'x' });
      await em.persistAndFlush(doc);
      await em.transactional(async inner => void inner.remove(doc));
      await em.flush();

      expect(await docs()).to.deep.equal([]);
    });
  });

  it('S16 is gone once it was taken out of a collection with orphan removal', async () => {
    await runInTenant('acme', async em => {
      const doc = made('Doc', { id: 'x' });
      const note = made('Note', { id: '00000000-0000-4000-8000-000000000001' });
      doc['notes'].add(note);
      await em.persistAndFlush(doc);
      doc['notes'].remove(note);
      await em.flush();
      await em.flush();

      expect(await database.query('select id from acme.note')).to.deep.equal([]);
    });
  });

  const ENTER: Readonly<Record<string, (em: EntityManager, doc: Made) => unknown>> = {
    persist: (em, doc) => em.persist(doc),
    'a cascade': (em, doc) => em.persist(made('Note', { id: '00000000-0000-4000-8000-000000000002', doc })).flush(),
    merge: (em, doc) => em.merge(doc),
    upsert: (em, doc) => em.upsert(doc),
    upsertMany: (em, doc) => em.upsertMany([doc]),
    'persist, and upsert once more': async (em, doc) => {
      await em.persist(doc).flush();
      await em.upsert(doc);
    },
  };

  for (const [how, enter] of Object.entries(ENTER)) {
    it(`S16 is the one instance of its row: by ${how}`, async () => {
      const { orm, entities } = twins.scoped;
      await database.query(how === 'merge' ? `insert into acme.doc (id) values ('x')` : 'select 1');

      for (const upsertManaged of [true, false]) {
        orm.config.set('upsertManaged', upsertManaged);
        await runInTenant('acme', async em => {
          const doc = made('Doc', { id: 'x' });
          await enter(em, doc);

          expect(em.getReference(entities.Doc, 'x')).to.equal(doc);
          expect(em.getUnitOfWork().getById(entities.Doc, 'x')).to.equal(doc);
          expect(await em.findOne(entities.Doc, 'x')).to.equal(doc);
          em.remove(doc);
          await em.flush();
          expect(await docs()).to.deep.equal([]);
          await database.query(`delete from acme.note; `);
          await database.query(how === 'merge' ? `insert into acme.doc (id) values ('x')` : 'select 1');
        });
      }
    });
  }

  it('S16 is the one instance of its row where a call names the tenant, outside any scope', async () => {
    const { orm, entities } = twins.scoped;
    await database.query(`insert into acme.doc (id) values ('x')`);

    for (const enter of [
      (em: EntityManager, doc: Made) => em.merge(doc, { schema: 'acme' }),
      (em: EntityManager, doc: Made) => em.upsert(doc, undefined, { schema: 'acme' }),
      (em: EntityManager, doc: Made) => em.upsertMany([doc], undefined, { schema: 'acme' }),
    ]) {
      const em = orm.em.fork();
      const doc = made('Doc', { id: 'x' });
      await enter(em, doc);

      expect(await em.findOne(entities.Doc, 'x', { schema: 'acme' })).to.equal(doc);
      em.remove(doc);
      await em.flush();
      expect(await docs()).to.deep.equal([]);
      await em.upsert(entities.Doc, { id: 'x' }, { schema: 'acme' });
    }
  });

  it('S16, law 2: belongs to the tenant whose EntityManager it was given to first', async () => {
    const doc = made('Doc', { id: 'x' });
    await runInTenant('acme', em => void em.persist(doc));

    await refusal(
      runInTenant('bob', em => em.persistAndFlush(doc)),
      'CROSS_TENANT',
    );
    expect(await database.query(`select 1 from bob.doc where id = 'x'`)).to.deep.equal([]);
    await runInTenant('acme', em => em.persistAndFlush(doc));
    expect(await docs()).to.deep.equal(['x']);
  });
});
