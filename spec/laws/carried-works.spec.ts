import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import { SEED } from '../support/generators/corpus.ts';
import { effort, turnsOf } from '../support/generators/effort.ts';
import { carry, worksOf, type Work } from '../support/models/carried-works/carry.ts';
import { Person } from '../support/models/carried-works/domain.ts';
import { TAKES } from '../support/models/carried-works/takes.ts';
import { World } from '../support/models/carried-works/world.ts';

/** For each kind of thing. */
const WORKS_OF_A_RUN = 15;

/** Of each kind one that is refused. */
const REFUSED: readonly Work[] = [
  { kind: 'an entity', take: 'a loaded one', use: 'create and flush' },
  { kind: 'a part of one', take: 'a collection', use: 'create and flush' },
  { kind: 'a query', take: 'a query', use: 'create and flush' },
  { kind: 'a manager', take: 'an entity factory', use: 'find' },
  { kind: 'options, conditions and data that were used', take: 'a condition used in an option', use: 'qb where' },
];

onDatabases(
  'what one tenant’s flow has in hand in the other one’s',
  database => {
    let world: World;
    const { error } = console;

    before(async () => {
      world = await World.open(database);
    });

    // MikroORM writes there what one of its compiled functions was made of, when it was given nonsense
    beforeEach(() => {
      console.error = (...args: unknown[]) => void (String(args[0]).startsWith('JIT runtime error') || error(...args));
    });

    afterEach(() => {
      console.error = error;
    });

    for (const kind of Object.keys(TAKES)) {
      it(`law 2, S9, S13: of ${kind} nothing is stored, sent or answered for another tenant (FC_SEED=${SEED})`, async function () {
        this.timeout(effort(180_000, 3_600_000));
        const wrong: string[] = [];

        for (const [index, work] of turnsOf(worksOf(kind), SEED, WORKS_OF_A_RUN).entries()) {
          const carried = await carry(world, work, SEED + index);
          wrong.push(...carried.wrong);
        }

        expect(wrong).to.deep.equal([]);
      });
    }

    it('law 2: of each kind something is refused, so it is given to what refuses it', async () => {
      for (const work of REFUSED) {
        const { isRefused } = await carry(world, work, 1);
        expect(isRefused, work.kind).to.equal(true);
      }
    });

    it('law 2: what would be stored, sent or answered is noticed', async () => {
      const stored = await world.run('acme', async () => {
        await database.query(`update acme.person set note = 'of bob' where id = 1`);
      });
      expect(stored.wrong).to.deep.equal([]);
      expect(await world.wrongRows()).to.have.length(1);
      expect(await world.wrongRows()).to.deep.equal([]);
      const sent = await world.run('acme', em => em.find<any>(Person, { name: 'bob person 1' }));
      expect(sent.wrong).to.have.length(1);
      const answered = await world.run('acme', async () => [{ name: 'bob person 1' }]);
      expect(answered.wrong).to.have.length(1);
    });
  },
  ['postgresql'],
);
