import { tenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { historyOf, schemaNames, storedTenants } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { migrationsFolder, openEvolving } from '../support/orm/evolving-orm.ts';
import { newLibrary } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { openTenantSet, sqlMigration, type TenantSet } from '../support/orm/tenant-set.ts';

onDatabases('tenants()', database => {
  let set: TenantSet;

  before(async () => {
    set = await openTenantSet(database);
    await set.create('acme', 'bob');
    set.use(sqlMigration('M2', 'alter table "tag" add column "colour" text'));
    await set.create('carl');
  });

  it('M10 `preview` tells what each group of tenants would get, and changes nothing', async () => {
    const statement = 'alter table "tag" add column "colour" text';
    const sql = ['-- M2', 'set local search_path to "acme"', statement, `insert into "acme"."mikro_orm_migrations" (name) values ('M2')`];

    expect(await set.tenants.preview()).to.deep.equal([{ schemaNames: ['acme', 'bob'], migrations: ['M2'], sql }]);
    expect(await set.tenants.preview({ only: ['bob', 'carl'] }))
      .to.have.nested.property('[0].schemaNames')
      .that.deep.equals(['bob']);
    expect(await set.tenants.preview({ only: ['carl'] })).to.deep.equal([]);
    expect(await historyOf(database, 'acme')).to.deep.equal(['M1']);
  });

  it('M8 `history` tells what one tenant has and when it came, oldest first, and nothing of a neighbour’s', async () => {
    const history = await set.tenants.history('carl');

    expect(history.map(({ name }) => name)).to.deep.equal(['M1', 'M2']);
    expect(history.map(({ executedAt }) => Date.now() - executedAt.getTime()).every(age => Math.abs(age) < 3_600_000)).to.equal(true);
    expect((await set.tenants.history('bob')).map(({ name }) => name)).to.deep.equal(['M1']);
    expect(await set.tenants.history('nobodys')).to.deep.equal([]);
  });

  it('M8 `histories` tells the same of each selected tenant, in as many statements for one as for all', async () => {
    database.statements.length = 0;
    const histories = await set.tenants.histories();
    const sent = database.statements.length;

    expect(histories.map(({ schemaName }) => schemaName)).to.include.members(['acme', 'bob', 'carl']);

    for (const { schemaName, executed } of histories) {
      expect(executed).to.deep.equal(await set.tenants.history(schemaName));
    }

    database.statements.length = 0;
    expect(await set.tenants.histories({ only: ['carl'] })).to.deep.equal(histories.filter(({ schemaName }) => schemaName === 'carl'));
    expect(database.statements).to.have.length(sent);
  });

  it('T11 `history` refuses a name that is none, before any SQL', async () => {
    database.statements.length = 0;

    expect(await refusal(set.tenants.history('a"; drop schema bob cascade; --'))).to.include({ code: 'SCHEMA_NAME_INVALID' });
    expect(await refusal(set.tenants.history('public'))).to.include({ code: 'SCHEMA_NAME_RESERVED' });
    expect(database.statements).to.deep.equal([]);
  });

  it('S4 refuses a tenant that is not stored, by row and by name, and says which', async () => {
    const [schemas, rows] = [await schemaNames(database), await storedTenants(database)];

    for (const tenant of [newLibrary('nobodys'), 'nobodys']) {
      for (const attempt of [
        () => set.tenants.drop(tenant),
        () => set.tenants.rename(tenant, 'somebodys'),
        () => set.tenants.provision(tenant),
      ]) {
        const error = await refusal(attempt);

        expect(error).to.include({ code: 'TENANT_UNKNOWN' }).and.have.deep.property('schemaNames', ['nobodys']);
        expect(error.message).to.include('"nobodys"').and.to.include('`tenants().list()`');
      }
    }

    expect([await schemaNames(database), await storedTenants(database)]).to.deep.equal([schemas, rows]);
  });
});

onDatabases('tenants() of entities that change', database => {
  it('M2 `needsMigration` tells whether the tenant set lacks something, and `createMigration` writes it there', async () => {
    const folder = await migrationsFolder();
    const note = defineEntity({ name: 'Note', schema: '*', properties: { id: p.integer().primary() } });
    const orm = await openEvolving(database, folder.path, [note]);
    const written = async (): Promise<string[]> =>
      (await readdir(join(folder.path, 'tenant'))).filter(name => name.startsWith('Migration'));

    try {
      expect([await tenants(orm).needsMigration(), await written()]).to.deep.equal([true, []]);
      const created = await tenants(orm).createMigration({ name: 'note' });

      expect(created.diff.up.join()).to.match(/^create table "note"/);
      expect(await written()).to.deep.equal([created.fileName]);
      expect(created.fileName).to.include('note');
      expect(await tenants(orm).needsMigration()).to.equal(false);
    } finally {
      await orm.close();
      await folder.remove();
    }
  });
});
