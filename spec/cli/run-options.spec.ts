import { expect } from 'chai';
import { reportRun } from '../../dist/cli/run-command.js';
import { createCliProject, type CliProcess, type CliProject, type CliResult } from '../support/processes/cli-project.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary } from '../support/orm/library-orm.ts';
import { historyOf } from '../support/databases/catalog.ts';
import { until } from '../support/assertions/until.ts';
import { countLockWaits, openSession } from '../support/databases/sessions.ts';

const [FIRST, SECOND] = ['Migration20261123063104', 'Migration20991231000000'];
const NAMES = ['acme', 'bob', 'carl', 'dora'];

onDatabases(
  'options of a run on the command line',
  database => {
    let project: CliProject;

    before(async () => {
      const orm = await openLibrary(database);
      await orm.em.fork().persistAndFlush(NAMES.map(name => newLibrary(name, { onTrial: name !== 'dora' })));
      await orm.close();
      project = await createCliProject(database.url ?? '');
      await project.write(`migrations/tenant/${SECOND}.ts`, MIGRATION);
    });

    afterEach(async () => {
      for (const name of NAMES) {
        await database.query(`alter table ${name}.book drop column if exists isbn`);
        await database.query(`delete from ${name}.mikro_orm_migrations where name <> '${FIRST}'`);
      }
    });

    after(() => project.remove());

    it('M3 refuses values it cannot go by in words, exits with 2, and runs nothing', async () => {
      const wrong = [
        ['--concurrency', '0'],
        ['--concurrency', 'many'],
        ['--concurrency'],
        ['--max-failures=-1'],
        ['--max-failures', '1.5'],
        ['--lock-timeout=-5'],
        ['--lock-timeout', 'soon'],
        ['--statement-timeout', 'never'],
        ['--canary', '0'],
        ['--canary', 'nobody'],
        ['--canary'],
        ['--lock-timeout'],
        ['--concurrency', '2', '--concurrency', '3'],
        ['--skip', 'nobody'],
        ['--where', '{nope'],
        ['--where', '[1]'],
        ['--where', '{"nope":1}'],
        ['--to', 'Migration99999999999999'],
      ];

      const results = await project.runAll(wrong.map(args => ['ours', 'migration:up', '--tenants', ...args]));

      for (const [position, { code, output }] of results.entries()) {
        const args = wrong[position]?.join(' ');
        expect(code, `${args}: ${output}`).to.equal(2);
        expect(output, args)
          .to.contain('Nothing was run')
          .and.not.match(/^ +at /m);
      }

      expect(await migrated()).to.deep.equal([]);
    });

    it('M3 leaves out the skipped ones, and those the condition is not true of', async () => {
      const { code, output } = await up('--skip', 'acme', 'bob', '--where', '{"onTrial":true}', '--concurrency', '1');

      expect(code, output).to.equal(0);
      expect(await migrated()).to.deep.equal(['carl']);
    });

    it('M12 has a line for each tenant where there is no terminal, and a summary', async () => {
      const { stdout, stderr } = await up('--lock-timeout', '1000', '--busy-timeout', '60000', '--statement-timeout', '10000');

      const lines = stdout.trim().split('\n');
      expect(lines[0]).to.equal('4 tenants, 4 to migrate');
      expect(lines.slice(1, -1).map(line => line.replace(/\d+ ms|[\d.]+ s/, 'N'))).to.have.members(
        NAMES.map(name => `${name}: ${SECOND} (N)`),
      );
      expect(lines.at(-1)).to.match(/^4 tenants: 4 migrated up, 0 up to date, 0 failed in [\d.]+ m?s; slowest \w+ \([\d.]+ m?s\)$/);
      expect(stderr).to.equal('');
    });

    it('M12 is quiet where asked, but not of a failure', async () => {
      await breakTenant('bob');

      const { code, stdout, stderr } = await up('--quiet');

      expect([code, stdout]).to.deep.equal([1, '']);
      expect(stderr).to.contain('bob: failed').and.contain('SQLSTATE 42701').and.contain('statement: alter table');
      // the summary may name it as the slowest
      expect(stderr).to.not.match(/^acme/m);
      expect((await up('--quiet', '--skip', 'bob')).output).to.equal('');
    });

    it('M12 writes JSON where asked: a plan, a line for each tenant, a summary', async () => {
      await breakTenant('bob');

      const { code, stdout } = await up('--json');
      const events = eventsOf(stdout);

      expect(code).to.equal(1);
      expect(events[0]).to.deep.equal({ event: 'plan', total: 4, upToDate: 0, work: 4 });
      const acme = events.find(({ schemaName }) => schemaName === 'acme');
      expect(acme).to.include({ event: 'tenant', ok: true });
      expect(acme).to.have.keys('event', 'schemaName', 'ok', 'durationMs', 'migrations');
      expect(acme?.['migrations']).to.deep.equal([SECOND]);
      const bob = events.find(({ schemaName }) => schemaName === 'bob');
      expect(bob).to.have.keys('event', 'schemaName', 'ok', 'durationMs', 'error');
      expect(bob?.['error']).to.include({ code: 'MIGRATION_FAILED', migration: SECOND, sqlState: '42701' });
      expect(bob?.['error']).to.have.keys('message', 'code', 'migration', 'statement', 'sqlState');
      const { durationMs, slowest, ...summary } = events.at(-1) ?? {};
      expect(summary).to.deep.equal({
        event: 'summary',
        total: 4,
        upToDate: 0,
        migrated: 3,
        failed: ['bob'],
        gone: [],
        notBegun: [],
        unconfirmed: [],
        unknown: [],
      });
      expect(durationMs).to.be.a('number');
      expect(slowest).to.have.keys('schemaName', 'durationMs');
      expect(events).to.have.length(6);
    });

    it('M12 has a bar on a terminal, with rate, time left and failures, and the summary after it', async () => {
      await breakTenant('bob');

      const release = await holdTenant('acme');
      const running = project.startOnTerminal('migration:up', '--tenants', '--lock-timeout', '20000');
      await until('the bar shows three of four done', () => /3\/4 tenants, \d+\/s, .* left, 1 failed/.test(running.output()));
      await release();
      const { code, output } = await running.ended;

      expect(code, output).to.equal(1);
      expect(output).to.contain('bob: failed').and.contain('3 migrated up').and.not.contain(`acme: ${SECOND}`);
    });

    it('M10 prints the SQL and changes nothing, on a terminal and not', async () => {
      const here = await up('--dry-run');
      const there = await project.startOnTerminal('migration:up', '--tenants', '--dry-run').ended;
      const asJson = await up('--dry-run', '--json');

      for (const output of [here.stdout, there.output]) {
        expect(output).to.contain('-- acme and 3 more with the same history').and.contain('alter table "book" add column "isbn" text;');
        expect(output).to.contain(`insert into "acme"."mikro_orm_migrations" (name) values ('${SECOND}');`);
      }

      expect([here.code, there.code, asJson.code]).to.deep.equal([0, 0, 0]);
      expect(eventsOf(asJson.stdout)).to.have.length(1);
      expect(eventsOf(asJson.stdout)[0]).to.deep.include({ event: 'preview', schemaNames: NAMES, migrations: [SECOND] });
      expect(await migrated()).to.deep.equal([]);
      expect(await historyOf(database, 'acme')).to.deep.equal([FIRST]);
    });

    it('M4 begins no other after the first failure, after so many, or after a canary that failed', async () => {
      await breakTenant('acme');

      const fast = await up('--fail-fast', '--concurrency', '1');
      expect([fast.code, await migrated()]).to.deep.equal([1, []]);
      expect(fast.output).to.contain('1 failed, 3 not started');

      const canary = await up('--canary', 'bob', 'acme');
      expect([canary.code, await migrated()]).to.deep.equal([1, ['bob']]);
      expect(canary.output).to.contain('1 failed, 2 not started');

      const first = await up('--canary', '1');
      expect([first.code, await migrated()]).to.deep.equal([1, ['bob']]);

      const two = await up('--max-failures', '2');
      expect([two.code, await migrated()]).to.deep.equal([1, ['bob', 'carl', 'dora']]);
    });

    for (const [event, signal] of [
      ['Ctrl-C', 'SIGINT'],
      ['the end of its terminal', 'SIGHUP'],
    ] as const) {
      it(`M6 finishes what is in flight at ${event}, says what was not begun, and exits with 1`, async () => {
        const running = await startHeld();

        running.signal(signal);
        await until('the signal is heard', () => running.stderr().includes('Stopping'));
        await running.release();
        const { code, output } = await running.ended;

        expect(code, output).to.equal(1);
        expect(output).to.contain('1 migrated up, 0 up to date, 0 failed, 3 not started');
        expect(await migrated()).to.deep.equal(['acme']);
      });
    }

    it('M6 goes on when nobody reads its output any more', async () => {
      const running = await startHeld();
      running.closeOutput();
      await running.release();
      const { code, stderr } = await running.ended;

      // what it waited for
      expect([code, stderr.replace(/^acme: waiting for a lock .*\n/, '')]).to.deep.equal([0, '']);
      expect(await migrated()).to.deep.equal(NAMES);
    });

    it('M6 rolls back what is in flight at a second Ctrl-C, and exits with 130', async () => {
      const running = await startHeld();

      running.signal('SIGINT');
      await until('the first Ctrl-C is heard', () => running.stderr().includes('Stopping'));
      running.signal('SIGINT');
      const { code } = await running.ended;
      await until('the server has rolled it back', async () => (await countLockWaits(database, `relation = 'acme.book'::regclass`)) === 0);
      await running.release();
      await until('nobody is left', async () => (await sessions()) === 0);

      expect(code).to.equal(130);
      expect(await migrated()).to.deep.equal([]);
      expect(await historyOf(database, 'acme')).to.deep.equal([FIRST]);
    });

    function up(...args: string[]): Promise<CliResult> {
      return project.run('migration:up', '--tenants', ...args);
    }

    async function migrated(): Promise<string[]> {
      const names: string[] = [];

      for (const name of NAMES) {
        if ((await historyOf(database, name))?.includes(SECOND) === true) {
          names.push(name);
        }
      }

      return names;
    }

    function breakTenant(schemaName: string): Promise<unknown> {
      return database.query(`alter table ${schemaName}.book add column isbn int`);
    }

    /** Starts a run, one tenant at a time, whose first tenant waits until it is released. */
    async function startHeld(): Promise<CliProcess & { release(): Promise<void> }> {
      const release = await holdTenant('acme');
      const running = project.start('migration:up', '--tenants', '--concurrency', '1', '--lock-timeout', '20000');
      await until('the first tenant waits', async () => (await countLockWaits(database, `relation = 'acme.book'::regclass`)) > 0);

      return { ...running, release };
    }

    /** Keeps a tenant's table locked until it is released. */
    async function holdTenant(schemaName: string): Promise<() => Promise<void>> {
      const other = await openSession(database);
      await other.query('begin');
      await other.query(`lock table ${schemaName}.book`);

      return () => other.end();
    }

    async function sessions(): Promise<number> {
      const [row] = await database.query<{ count: number }>(
        `select count(*)::int as count from pg_stat_activity where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`,
      );

      return row?.count ?? 0;
    }
  },
  ['postgresql'],
);

function eventsOf(stdout: string): Record<string, unknown>[] {
  return stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>);
}

const MIGRATION = `import { Migration } from '@mikro-orm/migrations';
export class Added extends Migration {
  override up(): void { this.addSql('alter table "book" add column "isbn" text'); }
}
`;

describe('the exit code of a run', () => {
  it('M37 is 1 where the server did not say of a tenant that it is on its disk', async () => {
    const { log } = console;
    const lines: string[] = [];
    console.log = (line: string) => void lines.push(line);
    const result = { total: 1, upToDate: 0, migrated: [], failed: [], gone: [], notBegun: [], unconfirmed: [], unknown: [], durationMs: 1 };
    const codes: number[] = [];

    try {
      codes.push(await reportRun({ json: true }, 'migrated up', async () => ({ ...result, unconfirmed: ['acme'] })));
      codes.push(await reportRun({ json: true }, 'migrated up', async () => result));
    } finally {
      console.log = log;
    }

    expect(codes).to.deep.equal([1, 0]);
    expect(lines[0]).to.contain('"unconfirmed":["acme"]');
  });
});
