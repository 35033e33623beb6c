import { runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { ChangeSet, ChangeSetType, wrap, type EventSubscriber } from '@mikro-orm/core';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { Contract, everyRow, openWriters, Volume, Writer } from '../support/orm/writers.ts';
import { openBeside, type SpecOrm } from '../support/orm/open-orm.ts';

type Act = (em: TenantEntityManager) => void;

/** Ways to be told that a transaction begins, none of which is a plain method of a subscriber to everything. */
const WHEN_BEGUN: Readonly<Record<string, (act: Act) => object>> = {
  'a subscriber to other entities': act => ({
    getSubscribedEntities: () => [Writer],
    beforeTransactionStart: ({ em }: Told) => act(em),
  }),
  'a method of a class': act =>
    new (class {
      afterTransactionStart({ em }: Told): void {
        act(em);
      }
    })(),
  'one that another registers during the flush': act => ({
    onFlush: ({ em }: Told) => em.getEventManager().registerSubscriber({ beforeTransactionStart: told => act(told.em as Told['em']) }),
  }),
};

onDatabases('what is written without the first check of a flush', database => {
  let orm: SpecOrm;
  let theirs: Writer;

  before(async () => {
    orm = await openWriters(database);
    theirs = await runInTenant('bob', em => em.findOneOrFail(Writer, 2), { orm });
  });

  for (const hasFlushed of [true, false]) {
    it(`law 2: new entities that refer to another tenant’s are not inserted by an EntityManager of none that has ${hasFlushed ? '' : 'not '}flushed`, async () => {
      const em = orm.em.fork();

      if (hasFlushed) {
        const writer = await em.findOneOrFail(Writer, 1, { schema: 'acme' });
        writer.name += '.';
        await em.flush();
      }

      const untouched = await everyRow(database);
      const volume = Object.assign(new Volume(), { id: 9, title: 'new', writer: theirs });
      wrap(volume).setSchema('acme');
      await refusal(em.insert(volume), 'CROSS_TENANT');
      await refusal(em.insert(Volume, volume), 'CROSS_TENANT');
      await refusal(em.insertMany([volume]), 'CROSS_TENANT');
      expect(await everyRow(database)).to.deep.equal(untouched);
    });
  }

  it('law 2: what no flush has planned is looked at where it is written', async () => {
    const untouched = await everyRow(database);
    await runInTenant(
      'acme',
      async scoped => {
        const em = scoped.fork();
        const own = await em.findOneOrFail(Volume, 1);
        own.title = `${own.title}.`;
        await em.begin();
        await em.flush();
        own.writer = theirs;
        const uow = em.getUnitOfWork();
        const change = new ChangeSet(own, ChangeSetType.UPDATE, { title: 'x' }, wrap(own, true).__meta);
        await refusal(uow.getChangeSetPersister().executeUpdates([change], false), 'CROSS_TENANT');
        await em.rollback();
      },
      { orm },
    );
    expect(await everyRow(database)).to.deep.equal(untouched);
  });

  it('law 2: a hook that sets another tenant’s entity and clears the EntityManager does not get it stored', async () => {
    await refuseFlushTold({
      beforeUpdate({ entity, em }) {
        (entity as Volume).writer = theirs;
        em.clear();
      },
    });
  });

  for (const [name, told] of Object.entries(WHEN_BEGUN)) {
    it(`law 2: another tenant’s entity that is set when a transaction begins is not stored: ${name}`, async () => {
      await refuseFlushTold(
        told(em => {
          const uow = em.getUnitOfWork();
          const { entity } = uow.getChangeSets()[0] as unknown as { readonly entity: Volume };
          entity.writer = theirs;
          uow.recomputeSingleChangeSet(entity);
        }),
      );
    });
  }

  // MikroORM reads the key of a removed entity when it deletes the row
  it('law 2: the key of a removed entity that is set to another tenant’s entity while the flush is under way deletes no row', async () => {
    let removed: Contract | undefined;
    const watching = await openBeside(database, orm, {
      onQuery: sql => {
        if (removed !== undefined && sql.startsWith('update "acme"."contract"')) {
          removed.writer = theirs;
        }

        return sql;
      },
    });
    const untouched = await everyRow(database);
    await runInTenant(
      'acme',
      async em => {
        const [contract, other] = await em.find(Contract, {}, { orderBy: { writer: 'asc' } });
        Object.assign(other as Contract, { terms: 'changed' });
        em.remove(contract as Contract);
        removed = contract;
        await refusal(em.flush(), 'CROSS_TENANT');
        expect(contract?.writer).to.equal(theirs);
      },
      { orm: watching },
    );
    expect(await everyRow(database)).to.deep.equal(untouched);
  });

  async function refuseFlushTold(subscriber: EventSubscriber): Promise<void> {
    const untouched = await everyRow(database);
    await runInTenant(
      'acme',
      async scoped => {
        const em = scoped.fork({ freshEventManager: true });
        em.getEventManager().registerSubscriber(subscriber);
        const own = await em.findOneOrFail(Volume, 1);
        own.title = 'changed';
        await refusal(em.flush(), 'CROSS_TENANT');
      },
      { orm },
    );
    expect(await everyRow(database)).to.deep.equal(untouched);
  }
});

interface Told {
  readonly em: TenantEntityManager;
}
