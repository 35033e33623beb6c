import { expect } from 'chai';
import { Library } from '../../fixtures/entities/index.ts';
import { schemaNames, storedTenants } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';

const REFUSED: readonly (readonly [domain: unknown, reason: string])[] = [
  ['', 'is empty'],
  [' ', 'is blank'],
  ['https://acme.example.com', 'has a scheme'],
  ['//acme.example.com', 'has half a scheme'],
  ['acme.example.com/path', 'has a path'],
  ['acme.example.com\\path', 'has a path behind a backslash'],
  ['acme.example.com?q', 'has a query'],
  ['acme.example.com#top', 'has a fragment'],
  ['acme.example.com:8080', 'has a port'],
  ['user@acme.example.com', 'has a user'],
  ['acme example.com', 'has a space'],
  [' acme.example.com', 'begins with a space'],
  ['acme.example.com\n', 'ends with a newline'],
  ['*.example.com', 'is a pattern'],
  ['acme..example.com', 'has an empty label'],
  ['acme.example.com..', 'has two trailing dots'],
  ['-acme.example.com', 'has a label that begins with a hyphen'],
  ['acm%65.example.com', 'is percent-encoded'],
  [`${'a'.repeat(64)}.example.com`, 'has a label over 63 bytes'],
  [undefined, 'is missing'],
  [null, 'is missing'],
];

const STORED: readonly (readonly [given: string, stored: string])[] = [
  ['UPPER.Example.COM', 'upper.example.com'],
  ['dot.example.com.', 'dot.example.com'],
  ['bücher.example.com', 'xn--bcher-kva.example.com'],
  ['BÜCHEREI.example.com', 'xn--bcherei-n2a.example.com'],
  ['www.shop.example.com', 'shop.example.com'],
  ['WWW.Store.example.com', 'store.example.com'],
  ['intranet', 'intranet'],
  ['[2001:DB8:0:0::1]', '[2001:db8::1]'],
];

onDatabases('the domain of a tenant', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database, { publicHosts: ['example.com'] });
    await orm.em.fork().persistAndFlush(newLibrary('acme'));
  });

  for (const [domainUrl, reason] of REFUSED) {
    it(`T13 refuses ${JSON.stringify(domainUrl) ?? 'undefined'}, which ${reason}, before any SQL`, async () => {
      database.statements.length = 0;
      const error = await refusal(orm.em.fork().persistAndFlush(newLibrary('bad', { domainUrl })));

      expect(error).to.include({ code: 'DOMAIN_INVALID', name: 'InvalidDomainError', domainUrl });
      expect(error.message)
        .to.include(JSON.stringify(domainUrl) ?? 'undefined')
        .and.to.include('"acme.example.com"');
      expect(database.statements).to.deep.equal([]);
      expect(await storedTenants(database)).not.to.include('bad');
      expect(await schemaNames(database)).not.to.include('bad');
    });
  }

  for (const [index, [given, stored]] of STORED.entries()) {
    it(`T13 stores ${given} as ${stored}`, async () => {
      const tenant = newLibrary(`stored_${index}`, { domainUrl: given });
      await orm.em.fork().persistAndFlush(tenant);
      const [row] = await database.query<{ domain: string }>('select domain_url as domain from public.library where schema_name = $1', [
        tenant.schemaName,
      ]);

      expect(row?.domain).to.equal(stored);
      expect(tenant.domainUrl).to.equal(stored);
    });
  }

  it('T13 refuses a domain that another tenant has in another form', async () => {
    for (const domainUrl of ['acme.example.com', 'ACME.Example.com', 'acme.example.com.', 'www.acme.example.com']) {
      expect(await refusal(orm.em.fork().persistAndFlush(newLibrary('twice', { domainUrl })))).to.include({
        code: 'TENANT_ALREADY_EXISTS',
        property: 'domainUrl',
      });
    }

    expect(await schemaNames(database)).not.to.include('twice');
  });

  it('T13 refuses a domain of `publicHosts`, in any form, as its tenant could never be reached', async () => {
    database.statements.length = 0;

    for (const domainUrl of ['example.com', 'EXAMPLE.com.', 'www.example.com']) {
      expect(await refusal(orm.em.fork().persistAndFlush(newLibrary('front', { domainUrl })))).to.include({
        code: 'DOMAIN_RESERVED',
        domainUrl: 'example.com',
      });
    }

    expect(database.statements).to.deep.equal([]);
  });

  it('T13 holds for a domain that is changed', async () => {
    await orm.em.fork().persistAndFlush(newLibrary('moving'));
    const em = orm.em.fork();
    const tenant = await em.findOneOrFail(Library, { schemaName: 'moving' });
    tenant.domainUrl = 'https://moved.example.com';
    expect(await refusal(em.flush())).to.include({ code: 'DOMAIN_INVALID' });
    tenant.domainUrl = 'Example.com';
    expect(await refusal(em.flush())).to.include({ code: 'DOMAIN_RESERVED' });
    tenant.domainUrl = 'MOVED.example.com';
    await em.flush();

    expect(await em.fork().findOne(Library, { domainUrl: 'moved.example.com' })).to.include({ schemaName: 'moving' });
    expect(await em.fork().findOne(Library, { domainUrl: 'moving.example.com' })).to.equal(null);
  });

  it('T13 holds for every tenant of a flush that changes several domains', async () => {
    await orm.em.fork().persistAndFlush([newLibrary('left'), newLibrary('right')]);
    const em = orm.em.fork();
    const [left, right] = await em.find(Library, { schemaName: ['left', 'right'] }, { orderBy: { schemaName: 'asc' } });
    Object.assign(left ?? {}, { domainUrl: 'LEFT-2.example.com' });
    Object.assign(right ?? {}, { domainUrl: 'RIGHT-2.example.com.' });
    await em.flush();
    const rows = await database.query<{ domain: string }>(
      `select domain_url as domain from public.library where schema_name in ('left', 'right') order by 1`,
    );

    expect(rows).to.deep.equal([{ domain: 'left-2.example.com' }, { domain: 'right-2.example.com' }]);
    expect([left?.domainUrl, right?.domainUrl]).to.deep.equal(['left-2.example.com', 'right-2.example.com']);
    Object.assign(left ?? {}, { domainUrl: 'left-3.example.com' });
    Object.assign(right ?? {}, { domainUrl: 'not a host' });
    expect(await refusal(em.flush())).to.include({ code: 'DOMAIN_INVALID', domainUrl: 'not a host' });
  });

  it('T13 refuses two tenants that swap domains in one flush, and changes neither', async () => {
    await orm.em.fork().persistAndFlush([newLibrary('swap_a'), newLibrary('swap_b')]);
    const em = orm.em.fork();
    const [a, b] = await em.find(Library, { schemaName: ['swap_a', 'swap_b'] }, { orderBy: { schemaName: 'asc' } });
    Object.assign(a ?? {}, { domainUrl: 'swap-b.example.com' });
    Object.assign(b ?? {}, { domainUrl: 'swap-a.example.com' });

    expect(await refusal(em.flush())).to.include({ code: 'TENANT_ALREADY_EXISTS', property: 'domainUrl' });
    expect(await em.fork().findOne(Library, { domainUrl: 'swap-a.example.com' })).to.include({ schemaName: 'swap_a' });
    expect(await em.fork().findOne(Library, { domainUrl: 'swap-b.example.com' })).to.include({ schemaName: 'swap_b' });
  });
});

onDatabases('the domain of a tenant with `stripWww: false`', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database, { stripWww: false });
  });

  it('T13 takes www.acme.example.com and acme.example.com as two hosts', async () => {
    const [plain, www] = [newLibrary('plain', { domainUrl: 'acme.example.com' }), newLibrary('www', { domainUrl: 'WWW.acme.example.com' })];
    await orm.em.fork().persistAndFlush([plain, www]);

    expect([plain.domainUrl, www.domainUrl]).to.deep.equal(['acme.example.com', 'www.acme.example.com']);
  });
});
