import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { until } from '../../support/assertions/until.ts';
import { schemaNames } from '../../support/databases/catalog.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { describeSchema, rowsOfSchema } from '../../support/databases/whole-schema.ts';
import { effort } from '../../support/generators/effort.ts';
import { REPLAY } from '../../support/generators/property.ts';
import { randomNumbers } from '../../support/generators/random.ts';
import { host, openHardOrm } from '../../support/orm/hard-orm.ts';
import { ROOT } from '../../support/orm/library-orm.ts';

const TABLES = Array.from({ length: 12 }, (_, n) => [
  `create table t${n} (id serial primary key, text text not null${n === 0 ? '' : `, parent_id int references t${n - 1} (id)`})`,
  `create index t${n}_text on t${n} (text)`,
]).flat();

const KILLS = effort(2, 50);
const SEED = REPLAY.seed ?? 20_261_129;

onDatabases(
  'copying and moving tenants, killed',
  database => {
    let folder: string;
    let file: string;

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'landlord-spec-'));
      file = join(folder, 'acme');
      await openHardOrm(database, { statements: TABLES });
      await tenants().create(host('acme'));

      for (let n = 0; n < 12; n += 1) {
        await database.query(`insert into acme.t${n} (text) select md5(i::text) from generate_series(1, 300) i`);
        await database.query(TABLES[2 * n]?.replace(/table t/, 'table public.t').replace('references t', 'references public.t') ?? '');
        await database.query(`alter table public.t${n} add customer_id int`);
      }

      await tenants().export('acme', createWriteStream(file));
    });

    after(() => rm(folder, { recursive: true }));

    for (const operation of ['clone', 'import', 'extract', 'adopt'] as const) {
      it(`L6 ${operation} is as before or as after, ${KILLS} times by SIGKILL and ${KILLS} times by the server (FC_SEED=${SEED})`, async function () {
        this.timeout(60_000 + KILLS * 10_000);
        const random = randomNumbers(SEED);
        let cut = 0;

        for (let kill = 0; kill < 2 * KILLS; kill += 1) {
          const name = `${operation}_${kill}`;
          await prepare(operation, name);
          const before = await stateOf(name);
          await killed({ operation, name, bySignal: kill % 2 === 0, afterMs: random() * (kill % 4 === 0 ? 20 : 90) });
          const after = await stateOf(name);
          const isAsBefore = JSON.stringify(after) === JSON.stringify(before);
          cut += isAsBefore ? 1 : 0;

          if (!isAsBefore) {
            await expectDone(operation, name);
          } else {
            // nothing that was left stands in the way
            await run(operation, name);
            await expectDone(operation, name);
          }
        }

        expect(cut).to.be.above(0);
      });
    }

    async function prepare(operation: string, name: string): Promise<void> {
      if (operation === 'extract') {
        const row = await tenants().create(host(name), { autoCreateSchema: false });

        for (let n = 0; n < 12; n += 1) {
          await database.query(
            `insert into public.t${n} (text, customer_id) select md5(i::text), ${row.id} from generate_series(1, 200) i`,
          );
        }
      }

      if (operation === 'adopt') {
        await database.query(`create schema ${name}`);

        for (const sql of TABLES) {
          await database.query(sql.replace(/table t/, `table ${name}.t`).replace(/ (on|references) t/, ` $1 ${name}.t`));
        }
      }
    }

    async function run(operation: string, name: string): Promise<void> {
      await (operation === 'clone'
        ? tenants().clone('acme', host(name))
        : operation === 'import'
          ? tenants().import(file, host(name))
          : operation === 'extract'
            ? tenants().extract(name, { column: 'customer_id', without: ['customer_id'] })
            : tenants().adopt(host(name)));
    }

    /** All that an operation may change. */
    async function stateOf(name: string): Promise<unknown> {
      const [row] = await database.query('select count(*)::int as n from customer where schema_name = $1', [name]);
      const [left] = await database.query('select count(*)::int as n from public.t3');
      const isThere = (await schemaNames(database)).includes(name);

      return { row, left, described: isThere ? await describeSchema(database, name) : undefined };
    }

    async function expectDone(operation: string, name: string): Promise<void> {
      expect((await tenants().history(name)).map(each => each.name)).to.deep.equal(['Hard']);
      expect(await describeSchema(database, name)).to.deep.equal(await describeSchema(database, 'acme'));
      const rows = await rowsOfSchema(database, name);

      if (operation === 'extract') {
        expect(await database.query('select count(*)::int as n from public.t11')).to.deep.equal([{ n: 0 }]);
        expect(rows['t11']).to.have.nested.property('[0].count', 200);
      } else if (operation !== 'adopt') {
        expect(rows).to.deep.equal(await rowsOfSchema(database, 'acme'));
      }
    }

    async function killed({
      operation,
      name,
      bySignal,
      afterMs,
    }: {
      operation: string;
      name: string;
      bySignal: boolean;
      afterMs: number;
    }): Promise<void> {
      const argument = JSON.stringify({ statements: TABLES, operation, name, file });
      const child = spawn(process.execPath, [join(ROOT, 'spec/support/processes/data-process.mjs'), database.url ?? '', argument], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exit = once(child, 'exit');
      const lines = createInterface(child.stdout);
      await once(lines, 'line');
      await new Promise(resolve => setTimeout(resolve, afterMs));

      if (bySignal) {
        child.kill('SIGKILL');
      } else {
        await database.query(
          `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'spec child' and pid <> pg_backend_pid()`,
        );
      }

      await exit;
      await until('the sessions of the child are gone', async () => {
        const [row] = await database.query(`select count(*)::int as n from pg_stat_activity where application_name = 'spec child'`);

        return row?.['n'] === 0;
      });
    }
  },
  ['postgresql'],
);
