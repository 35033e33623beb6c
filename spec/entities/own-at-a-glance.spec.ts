import { runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { ref, type EventSubscriber } from '@mikro-orm/core';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import { refusal } from '../support/assertions/refusal.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';
import { everyRow, Imprint, Label, openWriters, Volume, Writer } from '../support/orm/writers.ts';

interface Theirs {
  readonly writer: Writer;
  readonly label: Label;
}

/** Data that a glance could take for the tenant's own. */
const GIVEN: Readonly<Record<string, (em: TenantEntityManager, theirs: Theirs) => unknown>> = {
  'in a list, after an own one': (em, { label }) =>
    em.create(Volume, { id: 9, title: 'x', writer: 1 as never, labels: [em.getReference(Label, 2), label] }),
  'as a reference': (em, { writer }) => em.create(Volume, { id: 9, title: 'x', writer: 1 as never, translator: ref(writer) }),
  'that an own entity refers to': async (em, { writer }) => {
    const own = await em.findOneOrFail(Volume, 1);
    own.writer = writer;
    em.create(Label, { id: 9, name: 'x', volumes: [own] });
  },
  'in an embeddable': (em, { writer }) => em.create(Volume, { id: 9, title: 'x', writer: 1 as never, imprint: { editor: writer } }),
  'in an instance of an embeddable': (em, { writer }) =>
    em.create(Volume, { id: 9, title: 'x', writer: 1 as never, imprint: Object.assign(new Imprint(), { editor: writer }) }),
  'in lists in each other': (em, { writer }) =>
    em.create(Volume, { id: 9, title: 'x', writer: 1 as never, notes: Array.from({ length: 12 }).reduce(list => [list], writer) as never }),
  'in what says that it is an own one': (em, { writer }) =>
    em.create(Volume, {
      id: 9,
      title: 'x',
      writer: 1 as never,
      imprint: { editor: writer, __helper: { __schema: 'acme' }, __entity: true } as never,
    }),
};

type LateHook = 'beforeTransactionStart' | 'afterTransactionStart' | 'beforeCreate' | 'afterCreate' | 'beforeUpdate' | 'afterUpdate';

onDatabases('what is told to be of the own tenant at a glance', database => {
  let orm: SpecOrm;
  let untouched: unknown;

  const theirsIn = (schemaName: string): Promise<Theirs> =>
    runInTenant(schemaName, async em => ({ writer: await em.findOneOrFail(Writer, 2), label: await em.findOneOrFail(Label, 1) }), { orm });

  before(async () => {
    orm = await openWriters(database);
    untouched = await everyRow(database);
  });

  for (const [name, use] of Object.entries(GIVEN)) {
    it(`law 2: another tenant’s entity in data is none, ${name}`, async () => {
      const theirs = await theirsIn('bob');
      const error = await refusal(
        runInTenant(
          'acme',
          async em => {
            await use(em, theirs);
            await em.flush();
          },
          { orm },
        ),
      );

      expect(error).to.have.property('code', 'CROSS_TENANT');
      expect(await everyRow(database)).to.deep.equal(untouched);
    });
  }

  for (const hook of [
    'beforeTransactionStart',
    'afterTransactionStart',
    'beforeCreate',
    'afterCreate',
    'beforeUpdate',
    'afterUpdate',
  ] as const) {
    it(`law 2: what ${hook} of another class changes after the flush was looked at is looked at again`, async () => {
      const theirs = await theirsIn('bob');
      const error = await refusal(
        runInTenant(
          'acme',
          async scoped => {
            const em = scoped.fork({ cloneEventManager: true });
            const [own, writer] = [await em.findOneOrFail(Volume, 1), await em.findOneOrFail(Writer, 1)];
            own.title = 'changed';
            writer.name = 'changed';
            em.create(Writer, { id: 9, name: 'new' });
            em.getEventManager().registerSubscriber(
              subscriberOf(hook, () => {
                own.writer = theirs.writer;
                em.getUnitOfWork().recomputeSingleChangeSet(own);
              }),
            );
            await em.flush();
          },
          { orm },
        ),
      );

      expect(error).to.have.property('code', 'CROSS_TENANT');
      expect(await everyRow(database)).to.deep.equal(untouched);
    });
  }
});

/** Subscribes to writers alone. MikroORM tells it of every transaction all the same. */
function subscriberOf(hook: LateHook, act: () => void): EventSubscriber {
  return { getSubscribedEntities: () => [Writer], [hook]: act };
}
