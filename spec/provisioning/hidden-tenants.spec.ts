import { currentSchema, forEachTenant, runInPublic, runInTenant, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Library } from '../../fixtures/entities/index.ts';
import { schemaNames } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { visitorOf } from '../support/web/visitor.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';

onDatabases('tenants that a filter of MikroORM hides', database => {
  let orm: LibraryOrm;

  before(async () => {
    const active = { name: 'active', cond: { onTrial: true }, entity: ['Library'], default: true };
    orm = await openLibrary(database, { autoDropSchema: true }, { filters: { active } });
    await orm.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob', { onTrial: false })]);
  });

  it('H3, S7 a hidden tenant is not served: by no host, no name and in no visit', async () => {
    const visit = visitorOf(orm);
    expect((await visit('acme.example.com')).served).to.equal('acme');
    expect((await visit('bob.example.com')).served).to.equal('HOST_UNKNOWN');
    await refusal(() => runInTenant('bob', () => expect.fail('it ran')), 'TENANT_UNKNOWN');
    expect((await forEachTenant(() => currentSchema())).map(({ value }) => value)).to.deep.equal(['acme']);
  });

  it('M1, M8 its schema is migrated and looked after like any other, and it is dropped by its name', async () => {
    const of = tenants<Library>(orm);
    const { tenants: statuses, orphans } = await of.status();

    expect((await of.list()).map(({ schemaName }) => schemaName)).to.deep.equal(['acme', 'bob']);
    expect(statuses.map(({ schemaName }) => schemaName)).to.deep.equal(['acme', 'bob']);
    expect(orphans).to.deep.equal([]);
    expect((await of.migrate()).total).to.equal(2);

    await orm.em.fork().persistAndFlush(newLibrary('carol', { onTrial: false }));
    await of.rename('carol', 'caroline');
    await of.drop('caroline');
    expect(await schemaNames(database)).to.deep.equal(['acme', 'bob']);
  });

  it('H3 a filter that needs parameters and has none hides nobody, and breaks no request', async () => {
    const filters = { ofRegion: { name: 'ofRegion', cond: ({ name }: any) => ({ name }), entity: ['Library'], default: true } };
    const other = await openLibrary(database, {}, { filters });
    expect((await visitorOf(other)('acme.example.com')).served).to.equal('acme');
    expect(await runInTenant('acme', () => currentSchema(), { orm: other })).to.equal('acme');
    await runInPublic(
      async em => {
        em.setFilterParams('ofRegion', { name: 'nobody' });
        await refusal(() => runInTenant('acme', () => expect.fail('it ran'), { orm: other }), 'TENANT_UNKNOWN');
      },
      { orm: other },
    );
    await other.close();
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
