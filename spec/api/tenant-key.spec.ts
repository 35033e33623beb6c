import { runInPublic, runInTenant, tenantKey, TenantMixin, tenantPath, tenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { dirname, sep } from 'node:path';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import { openNoteOrm } from '../support/orm/note-orm.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';

class Coded extends TenantMixin<string> {}
defineEntity({ class: Coded, extends: TenantMixin as never, properties: { id: p.string().primary() } });

const KEYS = ['1', '01', 'a', 'A', 'a:b', 'a%3Ab', '..', '.', '../a', '/', '\\', 'con', 'a b', 'é', 'x'.repeat(200), '"'];

onDatabases('keys and paths of tenants', database => {
  let orm: SpecOrm;

  before(async () => {
    orm = await openNoteOrm(database, Coded);
    const em = orm.em.fork();

    for (const [index, id] of KEYS.entries()) {
      // without a schema: names are all that it is about
      em.persist(
        Object.assign(em.create(Coded, { id, schemaName: `t${index}`, domainUrl: `t${index}.example.com` } as never), {
          autoCreateSchema: false,
        }),
      );
    }

    await em.flush();
    await tenants(orm).create({ id: 'real', schemaName: 'real', domainUrl: 'real.example.com' });
  });

  it('J5 no two tenants have a key or a folder in common, on no file system, whatever their own keys are', async () => {
    const made = await Promise.all(
      KEYS.map((_, index) => runInTenant(`t${index}`, () => [tenantKey('a:b'), dirname(tenantPath('/srv/files', 'b'))] as const)),
    );

    expect(new Set(made.map(([key]) => key)).size).to.equal(KEYS.length);
    expect(new Set(made.map(([, folder]) => folder.toLowerCase())).size).to.equal(KEYS.length);
    expect(made.every(([, folder]) => /^\/srv\/files\/tenant[-.][0-9a-z_-]+$/.test(folder))).to.equal(true);
    // neither can one tenant's key end with another's
    expect(made.every(([key]) => /^tenant:[^:]+:a:b$/.test(key))).to.equal(true);
  });

  it('J5 S12 a rename keeps both, and a later tenant of the same name and key finds nothing that was cached', async () => {
    const both = (name: string): Promise<readonly [string, string]> =>
      runInTenant(name, () => [tenantKey('k'), tenantPath('files', 'f')] as const);
    const first = await both('real');
    await tenants(orm).rename('real', 'renamed');
    expect(await both('renamed')).to.deep.equal(first);
    await tenants(orm).drop('renamed');
    await tenants(orm).create({ id: 'real', schemaName: 'real', domainUrl: 'real.example.com' });
    expect((await both('real'))[0]).to.not.equal(first[0]);
  });

  it('J5 throws in the public scope and outside any scope', async () => {
    for (const make of [() => tenantKey('k'), () => tenantPath('files', 'f')]) {
      await refusal(make, 'TENANT_CONTEXT_REQUIRED');
      await refusal(() => runInPublic(make), 'TENANT_CONTEXT_REQUIRED');
    }
  });

  it('J5 no file leads out of the tenant’s folder', async () => {
    const hostile: unknown[] = [
      '',
      '/etc/passwd',
      '..',
      '../x',
      'a/../../x',
      'a/..',
      './x',
      'a//b',
      'a/',
      'a\0b',
      'a\nb',
      '..\\x',
      'a\\..\\..\\x',
      'C:/x',
      'C:x',
      'file:stream',
      '.. /x',
      'a./b',
      'a /b',
      undefined,
      null,
      {},
      ['..', 'x'],
      { toString: () => '../x' },
    ];

    await runInTenant('t0', async () => {
      for (const file of hostile) {
        await refusal(() => tenantPath('/srv/files', file as string), 'TENANT_PATH', `file ${JSON.stringify(file)}`);
      }

      for (const root of ['', 'a\0b', undefined]) {
        await refusal(() => tenantPath(root as string, 'f'), 'TENANT_PATH');
      }

      for (const file of ['a', 'a/b.pdf', '.hidden', 'a..b', '...x', 'ü/ß', '%2e%2e/x', '~', '-rf']) {
        expect(tenantPath('/srv/files', file)).to.equal(['/srv/files', 'tenant-1', ...file.split('/')].join(sep));
      }
    });
  });
});
