import { runInTenant, tenants, type MoveError } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { refusal } from '../../support/assertions/refusal.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { describeSchema } from '../../support/databases/whole-schema.ts';
import { host, openHardOrm } from '../../support/orm/hard-orm.ts';
import { sqlMigration } from '../../support/orm/tenant-set.ts';

const TABLES = ['create table author (id serial primary key, name text not null)', 'create index author_name on author (name)'];

const LATER = 'alter table author add born date';

onDatabases('adopting a schema', database => {
  before(async () => {
    await openHardOrm(database, {
      options: { migrations: { migrationsList: [sqlMigration('First', TABLES), sqlMigration('Later', LATER)] } },
    });
  });

  async function byHand(name: string, statements: readonly string[]): Promise<void> {
    await database.query(`create schema ${name}`);

    for (const sql of statements) {
      await database.query(sql.replaceAll(/\b(table|on) author\b/g, `$1 ${name}.author`));
    }
  }

  it('L4 a schema that is what the set makes becomes a tenant with its rows, and its history is written', async () => {
    await byHand('acme', [...TABLES, LATER]);
    await database.query(`insert into acme.author (name) values ('Ann')`);
    const tenant = await tenants().adopt(host('acme'));

    expect((await tenants().history('acme')).map(({ name }) => name)).to.deep.equal(['First', 'Later']);
    await runInTenant(tenant, async em => {
      expect(await em.execute('select name from author')).to.deep.equal([{ name: 'Ann' }]);
    });
    expect(await tenants().migrate()).to.deep.include({ failed: [] });
    await tenants().create(host('made'));
    expect(await describeSchema(database, 'acme')).to.deep.equal(await describeSchema(database, 'made'));
    await tenants().drop(tenant);
  });

  it('L4 as of an earlier migration, the others run in it afterwards', async () => {
    await byHand('early', TABLES);
    await refusal(tenants().adopt(host('early')), 'ADOPT_REFUSED');
    await tenants().adopt(host('early'), { to: 'First' });
    await tenants().migrate();
    expect((await tenants().history('early')).map(({ name }) => name)).to.deep.equal(['First', 'Later']);
    expect((await tenants().drift()).drifted).to.deep.equal([]);
  });

  it('L4 one that is not is refused with all that differs, and is left as it was', async () => {
    await byHand('other', [TABLES[0] ?? '', LATER, 'alter table author add extra int', 'alter table author alter name drop not null']);
    const before = await describeSchema(database, 'other');
    const error = (await refusal(tenants().adopt(host('other')), 'ADOPT_REFUSED')) as MoveError;
    expect(error.objects).to.deep.equal(['it lacks index author_name', 'it has column author.extra', 'column author.name differs']);
    expect(await describeSchema(database, 'other')).to.deep.equal(before);
    expect(await tenants().list({ where: { schemaName: 'other' } })).to.deep.equal([]);
  });

  it('L4 no schema of another, no missing one, and no history of something else is adopted', async () => {
    await refusal(tenants().adopt(host('missing')), 'SCHEMA_MISSING');
    await refusal(tenants().adopt(host('public')), 'SCHEMA_NAME_RESERVED');
    await byHand('theirs', [...TABLES, LATER]);
    await database.query(`comment on schema theirs is 'of another program'`);
    await refusal(tenants().adopt(host('theirs')), 'ADOPT_REFUSED');
    await byHand('older', [...TABLES, LATER]);
    await database.query('create table older.mikro_orm_migrations as select * from made.mikro_orm_migrations');
    await database.query(`update older.mikro_orm_migrations set name = 'Else' where name = 'Later'`);
    const error = (await refusal(tenants().adopt(host('older')), 'ADOPT_REFUSED')) as MoveError;
    expect(error.objects.map(each => each.replace(/.*(has|lacks) the migration (\w+).*/, '$1 $2'))).to.deep.equal([
      'has Else',
      'lacks Later',
    ]);
    await refusal(tenants().adopt({ ...host('made'), domainUrl: 'x.example.com' }), 'TENANT_ALREADY_EXISTS');
  });
});
