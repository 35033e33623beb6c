import { tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { onDatabases, type SpecDatabase } from '../support/databases/database.ts';
import { effort } from '../support/generators/effort.ts';
import { REPLAY } from '../support/generators/property.ts';
import { randomNumbers } from '../support/generators/random.ts';
import { contentsOfLife, drawSteps, Estate, ESTATES, openLife } from '../support/models/twin-lives.ts';
import { Note } from '../support/orm/note-orm.ts';
import { openOrm, type SpecOrm } from '../support/orm/open-orm.ts';

const LIVES = effort(3, 150);
const STEPS = 40;
const SEED = REPLAY.seed ?? Date.now() % 0x7fffffff;

onDatabases(
  'lives of tenants on PostgreSQL and on PGlite',
  server => {
    onDatabases(
      'beside each other',
      lite => {
        let orms: readonly SpecOrm[];

        before(async () => {
          orms = [await open(server), await open(lite)];
        });

        it(`G4 L1 L3 S2 have the same results, errors and rows: ${LIVES} lives of ${STEPS} steps (FC_SEED=${SEED})`, async function () {
          this.timeout(600_000);

          for (let life = 0; life < LIVES; life += 1) {
            const seed = SEED + life;
            const twins = orms.map(openLife);
            const done: string[] = [];

            for (const { label, take } of drawSteps(randomNumbers(seed), STEPS)) {
              done.push(label);
              const answers: unknown[] = [];

              for (const twin of twins) {
                answers.push(await withinTime(take(twin), `FC_SEED=${seed}, at the end of:\n${done.join('\n')}`));
              }

              const [onServer, onLite] = answers;
              expect(onLite, `FC_SEED=${seed}, at the end of:\n${done.join('\n')}`).to.deep.equal(onServer);
            }

            const [onServer, onLite] = [await contentsOfLife(twins[0]!), await contentsOfLife(twins[1]!)];
            expect(onLite, `FC_SEED=${seed}, after:\n${done.join('\n')}`).to.deep.equal(onServer);

            for (const orm of orms) {
              await tenants(orm).purge();

              for (const { schemaName } of await tenants(orm).list()) {
                await tenants(orm).drop(schemaName);
              }
            }
          }
        });
      },
      ['pglite'],
    );
  },
  ['postgresql'],
);

async function open(database: SpecDatabase): Promise<SpecOrm> {
  const orm = await openOrm(database, { ...ESTATES, directory: { listen: false } }, { entities: [Estate, Note] });
  await orm.schema.create();

  return orm;
}

async function withinTime<Result>(work: Promise<Result>, steps: string): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it waits for ever, ${steps}`)), 20_000);
  });

  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
