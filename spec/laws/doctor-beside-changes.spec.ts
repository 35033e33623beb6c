import { tenants, type TenantService } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import { REPLAY } from '../support/generators/property.ts';
import { randomNumbers } from '../support/generators/random.ts';
import { live, LIFE_ENTITIES, LIFE_OPTIONS, type Life } from '../support/models/lives.ts';
import { openOrm } from '../support/orm/open-orm.ts';
import { migrationOf, openTenantSet, sqlMigration, type TenantSet } from '../support/orm/tenant-set.ts';

const SEED = REPLAY.seed ?? 20_261_129;
/** How often the doctor looks. */
const LOOKS = 5;

onDatabases(
  'the doctor while tenants come and go',
  database => {
    it(`L5 finds nothing while tenants are created, renamed, deleted, restored and dropped (FC_SEED=${SEED})`, async () => {
      const orm = await openOrm(database, LIFE_OPTIONS, { entities: LIFE_ENTITIES, pool: { max: 6 } });
      await orm.schema.create();
      const done = new Map<string, number>();
      const random = randomNumbers(SEED);
      const errors: unknown[] = [];
      let isOver = false;
      const lives = [1, 2].map(() =>
        live(
          orm,
          () => {
            if (isOver) {
              throw OVER;
            }

            return random();
          },
          {
            onStep: (step, isDone) => isDone && done.set(step, (done.get(step) ?? 0) + 1),
            onError: error => error === OVER || errors.push(error),
          },
        ).catch((error: unknown) => {
          if (error !== OVER) {
            throw error;
          }
        }),
      );
      const found = await looks(tenants<Life>(orm), LOOKS);
      isOver = true;
      await Promise.all(lives);

      expect([errors, found]).to.deep.equal([[], []]);
      // otherwise it has shown nothing
      expect(done.size).to.be.greaterThan(3);
      expect((await tenants<Life>(orm).doctor({ deep: true })).findings).to.deep.equal([]);
    });
  },
  ['postgresql'],
);

onDatabases(
  'the doctor while tenants are migrated',
  database => {
    it('L5 finds neither drift, nor a broken history, nor an index that is not valid while tenants are migrated up and down', async () => {
      const set: TenantSet = await openTenantSet(database);
      const service = set.tenants;
      await set.create('a', 'b', 'c', 'd', 'e', 'f');
      set.use(
        migrationOf('M2', migration => migration.addSql('create index concurrently "tag_again" on "tag" ("name")'), {
          down: migration => migration.addSql('drop index concurrently "tag_again"'),
          transactional: false,
        }),
        sqlMigration('M3', 'create table "item" ("id" serial primary key, "name" text)', 'drop table "item"'),
      );
      let isOver = false;
      let runs = 0;
      const migrating = (async (): Promise<void> => {
        for (; !isOver; runs += 1) {
          await service.migrate();
          await service.migrate({ direction: 'down' });
          await service.migrate({ direction: 'down' });
        }
      })();
      const found = await looks(service, LOOKS);
      isOver = true;
      await migrating;

      // that a tenant lacks a migration is true
      expect(found.filter(kind => kind !== 'history-behind')).to.deep.equal([]);
      expect(runs).to.be.greaterThan(1);
      await set.clear();
    });
  },
  ['postgresql'],
);

/** The kinds of what is found when it looks so often. */
async function looks(service: Pick<TenantService<never>, 'doctor'>, times: number): Promise<string[]> {
  const kinds: string[] = [];

  for (let n = 0; n < times; n += 1) {
    const { findings } = await service.doctor({ deep: true });
    kinds.push(...findings.map(({ kind, message }) => (kind === 'history-behind' ? kind : `${kind}: ${message}`)));
  }

  return kinds;
}

const OVER = new Error('over');
