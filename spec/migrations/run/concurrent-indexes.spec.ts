import { expect } from 'chai';
import { onDatabases } from '../../support/databases/database.ts';
import { migrationOf, openTenantSet, type TenantSet } from '../../support/orm/tenant-set.ts';
import { until } from '../../support/assertions/until.ts';
import { openSession } from '../../support/databases/sessions.ts';

const INDEX = migrationOf('M2', migration => migration.addSql('create index concurrently "tag_name_index" on "tag" ("name")'), {
  transactional: false,
});

onDatabases(
  'indexes that are built concurrently, beside a long transaction',
  database => {
    let set: TenantSet;

    before(async () => {
      set = await openTenantSet(database);
    });

    beforeEach(async () => {
      await set.create('acme', 'bob');
      set.use(INDEX);
    });

    afterEach(() => set.clear());

    it('M17 an index that is built concurrently waits for older transactions as long as they last, and says for whom', async () => {
      const other = await openSession(database);
      await other.query('begin isolation level repeatable read');
      await other.query('select 1');
      const blocked: string[] = [];

      const run = set.tenants.migrate({
        lockTimeoutMs: 50,
        onNotice: notice => {
          if (notice.kind === 'blocked') {
            blocked.push(`${notice.schemaName}: ${notice.blockers.map(({ state }) => state).join(', ')}`);
          }
        },
      });
      await until('it is told for whom both wait', () => blocked.length >= 2);
      await other.end();
      const result = await run;

      expect([result.migrated.map(({ schemaName }) => schemaName), result.failed]).to.deep.equal([['acme', 'bob'], []]);
      expect(blocked.toSorted()).to.deep.equal(['acme: idle in transaction', 'bob: idle in transaction']);
    });

    it('M17 an index that an earlier run has left invalid is built again by the next run, which says so', async () => {
      const other = await openSession(database);
      await other.query('begin isolation level repeatable read');
      await other.query('select 1');
      const run = set.tenants.migrate({ only: ['acme'] });
      await until('it waits', async () => (await building()).length > 0);
      await database.query('select pg_terminate_backend($1, 5000)', [(await building())[0]?.pid]);
      const [failure] = (await run).failed;
      await other.end();
      expect(failure?.schemaName).to.equal('acme');
      const notices: unknown[] = [];

      const result = await set.tenants.migrate({ onNotice: notice => notices.push(notice) });

      expect([result.migrated.map(({ schemaName }) => schemaName), result.failed]).to.deep.equal([['acme', 'bob'], []]);
      expect(notices).to.deep.include({ kind: 'rebuilt', schemaName: 'acme', index: 'tag_name_index' });
      expect(
        await database.query(
          `select n.nspname || '.' || c.relname as name, indisvalid as valid from pg_index join pg_class c on c.oid = indexrelid join pg_namespace n on n.oid = c.relnamespace where c.relname like 'tag_name_index%' order by 1`,
        ),
      ).to.deep.equal(['acme', 'bob'].map(name => ({ name: `${name}.tag_name_index`, valid: true })));
    });

    function building(): Promise<{ pid: number }[]> {
      return database.query(
        `select pid from pg_stat_activity where query like 'create index concurrently%' and state = 'active' and wait_event_type = 'Lock'`,
      );
    }
  },
  ['postgresql'],
);
