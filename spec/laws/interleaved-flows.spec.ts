import { setImmediate } from 'node:timers/promises';
import { currentTenant } from '@landlord/mikro-orm';
import { raw, type TransactionPropagation } from '@mikro-orm/core';
import { CreateRequestContext, EnsureRequestContext } from '@mikro-orm/decorators/es';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import { Country, Person } from '../support/models/carried-works/domain.ts';
import { FIRST_KEY, otherOf, World, type Twin } from '../support/models/carried-works/world.ts';

/** What a flow does in its tenant's scope. `global` is the EntityManager of the ORM. */
type Work = (em: any, at: { readonly twin: Twin; readonly global: any }) => unknown;

const loadByKey: (em: any, twin: Twin) => Promise<unknown> = (em, twin) =>
  Promise.all([1, 2, FIRST_KEY[twin] + 1].map(id => em.getReference(Person, id, { wrapped: true }).load({ dataloader: true })));

const LOADERS: Readonly<Record<string, Work>> = {
  references: async em => Promise.all((await em.find(Person, {})).map((each: any) => each.mentor?.load({ dataloader: true }))),
  'references by key': (em, { twin }) => loadByKey(em, twin),
  'references by key, by the global EntityManager': (_, { twin, global }) => loadByKey(global, twin),
  collections: async em =>
    Promise.all(
      (await em.find(Person, {})).flatMap((each: any) => [each.friends.load({ dataloader: true }), each.pets.load({ dataloader: true })]),
    ),
  'collections of a shared entity': async em =>
    Promise.all((await em.find(Country, {})).map((each: any) => each.people.load({ dataloader: true }))),
  counts: async em => Promise.all((await em.find(Person, {})).map((each: any) => each.friends.loadCount({ dataloader: true }))),
};

const READS: Readonly<Record<string, Work>> = {
  'a window function in a query': em =>
    em
      .qb(Person, 'a')
      .select(['a.id', 'a.name', raw('first_value(a.name) over (order by a.id desc) as first')])
      .execute(),
  'a window function in a condition': em =>
    em.find(Person, { id: { $in: em.qb(Person, 'w').select(raw('first_value(w.id) over (order by w.id desc)')) } }),
  'a window function in SQL': em => em.execute('select name, lag(name) over w from person window w as (order by id)'),
  'a window function in SQL of the global EntityManager': (_, { global }) =>
    global.execute('select first_value(name) over (order by id desc) as name from person'),
  'SQL of the connection for reads': em => em.getConnection('read').execute('select name from person'),
  'SQL of the global EntityManager’s connection for reads': (_, { global }) =>
    global.getConnection('read').execute('select name from person'),
  'Kysely of the connection for reads': em => em.getConnection('read').getClient().selectFrom('person').selectAll().execute(),
  'a query of the connection for reads': em => em.createQueryBuilder(Person, 'a', 'read').select('*').execute(),
};

const DECORATORS = { CreateRequestContext, EnsureRequestContext };

const PROPAGATIONS: readonly `${TransactionPropagation}`[] = [
  'required',
  'requires_new',
  'nested',
  'not_supported',
  'supports',
  'mandatory',
  'never',
];

onDatabases(
  'flows of two tenants at once',
  database => {
    let world: World;

    before(async () => {
      world = await World.open(database);
    });

    afterEach(() => world.reset());

    const run = async (twin: Twin, work: Work): Promise<any> => {
      const { wrong, error, answer } = await world.run(twin, async em => [await work(em, { twin, global: world.orm.em })]);
      expect(error).to.equal(undefined);
      expect(wrong).to.deep.equal([]);

      return (answer as unknown[])[0];
    };

    /** Runs the work in flows that wait for the same ticks. Each of them has something to show. */
    const runAtOnce = async (work: Work): Promise<void> => {
      const answers = await Promise.all((['acme', 'bob', 'acme', 'bob'] as const).map(twin => run(twin, work)));

      for (const answer of answers) {
        expect(answer).to.not.be.oneOf([undefined, null]);
        expect(answer).to.not.deep.equal([]);
      }

      expect(await world.wrongRows()).to.deep.equal([]);
    };

    for (const [name, work] of Object.entries(LOADERS)) {
      it(`law 2, S3: ${name} that a dataloader batches are each tenant’s own`, () => runAtOnce(work));
    }

    for (const [name, work] of Object.entries(READS)) {
      it(`law 2, S3: ${name} reads each tenant’s own rows`, () => runAtOnce(work));
    }

    it('law 2, S3: a dataloader batches nothing of a scope within another one’s', () =>
      runAtOnce(async (em, { twin }) => {
        const one = await em.findOneOrFail(Person, 2);
        const loadsTheirs: Work = async other => (await other.findOneOrFail(Person, 2)).mentor.load({ dataloader: true });
        const [own] = await Promise.all([one.mentor.load({ dataloader: true }), run(otherOf(twin), loadsTheirs)]);

        return own;
      }));

    for (const [name, decorator] of Object.entries(DECORATORS)) {
      const decorated = (work: () => Promise<unknown>): Promise<unknown> => decorator(() => world.orm as never)(work, {} as never).call({});

      it(`law 2, S1, S3: @${name} is in its flow’s scope, and in that of another one within it`, () =>
        runAtOnce((_, { twin, global }) =>
          decorated(async () => {
            await run(otherOf(twin), () =>
              decorated(async () => {
                await setImmediate();

                return global.find(Person, {});
              }),
            );
            expect(currentTenant({ orm: world.orm as never })?.schemaName).to.equal(twin);

            return global.find(Person, {});
          }),
        ));
    }

    for (const propagation of PROPAGATIONS) {
      // it asks for a transaction, or for none
      const inside = async (em: any, work: (tx: any) => Promise<unknown>): Promise<unknown> =>
        propagation === 'mandatory'
          ? em.transactional((outer: any) => outer.transactional(work, { propagation }))
          : em.transactional(work, { propagation });

      it(`law 2, S1, S3: a transaction of the propagation ${propagation} is in its flow’s scope, and in that of another one within it`, () =>
        runAtOnce((em, { twin, global }) =>
          inside(em, async tx => {
            const theirs = await run(otherOf(twin), other =>
              inside(other, async otherTx => [await otherTx.find(Person, {}), await global.find(Person, {})]),
            );
            expect(theirs).to.have.length(2);
            const own = await global.execute('select name from person');
            expect(own[0].name).to.match(new RegExp(`^${twin}`));

            return [await tx.find(Person, {}), await global.find(Person, {}), own];
          }),
        ));
    }
  },
  ['postgresql'],
);
