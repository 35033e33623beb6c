import { expect } from 'chai';
import { openTenantSet, sqlMigration, type TenantSet } from '../../support/orm/tenant-set.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { refusal } from '../../support/assertions/refusal.ts';

onDatabases('what is of an extension, and not on the path of a migration', database => {
  let set: TenantSet;

  before(async () => {
    // as an extension has them
    await database.query('create schema ext');
    await database.query('create domain ext.folded as text');
    await database.query(`create function ext.fold(value text) returns text language sql immutable as 'select lower(value)'`);
    await database.query('create domain public.folded_too as text');
    set = await openTenantSet(database);
    await set.create('acme');
  });

  after(() => set.clear());

  for (const [title, sql] of [
    ['type', 'create table card (name folded)'],
    ['type of the public schema', 'create table card (name folded_too)'],
    ['function', `create index tag_fold on tag (fold(name))`],
    ['class of operators', 'create index tag_trigrams on tag using gin (name gin_trgm_ops)'],
  ] as const) {
    it(`law 10, M4 a ${title}: the failure names the option \`searchPath\``, async () => {
      set.use(sqlMigration('M2', sql));
      const [failed] = (await set.tenants.migrate()).failed;

      expect(String(failed?.error)).to.contain('`searchPath`');
      expect((await refusal(set.create('bob'), 'TENANT_NOT_PROVISIONED')).message).to.contain('`searchPath`');
    });
  }

  it('law 10, M4 no other failure does', async () => {
    for (const sql of ['alter table tag drop constraint none', 'drop table none', 'select 1 / 0']) {
      set.use(sqlMigration('M2', sql));
      const [failed] = (await set.tenants.migrate()).failed;

      expect(String(failed?.error), sql).to.contain('M2').and.not.contain('searchPath');
    }
  });
});
