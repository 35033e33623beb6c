import { MigrationError, SCHEMA_COMMENT, SchemaMissingError, SchemaProtectedError } from '@landlord/mikro-orm';
import { expect } from 'chai';
import type pg from 'pg';
import { onDatabases } from '../../support/databases/database.ts';
import { migrationOf, openTenantSet, sqlMigration, type TenantSet } from '../../support/orm/tenant-set.ts';
import { historyOf, schemasWith } from '../../support/databases/catalog.ts';
import { until } from '../../support/assertions/until.ts';
import { countLockWaits, openSession } from '../../support/databases/sessions.ts';
import { errorIn, schemaNamesOf } from '../../support/assertions/run-result.ts';

const NAMES = ['t1', 't2', 't3', 't4', 't5'];
const M2 = sqlMigration('M2', 'alter table "tag" add column "colour" text', 'alter table "tag" drop column "colour"');

onDatabases('histories that cannot be read', database => {
  let set: TenantSet;

  before(async () => {
    set = await openTenantSet(database);
  });

  beforeEach(async () => {
    await set.create(...NAMES);
    set.use(M2);
  });

  afterEach(() => set.clear());
  it('M9 one that is broken is reported with its cause, and the others are migrated', async () => {
    await database.query('alter table t2.mikro_orm_migrations rename column name to nom');

    const result = await set.tenants.migrate();

    expect(schemaNamesOf(result.migrated)).to.deep.equal(['t1', 't3', 't4', 't5']);
    expect(errorIn(result, 't2')).to.be.instanceOf(MigrationError).with.property('code', 'MIGRATION_HISTORY_UNREADABLE');
    expect(errorIn(result, 't2').cause).to.include({ code: '42703' });
    expect(errorIn(result, 't2').message)
      .to.contain('"t2"')
      .and.match(/column "name" .*does not exist/);
    expect([result.total, result.upToDate, result.notBegun]).to.deep.equal([5, 0, []]);
    expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal(['t1', 't3', 't4', 't5']);
  });

  it('M7, M9 the report names what it could not read, and has all the others', async () => {
    await database.query('alter table t2.mikro_orm_migrations rename column name to nom');

    const { tenants } = await set.tenants.status();
    const broken = tenants.find(({ schemaName }) => schemaName === 't2');

    expect(broken).to.deep.include({ hasSchema: true, executed: [], pending: [], unknown: [] });
    expect(broken?.error).to.include({ code: 'MIGRATION_HISTORY_UNREADABLE' });
    expect(tenants.filter(status => status !== broken)).to.deep.equal(
      ['t1', 't3', 't4', 't5'].map(schemaName => ({ schemaName, hasSchema: true, executed: ['M1'], pending: ['M2'], unknown: [] })),
    );
  });

  it('M9 all histories are read in one message where all can be', async () => {
    database.statements.length = 0;

    await set.tenants.status();

    expect(database.statements.filter(sql => /(union all select 1|copy) .*"t5"\."mikro_orm_migrations"/s.test(sql))).to.have.length(1);
  });

  it('M7, M9 a history is read as it is written, whatever its names contain and however it is stored', async () => {
    await database.query(String.raw`insert into t2.mikro_orm_migrations (name) values (E'odd\\n\ta\\.me'), ('\N'), ('Ü')`);
    await database.query('alter table t3.mikro_orm_migrations rename to former');
    await database.query('create table t3.mikro_orm_migrations (like t3.former including defaults) partition by range (id)');
    await database.query('create table t3.part partition of t3.mikro_orm_migrations default');
    await database.query('insert into t3.mikro_orm_migrations select * from t3.former');
    await database.query('delete from t4.mikro_orm_migrations');

    const { tenants } = await set.tenants.status();

    expect(tenants.map(({ schemaName, executed }) => [schemaName, executed])).to.deep.equal([
      ['t1', ['M1']],
      ['t2', ['M1', 'odd\\n\ta\\.me', '\\N', 'Ü']],
      ['t3', ['M1']],
      ['t4', []],
      ['t5', ['M1']],
    ]);
  });

  it('T9 does not take a schema for a tenant’s that has no history and is not marked, and leaves it as it was', async () => {
    await database.query('drop schema t2 cascade');
    await database.query('create schema t2');
    await database.query('create table t2.precious (id int)');

    const result = await set.tenants.migrate();

    expect(schemaNamesOf(result.migrated)).to.deep.equal(['t1', 't3', 't4', 't5']);
    expect(errorIn(result, 't2')).to.be.instanceOf(SchemaProtectedError).with.property('code', 'SCHEMA_PROTECTED');
    expect(errorIn(result, 't2').message).to.contain('migrate schema "t2"').and.contain('provision').and.contain(SCHEMA_COMMENT);
    expect([await historyOf(database, 't2'), await schemasWith(database, 'precious')]).to.deep.equal([undefined, ['t2']]);

    await database.query(`comment on schema t2 is '${SCHEMA_COMMENT}'`);
    expect((await set.tenants.migrate()).migrated)
      .to.have.length(1)
      .and.have.nested.property('[0].schemaName', 't2');
    expect(await historyOf(database, 't2')).to.deep.equal(['M1', 'M2']);
  });

  it('M4 a canary whose history cannot be read, or that has no schema, lets no other be begun', async () => {
    await database.query('drop schema t2 cascade');
    await database.query('alter table t1.mikro_orm_migrations rename column name to nom');

    for (const canary of [['t2'], ['t1'], ['t1', 't2'], 1]) {
      const result = await set.tenants.migrate({ canary });

      expect([schemaNamesOf(result.migrated), schemaNamesOf(result.failed), result.notBegun], JSON.stringify(canary)).to.deep.equal([
        [],
        ['t1', 't2'],
        ['t3', 't4', 't5'],
      ]);
    }

    expect(schemaNamesOf((await set.tenants.migrate({ canary: ['t3'] })).migrated)).to.deep.equal(['t3', 't4', 't5']);
  });

  if (database.kind === 'postgresql') {
    let other: pg.Client;

    beforeEach(async () => {
      other = await openSession(database);
      await other.query('begin');
    });

    afterEach(() => other.end());

    it('M9 one that another session has locked is reported after the time-out, and the others are migrated', async () => {
      await other.query('lock table t3.mikro_orm_migrations in access exclusive mode');

      const result = await set.tenants.migrate({ lockTimeoutMs: 50 });
      await other.query('rollback');

      expect(schemaNamesOf(result.migrated)).to.deep.equal(['t1', 't2', 't4', 't5']);
      expect(errorIn(result, 't3')).to.have.property('code', 'MIGRATION_HISTORY_UNREADABLE');
      expect(errorIn(result, 't3').cause).to.include({ code: '55P03' });
    });

    it('M9 a schema that is dropped while it is looked at is reported as missing, and the others are migrated', async () => {
      await other.query('drop schema t3 cascade');
      const run = set.tenants.migrate();
      await until('the run waits for the history', async () => (await countLockWaits(database)) > 0);
      await other.query('commit');
      const result = await run;

      expect(schemaNamesOf(result.migrated)).to.deep.equal(['t1', 't2', 't4', 't5']);
      expect(errorIn(result, 't3')).to.be.instanceOf(SchemaMissingError);
    });
  }

  it('M6 an aborted run looks at no more histories, and gives those it has not looked at as not begun', async () => {
    const stop = new AbortController();
    set.use(migrationOf('M2', () => undefined));
    database.statements.length = 0;
    stop.abort();

    const result = await set.tenants.migrate({ signal: stop.signal });

    expect([result.upToDate, result.failed, result.notBegun]).to.deep.equal([0, [], NAMES]);
    expect(database.statements.filter(sql => sql.includes('union all'))).to.deep.equal([]);
  });
});
