import { expect } from 'chai';
import type pg from 'pg';
import { onDatabases } from '../../support/databases/database.ts';
import { migrationOf, openTenantSet, sqlMigration, type TenantSet } from '../../support/orm/tenant-set.ts';
import { historyOf, schemasWith } from '../../support/databases/catalog.ts';
import { until } from '../../support/assertions/until.ts';
import { countLockWaits, openSession } from '../../support/databases/sessions.ts';

const COLUMNS = ['colour', 'shape'] as const;
const [COLOUR, SHAPE] = [column('M2', 'colour'), column('M3', 'shape')];

onDatabases(
  'two runs downwards at once',
  database => {
    let set: TenantSet;
    let other: pg.Client;

    before(async () => {
      set = await openTenantSet(database);
      other = await openSession(database);
    });

    beforeEach(async () => {
      set.use(COLOUR, SHAPE);
      await set.create('acme', 'bob');
      database.statements.length = 0;
    });

    afterEach(async () => {
      await other.query('rollback');
      await set.clear();
    });

    it('M5, M8 revert the latest migration once, and none that was not the latest when they looked', async () => {
      await other.query('begin');
      await other.query('lock table acme.tag');
      const runs = [set.tenants.migrate({ direction: 'down', only: ['acme'] }), set.tenants.migrate({ direction: 'down', only: ['acme'] })];
      await until('one run waits in the tenant', async () => (await countLockWaits(database, `relation = 'acme.tag'::regclass`)) > 0);
      await until('the other has looked and found the tenant taken', () => timesAsked() > 1);
      await other.query('rollback');
      const results = await Promise.all(runs);

      expect(results.flatMap(({ migrated }) => migrated.map(({ migrations }) => migrations))).to.deep.equal([['M3']]);
      expect(results.flatMap(({ failed }) => failed)).to.deep.equal([]);
      expect(await historyOf(database, 'acme')).to.deep.equal(['M1', 'M2']);
      expect(await historyOf(database, 'bob')).to.deep.equal(['M1', 'M2', 'M3']);
      expect(await schemasWith(database, 'tag', COLUMNS[0])).to.deep.equal(['acme', 'bob']);
    });

    it('M8, M9 a retry after a commit whose answer was lost reverts nothing more', async () => {
      let reverted = 0;
      set.use(
        COLOUR,
        migrationOf('M3', () => undefined, {
          down: async migration => {
            reverted += 1;
            // as if the server had committed, and the connection had been lost before its answer
            await database.query('alter table acme.tag drop column shape');
            await database.query(`delete from acme.mikro_orm_migrations where name = 'M3'`);
            migration.addSql('select 1');
            throw Object.assign(new Error('Connection terminated unexpectedly'), { code: 'ECONNRESET' });
          },
        }),
      );

      const result = await set.tenants.migrate({ direction: 'down', only: ['acme'] });

      expect([result.failed, reverted]).to.deep.equal([[], 1]);
      expect(await historyOf(database, 'acme')).to.deep.equal(['M1', 'M2']);
    });

    it('M8 reverts nothing where another migration has come on top since', async () => {
      await set.tenants.migrate({ direction: 'down', only: ['acme'] });
      database.statements.length = 0;
      await other.query('select pg_advisory_lock($1)', [await keyOf('acme')]);
      const run = set.tenants.migrate({ direction: 'down', only: ['acme'] });
      await until('the run has looked and found the tenant taken', () => timesAsked() > 0);
      await database.query(`insert into acme.mikro_orm_migrations (name) values ('M3')`);
      await other.query('select pg_advisory_unlock_all()');

      expect(await run).to.deep.include({ migrated: [], failed: [], upToDate: 1 });
      expect(await historyOf(database, 'acme')).to.deep.equal(['M1', 'M2', 'M3']);
    });

    async function keyOf(schemaName: string): Promise<string> {
      const [row] = await database.query<{ key: string }>(`select hashtextextended('landlord:' || $1, 0)::text as key`, [schemaName]);

      return row?.key ?? '';
    }

    /** How often runs have queried the tenant since the last spec. */
    function timesAsked(): number {
      return database.statements.filter(sql => sql.includes('pg_try_advisory_xact_lock') && sql.includes('landlord:')).length;
    }
  },
  ['postgresql'],
);

function column(name: string, added: string): ReturnType<typeof sqlMigration> {
  return sqlMigration(name, `alter table "tag" add column "${added}" text`, `alter table "tag" drop column "${added}"`);
}
