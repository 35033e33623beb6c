import { currentTenant, runInTenant, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Author, type Library } from '../../fixtures/entities/index.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { until } from '../support/assertions/until.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';

onDatabases('the scope of a tenant that the process knows', database => {
  const sent: string[] = [];
  let orm: LibraryOrm;
  /** Of another process, as far as the library can tell. */
  let other: LibraryOrm;

  const authorsOf = (name: string): Promise<string[]> =>
    runInTenant(name, async em => (await em.find(Author, {})).map(author => author.name), { orm });

  before(async () => {
    orm = await openLibrary(database, {}, { debug: ['query'], colors: false, logger: message => sent.push(message) });
    other = await openLibrary(database);
    await orm.em.fork().persistAndFlush(['acme', 'bob', 'carl'].map(name => newLibrary(name)));

    for (const name of ['acme', 'bob', 'carl']) {
      await runInTenant(name, em => em.insert(Author, { name: `author of ${name}` }), { orm });
    }
  });

  it('S20 is entered without a statement, with the tenant of its name and a row of its own', async () => {
    let quietSince: number | undefined;
    await until('it is known for longer than without hearing of changes', async () => {
      sent.length = 0;
      await runInTenant('acme', () => undefined, { orm });
      quietSince = sent.length > 0 ? undefined : (quietSince ?? performance.now());

      return quietSince !== undefined && performance.now() - quietSince > 300;
    });
    const rows: unknown[] = [];

    for (let n = 0; n < 3; n += 1) {
      await runInTenant<void, Library>(
        'acme',
        (em, tenant) => {
          rows.push(tenant);
          expect([em.schema, tenant.schemaName, currentTenant()]).to.deep.equal(['acme', 'acme', tenant]);
        },
        { orm },
      );
    }

    expect(sent).to.deep.equal([]);
    expect(new Set(rows).size).to.equal(3);
    expect(await authorsOf('acme')).to.deep.equal(['author of acme']);
    expect(await authorsOf('bob')).to.deep.equal(['author of bob']);
  });

  it('S20 is that of the new name at once, where this process has renamed the tenant, and the old name is nobody', async () => {
    expect(await authorsOf('bob')).to.deep.equal(['author of bob']);
    await tenants(orm).rename('bob', 'robert');
    await refusal(() => authorsOf('bob'), 'TENANT_UNKNOWN');
    expect(await authorsOf('robert')).to.deep.equal(['author of bob']);
    await tenants(orm).rename('robert', 'bob');
    expect(await authorsOf('bob')).to.deep.equal(['author of bob']);
  });

  it('S20 is never that of another tenant which has got the name, in this process or another', async () => {
    expect(await authorsOf('carl')).to.deep.equal(['author of carl']);
    await tenants(other).rename('carl', 'charles');
    await tenants(other).create({ name: 'Carl', schemaName: 'carl', domainUrl: 'second-carl.example.com' });
    await runInTenant('carl', em => em.insert(Author, { name: 'author of the second' }), { orm: other });

    await until('the new tenant of the name is read', async () => {
      const found = await authorsOf('carl').catch((error: unknown) => (error as { readonly code?: string }).code);

      // until the process is told, the scope is still the former tenant's, which reads nothing
      expect(String(found)).to.be.oneOf(['TENANT_CHANGED', 'TENANT_UNKNOWN', 'author of the second']);

      return Array.isArray(found);
    });
    expect(await authorsOf('charles')).to.deep.equal(['author of carl']);
  });

  it('S20 is refused as soon as the process is told that another has dropped the tenant', async () => {
    await tenants(orm).create({ name: 'Dora', schemaName: 'dora', domainUrl: 'dora.example.com' });
    expect(await authorsOf('dora')).to.deep.equal([]);
    await tenants(other).drop('dora');
    await until('it is refused', async () => (await runInTenant('dora', () => 'ran', { orm }).catch(() => 'refused')) === 'refused');
  });

  it('S20 is entered as soon as another process has created the tenant, also where its name was unknown a moment ago', async () => {
    await refusal(() => runInTenant('eve', () => 'ran', { orm }), 'TENANT_UNKNOWN');
    await tenants(other).create({ name: 'Eve', schemaName: 'eve', domainUrl: 'eve.example.com' });
    expect(await runInTenant('eve', em => em.schema, { orm })).to.equal('eve');
  });

  it('S20 is looked up in a transaction, which may see what nobody else does', async () => {
    await runInTenant('acme', () => undefined, { orm });

    await orm.em
      .fork()
      .transactional(async em => {
        await em.persistAndFlush(newLibrary('fred'));
        expect(await runInTenant('fred', inner => inner.schema, { orm })).to.equal('fred');
        sent.length = 0;
        await runInTenant('acme', () => undefined, { orm });
        expect(sent.length).to.be.greaterThan(0);
        throw new Error('undone');
      })
      .catch((error: Error) => expect(error.message).to.equal('undone'));

    await refusal(() => runInTenant('fred', () => 'ran', { orm }), 'TENANT_UNKNOWN');
  });
});
