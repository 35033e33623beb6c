import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { until } from '../support/assertions/until.ts';
import { schemaNames } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { effort } from '../support/generators/effort.ts';
import { REPLAY } from '../support/generators/property.ts';
import { randomNumbers } from '../support/generators/random.ts';
import { LIFE_ENTITIES, LIFE_OPTIONS, type Life } from '../support/models/lives.ts';
import { ROOT } from '../support/orm/library-orm.ts';
import { openOrm, type SpecOrm } from '../support/orm/open-orm.ts';
import { STRIPS_TYPES } from '../support/processes/strips-types.ts';

const KILLS = effort(2, 50);
/** How often connections are cut before each kill. */
const CUTS = 5;
const SEED = REPLAY.seed ?? 20_261_128;

onDatabases(
  'the life of tenants that is cut short',
  database => {
    let orm: SpecOrm;

    before(async () => {
      orm = await openOrm(database, LIFE_OPTIONS, { entities: LIFE_ENTITIES });
      await orm.schema.create();
    });

    it(`L6 leaves each tenant as before or as after, ${KILLS} kills and ${KILLS * CUTS} cuts over (FC_SEED=${SEED}), two things at once on a tenant`, async function () {
      this.timeout(300_000);
      const random = randomNumbers(SEED);
      const done = new Map<string, number>();
      const errors: string[] = [];

      for (let kill = 0; kill < KILLS; kill += 1) {
        const child = startChild(Math.floor(random() * 1e9));
        const ended = once(child, 'exit');
        let steps = 0;
        child.on('message', (message: { step?: string; isDone?: boolean; error?: string }) => {
          steps += 1;
          errors.push(...(message.error === undefined ? [] : [message.error]));

          if (message.isDone === true) {
            done.set(message.step ?? '', (done.get(message.step ?? '') ?? 0) + 1);
          }
        });

        try {
          for (let cut = 0; cut < CUTS; cut += 1) {
            const goal = steps + 10 + Math.floor(random() * 25);
            await until('it has gone on', () => steps >= goal || child.exitCode !== null);
            await cutConnections();
          }

          const last = steps + Math.floor(random() * 20);
          await until('it has gone on', () => steps >= last || child.exitCode !== null);
        } finally {
          child.kill('SIGKILL');
        }

        await ended;
        expect(child.exitCode, 'it has ended by itself').to.equal(null);
        await cutConnections();
        expect(errors).to.deep.equal([]);
        expect(await problems(), `after kill ${kill + 1}`).to.deep.equal([]);
      }

      // otherwise it has shown nothing
      expect(done.size).to.be.greaterThan(3);
    });

    /** What does not fit together: what the doctor finds, and rows that are not of the tenant whose schema they are in. */
    async function problems(): Promise<string[]> {
      const { findings } = await tenants<Life>(orm).doctor({ deep: true });
      const rows = await database.query<{ name: string; schema_name: string }>('select name, schema_name from life');
      const schemas = await schemaNames(database);
      const found = findings.map(({ kind, schemaName }) => `${kind} ${schemaName}`);

      for (const { name, schema_name: schemaName } of rows) {
        const notes = await database.query<{ text: string }>(`select text from "${schemaName}".note`);
        found.push(...notes.filter(({ text }) => text !== name).map(({ text }) => `${text} is in the schema of ${name}`));
      }

      return schemas.length === rows.length ? found : [...found, `${schemas.length} schemas of ${rows.length} tenants`];
    }

    /** Ends the sessions of the child, whatever they do. */
    async function cutConnections(): Promise<void> {
      await database.query(
        `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and application_name = 'spec child'`,
      );
    }

    function startChild(seed: number): ChildProcess {
      return fork(join(ROOT, 'spec/support/processes/life-child.mjs'), [String(seed)], {
        env: { ...process.env, DATABASE_URL: database.url, PGAPPNAME: 'spec child' },
        execArgv: [...STRIPS_TYPES],
      });
    }
  },
  ['postgresql'],
);
