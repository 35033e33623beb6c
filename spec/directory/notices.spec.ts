import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import { until } from '../support/assertions/until.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { visitorOf, type Visit } from '../support/web/visitor.ts';

const CHANNEL = 'landlord:public.library';

onDatabases('notices of whoever may send them', database => {
  let orm: LibraryOrm;
  let visit: (host: string) => Promise<Visit>;

  before(async () => {
    orm = await openLibrary(database);
    await orm.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob')]);
    visit = visitorOf(orm);
    await visit('acme.example.com');
  });

  const FLOODS: Readonly<Record<string, string>> = {
    'long texts, each another': `repeat('x', 7000) || n`,
    'short names, each another': `'n' || n`,
    'questions like the listener’s own': `'?' || n || repeat('x', 7000)`,
    'names of tenants': `'acme'`,
  };

  for (const [flood, payload] of Object.entries(FLOODS)) {
    it(`H10 keeps nothing of ${flood}`, async () => {
      const send = async (): Promise<void> => {
        for (let from = 0; from < NOTICES; from += 2_000) {
          await database.query(`select pg_notify('${CHANNEL}', ${payload}) from generate_series(${from}, ${from + 1_999}) n`);
          await heard();
        }
      };
      // what is made once
      await send();
      let grown = Infinity;

      // what is kept is kept each time. Other specs of this process may have left work that takes memory once
      for (let round = 0; round < 3 && grown >= 4; round++) {
        const before = heap();
        await send();
        grown = (heap() - before) / 2 ** 20;
      }

      // 4,000 of 7 KB are 28 MB
      expect(grown).to.be.below(4);
      expect((await visit('acme.example.com')).served).to.equal('acme');
      expect((await visit('bob.example.com')).served).to.equal('bob');
    });
  }

  /** Resolves when what was sent before has arrived: what is told of is looked up again. */
  async function heard(): Promise<void> {
    database.statements.length = 0;
    await visit('bob.example.com');
    await database.query(`select pg_notify('${CHANNEL}', 'bob')`);
    await until('it is heard', async () => {
      await visit('bob.example.com');

      return database.statements.some(statement => statement.includes('from "public"."library"'));
    });
    database.statements.length = 0;
  }
});

function heap(): number {
  collectGarbage();

  return process.memoryUsage().heapUsed;
}

setFlagsFromString('--expose-gc');

const collectGarbage = runInNewContext('gc') as () => void;

const NOTICES = 4_000;
