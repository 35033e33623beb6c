import { tenants, type TablesStayedLocalError } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { refusal } from '../../support/assertions/refusal.ts';
import { schemaNames, storedTenants } from '../../support/databases/catalog.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { initLibrary, newLibrary } from '../../support/orm/library-orm.ts';
import { openTenantSet, sqlMigration, type TenantSet } from '../../support/orm/tenant-set.ts';

/**
 * The catalog of Citus as it is on a coordinator without nodes, in a PostgreSQL without Citus. A trigger does what Citus does with the schemas and
 * tables that are created: a table that is made in a `do` block is left out without an error.
 */
const RECORDED = [
  'set allow_system_table_mods to on',
  `insert into pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) values (99999, 'citus', 10, 11, false, '13.2-1')`,
  `create function citus_is_coordinator() returns boolean language sql as 'select true'`,
  'create table pg_dist_schema (schemaid oid, colocationid int)',
  'create table pg_dist_partition (logicalrelid oid, colocationid int)',
  'create table pg_dist_shard (logicalrelid oid, shardid bigint)',
  'create table pg_dist_placement (shardid bigint, groupid int)',
  `create table pg_dist_node (nodename text, nodeport int, noderole text, isactive boolean, shouldhaveshards boolean, groupid int)`,
  `create function noted() returns event_trigger language plpgsql as $$ declare made record; begin
    for made in select * from pg_event_trigger_ddl_commands() loop
      if tg_tag = 'CREATE SCHEMA' and current_setting('citus.enable_schema_based_sharding', true) = 'on' then
        insert into public.pg_dist_schema values (made.objid, 1);
      elsif made.object_type = 'table' and current_query() !~* '^\\s*do\\M' then
        insert into public.pg_dist_partition values (made.objid, 1);
      end if;
    end loop; end $$`,
  `create event trigger noted on ddl_command_end when tag in ('CREATE SCHEMA', 'CREATE TABLE') execute function noted()`,
];

onDatabases(
  'a database with the catalog of Citus',
  database => {
    let set: TenantSet;

    before(async () => {
      for (const sql of RECORDED) {
        await database.query(sql);
      }

      set = await openTenantSet(database);
    });

    it('X1 is taken for Citus: a new tenant’s schema is sharded, that of nobody else is, and each statement is sent alone', async () => {
      database.statements.length = 0;
      await set.create('acme');
      const sharded = await database.query(`select schemaid::regnamespace::text as name from pg_dist_schema`);
      const texts = database.statements.join('\n');

      expect(sharded).to.deep.equal([{ name: 'acme' }]);
      expect(texts).to.match(/schema_based_sharding to on[^]*create schema "acme"[^]*schema_based_sharding to off/);
      expect(database.statements.filter(sql => sql.includes('create schema') && sql.includes('create table'))).to.deep.equal([]);
    });

    it('X1 a creation that would leave a table on the coordinator is refused, and leaves nothing', async () => {
      set.use(sqlMigration('M2', `do $$ begin create table "hidden" ("id" int); end $$`));
      const error = await refusal(set.orm.em.fork().persistAndFlush(newLibrary('bob')), 'TENANT_TABLES_LOCAL');

      expect((error as TablesStayedLocalError).tables).to.deep.equal(['hidden']);
      expect(await schemaNames(database)).to.not.include('bob');
      expect(await storedTenants(database)).to.deep.equal(['acme']);
    });

    it('X1 so is a migration in a run, which is rolled back in that tenant', async () => {
      const { failed } = await set.tenants.migrate({ retries: 0 });

      expect(failed.map(({ schemaName, error }) => [schemaName, (error as TablesStayedLocalError).code])).to.deep.equal([
        ['acme', 'TENANT_TABLES_LOCAL'],
      ]);
      expect(await database.query(`select 1 from pg_class where relname = 'hidden'`)).to.deep.equal([]);
      set.use();
    });

    it('X1 a tenant that is created with `shardTenants: false` stays on the coordinator', async () => {
      const orm = await initLibrary(database, { citus: { shardTenants: false }, migrations: { migrationsList: [] } });
      await orm.em.fork().persistAndFlush(newLibrary('carl'));

      expect(await database.query(`select schemaid::regnamespace::text as name from pg_dist_schema`)).to.deep.equal([{ name: 'acme' }]);
      expect((await tenants(orm).placement()).map(({ schemaName, isSharded }) => [schemaName, isSharded])).to.deep.include(['carl', false]);
    });
  },
  ['postgresql'],
);
