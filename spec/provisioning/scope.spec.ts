import { runInPublic, runInTenant, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Library } from '../../fixtures/entities/index.ts';
import { schemaNames, storedTenants } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';

onDatabases("tenants from inside a tenant's scope", database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database, { autoDropSchema: true });
    await orm.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob')]);
  });

  beforeEach(() => {
    database.statements.length = 0;
  });

  async function expectNothingChanged(): Promise<void> {
    expect(await storedTenants(database)).to.deep.equal(['acme', 'bob']);
    expect(await schemaNames(database)).to.deep.equal(['acme', 'bob']);
  }

  function expectRefused(error: Error, action: string): void {
    expect(error).to.include({ code: 'PUBLIC_CONTEXT_REQUIRED' });
    expect(error.message).to.equal(
      `A tenant cannot be ${action} in the scope of tenant "acme". Nothing was stored. Use \`runInPublic(…)\`.`,
    );
  }

  it('T14, law 7: are not created, before any SQL', async () => {
    const outside = orm.em.fork();
    const attempts = [
      () => runInTenant('acme', em => em.persistAndFlush(newLibrary('carl'))),
      () => runInTenant('acme', () => orm.em.persistAndFlush(newLibrary('carl'))),
      () => runInTenant('acme', () => orm.em.fork().persistAndFlush(newLibrary('carl'))),
      () => runInTenant('acme', () => outside.persistAndFlush(newLibrary('carl'))),
      () => runInTenant('acme', em => em.transactional(async tx => void tx.persist(newLibrary('carl')))),
      () =>
        runInTenant('acme', () =>
          tenants<Library>(orm).create({ name: 'Carl', domainUrl: 'carl.example.com', schemaName: 'carl', onTrial: true }),
        ),
    ];

    for (const attempt of attempts) {
      const error = await refusal(attempt);
      expect(error).to.include({ code: 'PUBLIC_CONTEXT_REQUIRED', name: 'PublicContextRequiredError' });
      expect(error.message).to.include('created').and.to.include('"acme"').and.to.include('runInPublic');
    }

    expect(database.statements.join('\n')).not.to.match(/insert|create/);
    await expectNothingChanged();
  });

  it('T14, law 7: are not renamed, neither another nor the own', async () => {
    for (const schemaName of ['acme', 'bob']) {
      const error = await refusal(
        runInTenant('acme', async em => {
          (await em.findOneOrFail(Library, { schemaName })).schemaName = 'renamed';
          await em.flush();
        }),
      );
      expect(error).to.include({ code: 'PUBLIC_CONTEXT_REQUIRED' });
      expect(error.message).to.include('renamed');
      expectRefused(await refusal(runInTenant('acme', () => tenants(orm).rename(schemaName, 'renamed'))), 'renamed');
    }

    await expectNothingChanged();
  });

  it('T14, law 7: are not deleted, neither another nor the own', async () => {
    for (const schemaName of ['acme', 'bob']) {
      const removal = runInTenant('acme', async em => em.removeAndFlush(await em.findOneOrFail(Library, { schemaName })));
      const error = await refusal(removal);
      expect(error).to.include({ code: 'PUBLIC_CONTEXT_REQUIRED' });
      expect(error.message).to.include('deleted');
      expectRefused(await refusal(runInTenant('acme', () => tenants(orm).drop(schemaName))), 'deleted');
    }

    await expectNothingChanged();
  });

  it('T14 are not provisioned or migrated', async () => {
    expectRefused(await refusal(runInTenant('acme', () => tenants(orm).provision('bob'))), 'provisioned');
    expectRefused(await refusal(runInTenant('acme', () => tenants(orm).migrate())), 'migrated');
  });

  it('T14 are updated as the own row', async () => {
    await runInTenant('acme', async em => {
      const own = await em.findOneOrFail(Library, { schemaName: 'acme' });
      own.name = 'Acme & Sons';
      own.domainUrl = 'ACME-sons.example.com';
      await em.flush();
    });

    expect(await orm.em.fork().findOneOrFail(Library, { schemaName: 'acme' })).to.include({
      name: 'Acme & Sons',
      domainUrl: 'acme-sons.example.com',
    });
    await expectNothingChanged();
  });

  it('T14 are created, renamed and deleted in `runInPublic`, also from inside a tenant', async () => {
    await runInTenant('acme', async () => {
      await runInPublic(em => em.persistAndFlush(newLibrary('carl')));
      expect(await schemaNames(database)).to.deep.equal(['acme', 'bob', 'carl']);
      await runInPublic(() => tenants(orm).rename('carl', 'carla'));
      expect(await schemaNames(database)).to.deep.equal(['acme', 'bob', 'carla']);
      await runInPublic(async em => em.removeAndFlush(await em.findOneOrFail(Library, { schemaName: 'carla' })));
    });

    await expectNothingChanged();
  });
});
