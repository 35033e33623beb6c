import { CrossTenantError, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { ref, type EventSubscriber } from '@mikro-orm/core';
import { expect } from 'chai';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { everyRow, Label, openWriters, Volume, Writer } from '../support/orm/writers.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';

type Hook = 'beforeFlush' | 'onFlush' | 'beforeCreate' | 'beforeUpdate' | 'beforeDelete';

interface Theirs {
  readonly writer: Writer;
  readonly label: Label;
}

/** What a user's own hook does with an entity of another tenant, and whether its flush has begun a transaction by then. */
const HOOKS: Readonly<Record<string, { readonly hook: Hook; readonly by: readonly string[]; readonly begun: boolean; act: Act }>> = {
  'beforeFlush sets a relation': {
    hook: 'beforeFlush',
    by: ['Volume.writer', 'Writer.volumes'],
    begun: false,
    act: ({ own, theirs }) => (own.writer = theirs.writer),
  },
  'onFlush sets a relation and has the change set computed again': {
    hook: 'onFlush',
    by: ['Volume.writer', 'Writer.volumes'],
    begun: false,
    act: ({ own, theirs, uow }) => {
      own.writer = theirs.writer;
      uow.recomputeSingleChangeSet(own);
    },
  },
  'onFlush sets a relation without an inverse side and has the change set computed': {
    hook: 'onFlush',
    by: ['Volume.translator'],
    begun: false,
    act: ({ own, theirs, uow }) => {
      own.translator = ref(theirs.writer);
      uow.computeChangeSet(own);
    },
  },
  'onFlush has a change set computed for it': {
    hook: 'onFlush',
    by: [],
    begun: false,
    act: ({ theirs, uow }) => {
      theirs.label.name = 'x';
      uow.computeChangeSet(theirs.label);
    },
  },
  'onFlush has it removed': {
    hook: 'onFlush',
    by: [],
    begun: false,
    act: ({ theirs, uow }) => uow.computeChangeSet(theirs.label, 'delete'),
  },
  'beforeCreate sets a relation': {
    hook: 'beforeCreate',
    by: ['Volume.writer', 'Writer.volumes'],
    begun: true,
    act: ({ created, theirs }) => (created.writer = theirs.writer),
  },
  'beforeUpdate sets a relation': {
    hook: 'beforeUpdate',
    by: ['Volume.writer', 'Writer.volumes'],
    begun: true,
    act: ({ own, theirs }) => (own.writer = theirs.writer),
  },
  'beforeCreate adds to a collection': {
    hook: 'beforeCreate',
    by: ['Volume.labels', 'Label.volumes'],
    begun: true,
    act: ({ created, theirs }) => created.labels.add(theirs.label),
  },
  'beforeUpdate adds to a collection of another entity': {
    hook: 'beforeUpdate',
    by: ['Volume.labels', 'Label.volumes'],
    begun: true,
    act: ({ created, theirs }) => created.labels.add(theirs.label),
  },
};

type Act = (given: { own: Volume; created: Volume; theirs: Theirs; uow: any }) => unknown;

onDatabasesAndPooler('hooks of users in a flush', database => {
  let orm: SpecOrm;
  let untouched: unknown;
  let act: { readonly hook: Hook; readonly run: (uow: unknown) => void } | undefined;

  const subscriber = Object.fromEntries(
    (['beforeFlush', 'onFlush', 'beforeCreate', 'beforeUpdate', 'beforeDelete'] as const).map(hook => [
      hook,
      ({ em, uow, entity }: { em: TenantEntityManager; uow?: unknown; entity?: unknown }) => {
        if (act?.hook === hook && (entity === undefined || entity instanceof Volume)) {
          const { run } = act;
          act = undefined;
          run(uow ?? em.getUnitOfWork());
        }
      },
    ]),
  ) as EventSubscriber;

  before(async () => {
    orm = await openWriters(database);
    // later than the library's own, so that it comes after it
    orm.em.getEventManager().registerSubscriber(subscriber);
    untouched = await everyRow(database);
  });

  for (const [name, { hook, by, begun, act: acts }] of Object.entries(HOOKS)) {
    for (const place of ['a tenant’s scope', 'no scope']) {
      it(`law 2: ${name} of another tenant’s in ${place}: nothing of the flush is stored`, async () => {
        const work = async (em: TenantEntityManager): Promise<CrossTenantError> => {
          const bobs = orm.em.fork({ schema: 'bob' });
          const theirs = place === 'no scope' ? await theirsOf(bobs) : await runInTenant('bob', inner => theirsOf(inner), { orm });
          const own = await em.findOneOrFail(Volume, 1, { populate: ['labels', 'writer'] });
          own.title = 'changed';
          const created = em.create(Volume, { id: 9, title: 'new', writer: own.writer, labels: [em.getReference(Label, 2)] });
          act = { hook, run: uow => acts({ own, created, theirs, uow }) };
          database.statements.length = 0;

          return (await refusal(em.flush())) as CrossTenantError;
        };
        const error =
          place === 'no scope' ? await work(orm.em.fork({ schema: 'acme' })) : await runInTenant('acme', em => work(em), { orm });

        expect(error).to.be.instanceOf(CrossTenantError);
        expect([...error.schemaNames].sort()).to.deep.equal(['acme', 'bob']);
        expect(by.length === 0 ? error.property === undefined : by.includes(String(error.property)), error.message).to.equal(true);
        expect(database.statements.length > 0, 'a transaction was begun').to.equal(begun);
        expect(database.statements.filter(statement => /bob/.test(statement))).to.deep.equal([]);

        if (begun) {
          expect(database.statements.at(-1)).to.include('rollback');
        }

        expect(await everyRow(database)).to.deep.equal(untouched);
      });
    }
  }
});

async function theirsOf(em: TenantEntityManager): Promise<Theirs> {
  return { writer: await em.findOneOrFail(Writer, 2), label: await em.findOneOrFail(Label, 1) };
}
