import { currentSchema, forEachTenant, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Library } from '../../fixtures/entities/index.ts';
import { schemaNames } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';

onDatabases('tenants that a filter of MikroORM hides', database => {
  let orm: LibraryOrm;

  before(async () => {
    const active = { name: 'active', cond: { onTrial: true }, entity: ['Library'], default: true };
    orm = await openLibrary(database, { autoDropSchema: true }, { filters: { active } });
    await orm.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob', { onTrial: false })]);
  });

  it('S10 a hidden tenant is in no list, no loop and no run, and its schema is no orphan', async () => {
    const of = tenants<Library>(orm);
    const seen: string[] = [];
    await forEachTenant(() => {
      seen.push(String(currentSchema()));
    });
    const { tenants: statuses, orphans } = await of.status();
    const { total } = await of.migrate();

    expect((await of.list()).map(({ schemaName }) => schemaName)).to.deep.equal(['acme']);
    expect(seen).to.deep.equal(['acme']);
    expect(statuses.map(({ schemaName }) => schemaName)).to.deep.equal(['acme']);
    expect(total).to.equal(1);
    expect(orphans).to.deep.equal([]);
    expect(await database.query(`select 1 as one from pg_namespace where nspname = 'bob'`)).to.deep.equal([{ one: 1 }]);
  });

  it('T15, T17 a hidden tenant takes its schema along, renamed and deleted', async () => {
    const em = orm.em.fork();
    const bob = await em.findOneOrFail(Library, { schemaName: 'bob' }, { filters: false });
    bob.schemaName = 'robert';
    await em.flush();
    expect(await schemaNames(database)).to.deep.equal(['acme', 'robert']);

    await em.removeAndFlush(bob);
    expect(await schemaNames(database)).to.deep.equal(['acme']);
  });
});
